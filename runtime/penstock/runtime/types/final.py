"""What a body returns when the run's result and the thread's saved value differ."""

from __future__ import annotations

__all__ = ["Final"]

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

R = TypeVar("R")
S = TypeVar("S")


@dataclass(frozen=True, kw_only=True, slots=True)
class Final(Generic[R, S]):
    """Known as `entrypoint.final`.

    `value` is the run's result, `save` what the thread's next run gets as `previous`.
    """

    value: R
    save: S

    @staticmethod
    def split(returned: Any) -> tuple[Any, Any]:
        """Return the result and the saved value that a body's return value stands for."""
        if isinstance(returned, Final):
            final = cast(Any, returned)
            return final.value, final.save
        return returned, returned
