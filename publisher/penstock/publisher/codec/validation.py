"""Validation: pydantic's error as data, and the same error made of that data.

Pydantic's error has no constructor that takes its arguments again: it is made of one line for each
refused part of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

__all__ = ["dump_refused", "load_refused"]

_LINES_MAX: Final = 50


def dump_refused(
    error: ValidationError, fits: Callable[[Any], bool], text_of: Callable[[object], str]
) -> dict[str, Any]:
    """Return title and lines of an error; parts that do not fit are kept as text or left out."""
    lines: list[dict[str, Any]] = []
    for found in error.errors(include_url=False)[:_LINES_MAX]:
        line: dict[str, Any] = {name: found[name] for name in ("type", "loc", "msg")}
        line["input"] = _plain(found["input"], fits, text_of)
        given = cast("Mapping[str, Any]", found.get("ctx", {}))
        context = {name: _plain(value, fits, text_of) for name, value in given.items()}
        lines.append(line | {"ctx": context} if context else line)
    kept = {"title": text_of(error.title), "lines": lines}
    return kept if fits(kept) else kept | {"lines": []}


def load_refused(data: Mapping[str, Any], message: str) -> ValidationError:
    """Return the error that `dump_refused` has described; of its message where it has no lines."""
    lines = data["lines"] or [{"type": "value_error", "loc": (), "msg": message, "input": None}]
    return ValidationError.from_exception_data(data["title"], [_line(line) for line in lines])


def _line(line: Mapping[str, Any]) -> InitErrorDetails:
    """Return a line of pydantic's own type if its message is the same, else a custom line."""
    known = cast(InitErrorDetails, {name: part for name, part in line.items() if name != "msg"})
    try:
        if ValidationError.from_exception_data("", [known]).errors()[0]["msg"] == line["msg"]:
            return known
    except (TypeError, ValueError, KeyError):
        pass  # a type that code of the user's own has named, or that another version knows
    message = PydanticCustomError(line["type"], "{message}", {"message": line["msg"]})
    return {"type": message, "loc": line["loc"], "input": line["input"]}


def _plain(value: Any, fits: Callable[[Any], bool], text_of: Callable[[object], str]) -> Any:
    return value if fits(value) else text_of(value)
