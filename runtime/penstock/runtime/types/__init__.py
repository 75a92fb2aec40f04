"""The values that users and processes exchange: runs, commands, policies, states, configs."""
