"""Functions of an `Auth` that do not do what they should: their requests are never let in."""

from __future__ import annotations

__all__ = ["AuthHandlerError"]


class AuthHandlerError(Exception):
    """A function of an `Auth` raised, or returned what is no answer; a request for it gets 500."""
