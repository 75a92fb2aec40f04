"""Connections to Redis, the scripts sent over them, and what is said when Redis does not answer."""
