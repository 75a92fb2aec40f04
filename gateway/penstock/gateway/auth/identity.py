"""The sender of a request."""

from __future__ import annotations

__all__ = ["LOCAL", "Identity"]

from dataclasses import dataclass
from typing import Final

from penstock.gateway.auth.role import Role


@dataclass(frozen=True, slots=True)
class Identity:
    """A name, and what it may do."""

    name: str
    role: Role
    key_id: str | None = None
    """The API key that was sent; None for whoever needs none."""


LOCAL: Final = Identity("local", Role.ADMIN)
"""Whoever sends a request without a key to a gateway that is open."""
