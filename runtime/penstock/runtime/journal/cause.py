"""What runs fail of: failures of the same cause are one group."""

from __future__ import annotations

__all__ = ["Cause"]

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """The parts of a failure that are the same in all failures of its cause."""

    entrypoint: str
    task: str
    """The task whose step failed; empty if the body did."""
    error: str
    """The name of the error's class."""
    place: str
    """The innermost function of the app in which it was raised; empty if that is not known."""

    @property
    def digest(self) -> str:
        """What stands for the cause, 16 hexadecimal digits.

        That of runs that kill their workers is `poison:<entrypoint>`, see recover.lua.
        """
        text = "\n".join((self.entrypoint, self.task, self.error, self.place))
        data = text.encode("utf-8", "surrogatepass")
        return hashlib.sha1(data, usedforsecurity=False).hexdigest()[:16]
