"""The journal of an attempt in Redis: buffered, fenced writes under a lease."""
