"""What code inside a run can ask of it, from anywhere: no argument needed."""

from __future__ import annotations

__all__ = ["get_config", "get_runtime", "get_store", "get_stream_writer", "interrupt"]

from typing import Any

from penstock.runtime.inject import Runtime, config_of, runtime_of
from penstock.runtime.scope import current_branch
from penstock.runtime.writer import StreamWriter, writer_of


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
    return current_branch("get_store()").scope.attempt.assignment.store


def get_runtime(schema: type | None = None) -> Runtime:
    """Return the run's `Runtime`; `schema` only says to readers which type its context has.

    Raises:
        OutsideRunError: no run is active here.
    """
    return runtime_of(current_branch("get_runtime()").scope)


def interrupt(value: Any) -> Any:
    """Ask a question and leave the process; once it is answered, return the answer here.

    Raises:
        OutsideRunError: no run is active here.
        Suspend: no answer yet. Not an Exception, so that `except Exception` lets it pass.
    """
    scope = current_branch("interrupt()").scope
    scope.attempt.check(scope)
    scope.advance()
    return scope.attempt.questions.ask(scope, value)
