"""Refusal: why a value cannot be written, and where inside the value that is."""

from __future__ import annotations

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
