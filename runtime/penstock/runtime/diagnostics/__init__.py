"""Runs read for people: their steps, and the memory that they take."""
