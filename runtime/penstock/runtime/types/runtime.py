"""The `Runtime`: a run's context, store, writer and ids, for its code."""

from __future__ import annotations

__all__ = ["ExecutionInfo", "Runtime"]

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from penstock.publisher.codec.registry import register_type
from penstock.runtime.types.control import RunControl

C = TypeVar("C")


@register_type
@dataclass(frozen=True, slots=True)
class ExecutionInfo:
    """The position of the calling code: run, thread, step, attempt."""

    run_id: str = ""
    thread_id: str = ""
    step_id: str = ""
    attempt: int = 1
    """Tries of the run, counted from 1; more than 1 after a crash."""
    step_attempt: int = 1
    """Tries of this step within its retry policy, counted from 1."""
    node_first_attempt_time: float = 0.0
    """When the first of these tries began, in seconds since 1970."""
    checkpoint_ns: str = ""
    """The nested entrypoints that the step is in, outermost first, with `|` between."""
    checkpoint_id: str = ""

    @property
    def task_id(self) -> str:
        """The step's id, by its other name."""
        return self.step_id

    @property
    def node_attempt(self) -> int:
        """The step's attempt, by its other name."""
        return self.step_attempt


def _write_nothing(value: Any) -> None:
    """Drop a custom event."""


def _beat_nothing() -> None:
    """Drop a heartbeat."""


@dataclass(frozen=True, slots=True)
class Runtime(Generic[C]):
    """A run's context, store, writer and ids; annotate with `Runtime[Context]` for its context.

    A run makes it. One that is made by hand, for tests, drops events and has no ids.
    """

    context: C = None  # type: ignore[assignment]
    store: Any = None
    stream_writer: Callable[[Any], None] = _write_nothing
    previous: Any = None
    execution_info: ExecutionInfo = field(default_factory=ExecutionInfo)
    heartbeat: Callable[[], None] = _beat_nothing
    """Resets the idle timeout of the calling step."""
    server_info: Any = None
    """Always None: there is no server."""
    control: RunControl | None = None

    @property
    def step_id(self) -> str:
        """Idempotency key of the current step: the same whenever this step is executed again."""
        return f"{self.execution_info.run_id}/{self.execution_info.step_id}"

    @property
    def drain_requested(self) -> bool:
        """Whether the run was asked to stop at its next step."""
        return self.control is not None and self.control.drain_requested

    @property
    def drain_reason(self) -> str | None:
        """Why it was asked to."""
        return self.control.drain_reason if self.control is not None else None

    def merge(self, other: Runtime[C]) -> Runtime[C]:
        """Return this with whatever the other has that is not a default."""
        empty: Runtime[Any] = Runtime()
        given = {
            each.name: value
            for each in dataclasses.fields(other)
            if (value := getattr(other, each.name)) != getattr(empty, each.name)
        }
        return dataclasses.replace(self, **given)

    def override(self, **fields: Any) -> Runtime[C]:
        """Return this with other values of the fields named."""
        return dataclasses.replace(self, **fields)

    def patch_execution_info(self, **fields: Any) -> Runtime[C]:
        """Return this with other values of the fields named in `execution_info`."""
        return self.override(execution_info=dataclasses.replace(self.execution_info, **fields))
