"""Threads and limits; knows no run and no step."""
