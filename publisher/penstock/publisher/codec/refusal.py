"""Refusal: why a value cannot be written, and where inside the value that is."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
from typing import Any

from penstock.publisher.errors import CodecError

_PATH_SHOWN = 160


class Refusal(Exception):
    """Travels up from the offending element, and gathers the path on its way."""

    def __init__(self, reason: str, value: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.culprit = value
        self._steps: list[str] = []

    def under(self, step: str, container: Any = None) -> Refusal:
        """Add one step of the path, seen from `container`."""
        if container is not None and container is self.culprit:
            self.reason = "contains itself"
            self._steps.clear()
        self._steps.append(step)
        return self

    def error(self, what: str) -> CodecError:
        """What the caller of the codec gets to see."""
        path = "$" + "".join(reversed(self._steps))
        shown = path if len(path) <= _PATH_SHOWN else path[:_PATH_SHOWN] + "..."
        name = shown_type(type(self.culprit))
        message = f"{what or 'the value'} cannot be stored: {shown} ({name}) {self.reason}"
        return CodecError(message, what=what, path=path, type_name=name)


def unawaited(value: object) -> str:
    """Say of a value that is still to come how to get it; "" of all others.

    A future may have a `step_id`, which names the step that it is of.
    """
    if inspect.iscoroutine(value):
        return f"is a coroutine that was not awaited: write await {value.__qualname__}(...)"
    if _is_future(value):
        step_id = str(getattr(value, "step_id", ""))
        future = f"the future of step {step_id!r}" if step_id else "a future"
        return (
            f"is {future} and not its value: call .result() on it in sync code, "
            "await it in async code"
        )
    return "was not awaited: await it" if inspect.isawaitable(value) else ""


def _is_future(value: object) -> bool:
    return isinstance(value, (asyncio.Future, concurrent.futures.Future))


def attribute(name: str) -> str:
    """The step into an attribute or a string key."""
    return f".{name}" if name.isidentifier() else f"[{name[:40]!r}]"


def key(value: Any) -> str:
    """The step into a value of a dict."""
    if type(value) is str:
        return attribute(value)
    return f"[{value!r}]" if type(value) in (bool, float, type(None)) else _small(value)


def shown_type(kind: type) -> str:
    """A type as messages name it: without `builtins.`."""
    module, name = kind.__module__, kind.__qualname__
    return name if module == "builtins" else f"{module}.{name}"


def _small(value: object) -> str:
    if isinstance(value, int) and -(10**12) < value < 10**12:
        return f"[{int(value)}]"
    return f"[a key of type {shown_type(type(value))}]"
