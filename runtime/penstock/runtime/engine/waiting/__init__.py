"""What the branches of a run wait for, and the order in which they get to know."""
