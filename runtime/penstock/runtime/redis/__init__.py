"""Runs and threads in Redis: keys, scripts, journal, leases, savers."""
