"""Values that outlive threads, by namespace and key."""
