"""A question that a run asks, and the command that answers it."""

from __future__ import annotations

__all__ = ["Command", "Interrupt", "interrupt_id"]

import enum
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

from penstock.publisher.codec.registry import register_type
from penstock.runtime.errors import InvalidUpdateError, ResumeError

_ID: Final = re.compile(r"[0-9a-f]{32}")


@register_type
@dataclass(frozen=True, slots=True)
class Interrupt:
    """A question that a run asks.

    `id`, 32 hex digits, addresses it in `Command(resume={id: answer})`.
    """

    __stored_name__ = "penstock.runtime.Interrupt"

    value: Any
    id: str
    response_schema: Mapping[str, Any] | None = None
    """JSON schema that an answer has to fit."""

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.as_dict().items())
        return f"Interrupt({fields})"

    def as_dict(self) -> dict[str, Any]:
        """Return the question as events show it."""
        data = {"value": self.value, "id": self.id}
        return (
            data
            if self.response_schema is None
            else data | {"response_schema": self.response_schema}
        )


@register_type
class Nothing(enum.Enum):
    """Stands for a resume that was not given, as None is an answer."""

    NOTHING = "nothing"


NOTHING: Final = Nothing.NOTHING


@register_type
@dataclass(frozen=True, slots=True)
class Command:
    """Input that resumes a waiting run with an answer: `invoke(Command(resume=answer), config)`.

    `resume` is the answer to the one open question, or a map of interrupt ids to answers; None is
    an answer like any other, {} an empty map that answers nothing. The other fields are for graphs
    of nodes; a run may return a command that has them, but does not take one as its input.
    """

    __stored_name__ = "penstock.runtime.Command"

    PARENT: ClassVar[str] = "__parent__"

    resume: Any = NOTHING
    update: Any = None
    goto: Any = ()
    graph: str | None = None

    def reject_update(self) -> None:
        """Refuse the fields that are for graphs of nodes.

        Raises:
            InvalidUpdateError: it has an update, a goto or a graph.
        """
        for name in ("graph", "update", "goto"):
            if getattr(self, name):
                raise InvalidUpdateError(
                    f"Command({name}={getattr(self, name)!r}) is for graphs of nodes, and a "
                    "workflow has none: give new input, or Command(resume=...)."
                )

    def answers(self, pending: Sequence[Interrupt], run_id: str) -> Mapping[str, Any]:
        """Match the answer to the open questions.

        Raises:
            ResumeError: it has no answer, names a question that is not open, or does not name one
                of several open questions.
        """
        if self.resume is NOTHING:
            raise ResumeError(
                f"Command() answers nothing; run {run_id!r} waits. Give Command(resume=<answer>)."
            )
        ids = [interrupt.id for interrupt in pending]
        if _is_map(self.resume):
            chosen = cast("dict[str, Any]", self.resume)
            unknown = [key for key in chosen if key not in ids]
            if unknown:
                raise ResumeError(
                    f"run {run_id!r} has no open interrupt {unknown[0]!r}; open: {ids or 'none'}."
                )
            return chosen
        if len(ids) != 1:
            raise ResumeError(
                f"run {run_id!r} waits for {len(ids)} answers; choose with "
                f"Command(resume={{id: answer}}), with ids of {ids}."
            )
        return {ids[0]: self.resume}


def _is_map(resume: object) -> bool:
    if not isinstance(resume, dict):
        return False
    keys = cast("dict[object, object]", resume)
    return all(isinstance(key, str) and _ID.fullmatch(key) for key in keys)


def interrupt_id(run_id: str, step_id: str, index: int) -> str:
    """Derive the id of a step's n-th interrupt: the same in every attempt."""
    text = f"{run_id}\n{step_id}\n{index}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
