"""The sender of a request."""

from __future__ import annotations

__all__ = ["LOCAL", "Identity"]

from dataclasses import dataclass
from typing import Final

from penstock.gateway.auth.role import Role
from penstock.gateway.errors import RequestError


@dataclass(frozen=True, slots=True)
class Identity:
    """A name, and what it may do."""

    name: str
    role: Role
    key_id: str | None = None
    """The API key that was sent; None for whoever needs none."""

    def check(self, needs: Role) -> None:
        """Refuse what needs a role that this one does not have.

        Raises:
            RequestError: 403.
        """
        if not self.role.may(needs):
            raise RequestError(
                403, f"{self.name!r} is {self.role.article}: this needs the role {needs}."
            )


LOCAL: Final = Identity("local", Role.ADMIN)
"""Whoever sends a request without a key to a gateway that is open."""
