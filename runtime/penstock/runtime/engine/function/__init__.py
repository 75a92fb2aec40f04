"""The user's function that a step executes: its name, parameters, policies and identity."""
