"""What code inside a run can ask of it, from anywhere: no argument needed."""

from __future__ import annotations

__all__ = [
    "asleep",
    "get_config",
    "get_runtime",
    "get_store",
    "get_stream_writer",
    "interrupt",
    "sleep",
]

from typing import Any, TypeVar, overload

from penstock.runtime.engine.asking import aask, ask
from penstock.runtime.engine.attempt.questions import Limit
from penstock.runtime.engine.attempt.response_schema import Response
from penstock.runtime.engine.injection import config_of, runtime_of
from penstock.runtime.engine.pauses import apause, pause
from penstock.runtime.engine.step import current_branch
from penstock.runtime.engine.unawaited import reject_unawaited
from penstock.runtime.engine.waiting.parking import can_park, park
from penstock.runtime.engine.writer import StreamWriter, writer_of
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.types.interrupt import NOTHING
from penstock.runtime.types.runtime import Runtime
from penstock.runtime.types.timeout import Seconds, seconds_of

C = TypeVar("C")


def get_stream_writer() -> StreamWriter:
    """Return the function that sends custom events of the step that calls.

    Raises:
        OutsideRunError: no run is active here.
    """
    return writer_of(current_branch("get_stream_writer()").scope)


def get_config() -> dict[str, Any]:
    """Return the run's config.

    Raises:
        OutsideRunError: no run is active here.
    """
    return config_of(current_branch("get_config()").scope)


def get_store() -> Any:
    """Return the entrypoint's store, None if it has none.

    Raises:
        OutsideRunError: no run is active here.
    """
    return current_branch("get_store()").scope.step.assignment.store


@overload
def get_runtime(schema: type[C]) -> Runtime[C]: ...
@overload
def get_runtime(schema: None = None) -> Runtime[Any]: ...
def get_runtime(schema: type | None = None) -> Runtime[Any]:
    """Return the run's `Runtime`; `schema` only says to readers which type its context has.

    Raises:
        OutsideRunError: no run is active here.
    """
    return runtime_of(current_branch("get_runtime()").scope)


def interrupt(
    value: Any,
    *,
    response_schema: Any = None,
    timeout: Seconds | None = None,
    default: Any = NOTHING,
) -> Any:
    """Ask a question, and return the answer to it here, after a second or after a month.

    Meanwhile the branch that asks is parked, and the others go on: the run leaves its process when
    none of its branches can go on. If it has left, its code starts from the first line again once
    there is an answer, and recorded steps return what they returned before.

    `response_schema` is a type, a pydantic `TypeAdapter` or a JSON schema: whoever gives an answer
    that does not fit it gets an error, and the run waits on; what fits is returned as of that type.
    `timeout` says in seconds, or as a timedelta, how long an answer may take; then `default` stands
    in for it.

    Raises:
        ConfigurationError: `response_schema` is none of these, or a default has no timeout.
        OutsideRunError: no run is active here.
        InterruptTimeoutError: the time is over, and there is no default.
        Suspend: in sync code, there is no answer yet. Not an Exception, so that `except Exception`
            lets it pass.
    """
    branch = current_branch("interrupt()")
    scope = branch.scope
    scope.go_on()
    reject_unawaited(value, "the question of an interrupt")
    if timeout is None and default is not NOTHING:
        raise ConfigurationError(
            "interrupt(default=...) stands in for an answer that comes too late: give timeout= too."
        )
    limit = None if timeout is None else Limit(seconds_of(timeout), default)
    response = None if response_schema is None else Response(response_schema)
    if scope.step.runner.is_on_loop and can_park():
        return park(aask(branch, value, limit, response))
    return ask(branch, value, limit, response)


def sleep(seconds: Seconds) -> None:
    """Pause the code; on workers a long pause leaves the process, and no replay pauses again.

    For sync code; async code has `asleep`.

    Raises:
        OutsideRunError: no run is active here.
        Suspend: it takes longer than the setting `patience`. Not an Exception.
    """
    branch = current_branch("sleep()")
    if branch.scope.step.runner.is_on_loop:
        raise RuntimeError("sleep() would hold up the event loop: await asleep(...) instead.")
    branch.scope.go_on()
    pause(branch, seconds_of(seconds))


async def asleep(seconds: Seconds) -> None:
    """Pause the calling branch; the run leaves its process when none of its branches can go on."""
    branch = current_branch("asleep()")
    branch.scope.go_on()
    await apause(branch, seconds_of(seconds))
