"""Turns the events of a run into what each stream mode shows."""
