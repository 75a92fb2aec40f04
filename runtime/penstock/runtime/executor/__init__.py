"""Executes the runs that a process has claimed: claim, attempt, journal."""
