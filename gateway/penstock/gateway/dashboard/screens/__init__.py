"""The screens of the dashboard, one file a screen."""
