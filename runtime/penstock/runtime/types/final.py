"""The return value of a body whose result and saved value differ."""

from __future__ import annotations

__all__ = ["Final"]

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

R = TypeVar("R")
S = TypeVar("S")


@dataclass(frozen=True, kw_only=True, slots=True)
class Final(Generic[R, S]):
    """The class `entrypoint.final`.

    `value` is the run's result, `save` the `previous` of the thread's next run.
    """

    value: R
    save: S

    @staticmethod
    def split(returned: Any) -> tuple[Any, Any]:
        """Return the result and the saved value of a body's return value."""
        if isinstance(returned, Final):
            final = cast(Any, returned)
            return final.value, final.save
        return returned, returned
