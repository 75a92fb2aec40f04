"""The templates of pages, and what they write values with."""

from __future__ import annotations

__all__ = ["CUT", "as_text", "one_line", "render"]

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from penstock.gateway.auth.role import Role
from penstock.runtime.diagnostics.duration import duration
from penstock.runtime.diagnostics.plain import plain
from penstock.runtime.diagnostics.size import size

CUT: Final = 64 * 1024
"""Characters of a value that a page shows."""

SCREENS: Final = (
    ("/", "Overview", Role.VIEWER),
    ("/runs", "Runs", Role.VIEWER),
    ("/questions", "Questions", Role.VIEWER),
    ("/failures", "Failures", Role.VIEWER),
    ("/threads", "Threads", Role.VIEWER),
    ("/queues", "Queues", Role.VIEWER),
    ("/entrypoints", "Entrypoints", Role.VIEWER),
    ("/system", "System", Role.OPERATOR),
)
"""What the head of each page leads to, and who may go there."""

_LINE: Final = 200


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("penstock.gateway.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = found.filters
    filters.update(
        {
            "as_text": as_text,
            "line": one_line,
            "duration": duration,
            "size": size,
            "seconds_since": _seconds_since,
            "utc": _utc,
        }
    )
    names: dict[str, Any] = found.globals
    names |= {"screens": SCREENS, "CUT": CUT}
    return found


def render(name: str, **values: Any) -> str:
    """Write a page; all values are escaped."""
    return _environment().get_template(name).render(values)


def as_text(value: Any) -> str:
    """Write a value as indented JSON; text as itself."""
    if isinstance(value, str):
        return value
    return json.dumps(plain(value), ensure_ascii=False, indent=2)


def one_line(value: Any, most: int = _LINE) -> str:
    """Write the beginning of a value on one line."""
    text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _seconds_since(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
