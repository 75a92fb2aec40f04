"""Clients for apps, and handles of runs and threads; sync and async."""
