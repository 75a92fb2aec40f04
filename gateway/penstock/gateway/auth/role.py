"""What the sender of a request may do."""

from __future__ import annotations

__all__ = ["Role"]

from enum import StrEnum


class Role(StrEnum):
    """A set of rights; each has those of the ones before it."""

    VIEWER = "viewer"
    """Reads runs, threads and streams."""
    CLIENT = "client"
    """Enqueues runs, answers and cancels them.

    Those of LangGraph's clients also let a failed or cancelled run of a thread go on, as a request
    without input asks for.
    """
    OPERATOR = "operator"
    """Resumes, repeats and forks runs, changes threads, and does the same to many runs."""
    ADMIN = "admin"
    """Deletes threads and runs."""

    @property
    def article(self) -> str:
        """The name with its article."""
        return f"{'an' if self.value[0] in 'aeiou' else 'a'} {self.value}"

    def may(self, needed: Role) -> bool:
        """Tell whether this role has the rights of another."""
        order = list(Role)
        return order.index(self) >= order.index(needed)
