"""The dashboard: pages on which people see what runs do, and act on them."""
