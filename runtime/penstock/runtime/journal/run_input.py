"""The input and context of a run: validated once, then read as they were stored.

The process that enqueues a run validates them if it has the entrypoint; otherwise the first
attempt does, and records the result. Later attempts, which may be months later, decode that.
"""

from __future__ import annotations

__all__ = [
    "ACCEPTED",
    "ACCEPTED_CONTEXT",
    "Accepting",
    "Given",
    "accepted",
    "context_of",
    "given_of",
]

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, runtime_checkable

from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import CodecError

ACCEPTED: Final = "accepted"
"""The checkpoint that marks a run's input as validated: empty if validation did not change it, else
the encoded input."""

ACCEPTED_CONTEXT: Final = "accepted context"
"""The checkpoint with the context as it came out of that, where it was stored before."""


@runtime_checkable
class Accepting(Protocol):
    """What validates the input and the context of its runs: an entrypoint."""

    @property
    def name(self) -> str:
        """The entrypoint's name."""
        ...

    def accept(self, argument: Any, /) -> Any:
        """Return an input as the function gets it."""
        ...

    def accept_context(self, context: Any, /) -> Any:
        """Return a context as the function gets it."""
        ...

    def converts(self, context: Any, /) -> bool:
        """Return whether validation may make something else of an input or a context."""
        ...


@dataclass(frozen=True, slots=True)
class Given:
    """A run's input and context, and whether they are validated."""

    argument: Any
    context: Any = None
    is_accepted: bool = False


def given_of(checkpoints: Mapping[str, bytes], codec: Codec) -> Given:
    """Read a run's input and context; `codec` is the run's.

    Raises:
        CodecError: it cannot be read here.
    """
    text = checkpoints.get(ACCEPTED)
    stored = text or checkpoints["input"]
    argument = codec.at("input").loads(stored)
    # A process that has a class under another name makes it from the plain data once more.
    is_accepted = text is not None and codec.at("input").knows(stored)
    return Given(argument, context_of(checkpoints, codec), is_accepted=is_accepted)


def context_of(checkpoints: Mapping[str, bytes], codec: Codec) -> Any:
    """Read the context that a run was given, None if it was given none."""
    text = checkpoints.get(ACCEPTED_CONTEXT) or checkpoints.get("context")
    return codec.at("context").loads(text) if text is not None else None


def accepted(entrypoint: Accepting, given: Given, codec: Codec) -> tuple[Given, Mapping[str, str]]:
    """Validate a run's input and context unless that is done, and return the checkpoints of it.

    Raises:
        InputError: it is refused.
        CodecError: the validated input cannot be stored.
        Exception: whatever else a validator raises.
    """
    context = entrypoint.accept_context(given.context)  # as it is, where it was stored so
    if given.is_accepted:
        return replace(given, context=context), {}
    found = Given(entrypoint.accept(given.argument), context, is_accepted=True)
    if not entrypoint.converts(given.context):
        return found, {}
    what = f"input of entrypoint {entrypoint.name!r}"
    kept = {ACCEPTED: codec.at("input").dumps(found.argument, what)}
    with suppress(CodecError):  # as one with a connection: each attempt makes its own
        if found.context is not None:
            kept[ACCEPTED_CONTEXT] = codec.at("context").dumps(found.context)
    return found, kept
