"""Connections to Redis, the scripts sent over them, and the errors when Redis does not answer."""
