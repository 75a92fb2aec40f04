"""Executes one attempt of a run: its steps, replays, retries, waits and its end."""
