"""What a process does with the runs that it has claimed: claim, attempt, journal."""
