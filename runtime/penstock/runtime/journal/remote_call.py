"""Steps that workers of another queue execute, each as a run that reports to its home run."""

from __future__ import annotations

__all__ = ["ARGUMENTS", "RemoteCall", "arguments_of", "lost"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from penstock.publisher.codec.codec import Codec
from penstock.runtime.errors import PoisonRunError, RunCancelledError, RunError, RunFailedError

ARGUMENTS: Final = ">"
"""First character of the checkpoints that hold the arguments of remote steps under way."""


@dataclass(frozen=True, slots=True)
class RemoteCall:
    """A call of a task as it is sent to the workers of a queue."""

    step_id: str
    task: str
    queue: str
    digest: str
    arguments: str
    """As a checkpoint: `[args, kwargs]`, encoded."""


def arguments_of(codec: Codec, step_id: str, text: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Read what a remote step is called with; `codec` is that of the run it belongs to.

    Raises:
        CodecError: they cannot be read here.
    """
    args: list[Any]
    kwargs: Mapping[str, Any]
    args, kwargs = codec.at("remote", step_id).loads(text)
    return tuple(args), dict(kwargs)


def lost(run_id: str, step_id: str, reply: str) -> RunError:
    """Return the error that a step fails with which came to nothing: `!<status> <reason>`."""
    status, _, reason = reply.removeprefix("!").partition(" ")
    kind: type[RunError] = RunCancelledError if status == "cancelled" else RunFailedError
    if reason.startswith("PoisonRunError"):
        kind = PoisonRunError
    return kind(run_id, f"step {step_id!r} of run {run_id!r}, on another queue, {status}: {reason}")
