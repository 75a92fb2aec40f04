"""What an app holds: clients, and handles of runs and threads; sync and async."""
