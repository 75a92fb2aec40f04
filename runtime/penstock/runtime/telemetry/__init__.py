"""Logs, traces and metrics of the runs of a process."""
