"""Turns the events of a run into the chunks of each stream mode."""
