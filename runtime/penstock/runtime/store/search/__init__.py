"""Search in a store: by filters, by text and by vectors."""
