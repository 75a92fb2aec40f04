"""How the commands print: JSON for programs, tables for people, colours only on terminals."""

from __future__ import annotations

__all__ = [
    "COLOURS",
    "Grid",
    "age",
    "console",
    "emit",
    "one_line",
    "print_line",
]

import functools
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import click
from rich.console import Console
from rich.text import Text

from penstock.runtime.diagnostics.plain import plain

COLOURS: Final = {
    "queued": "cyan",
    "running": "blue",
    "suspended": "yellow",
    "waiting": "yellow",
    "completed": "green",
    "failed": "red",
    "retrying": "magenta",
    "cancelled": "dim",
    "unfinished": "dim",
}
"""Styles of the statuses of runs and steps."""

_WIDE: Final = 10_000
_NARROWEST: Final = 8
"""The least width of a column that may shrink."""


def emit(value: Any) -> None:
    """Print one JSON object on one line."""
    click.echo(json.dumps(plain(value), separators=(", ", ": ")))


def print_line(text: Text | str) -> None:
    """Print a line that is never cut."""
    console().print(text, soft_wrap=True)


def console() -> Console:
    """Return the console of stdout; colours and cut lines are for terminals only."""
    return _console(sys.stdout)


@functools.lru_cache(maxsize=1)
def _console(stream: TextIO) -> Console:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    width = None if stream.isatty() else _WIDE
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


class Grid:
    """A table without lines; columns that may shrink are cut if the terminal is narrow."""

    def __init__(self, *columns: str, may_shrink: Sequence[str] = ()) -> None:
        self._rows = [[Text(name, style="dim") for name in columns]]
        self._shrinking = [name in may_shrink for name in columns]

    def add(self, *cells: Text) -> None:
        """Add a row."""
        self._rows.append(list(cells))

    def print(self) -> None:
        """Print the table, without blanks at the ends of its lines."""
        screen = console()
        widths = self._widths(screen.width)
        for row in self._rows:
            line = Text()
            for cell, width in zip(row, widths, strict=True):
                cell.truncate(width, overflow="ellipsis", pad=True)
                line.append_text(cell).append("  ")
            line.rstrip()
            screen.print(line, soft_wrap=True)

    def _widths(self, available: int) -> list[int]:
        widths = [max(cell.cell_len for cell in column) for column in zip(*self._rows, strict=True)]
        excess = sum(widths) + 2 * (len(widths) - 1) - available
        for at in reversed(range(len(widths))):
            if self._shrinking[at] and excess > 0:
                cut = min(excess, max(widths[at] - _NARROWEST, 0))
                widths[at] -= cut
                excess -= cut
        return widths


def one_line(value: Any, limit: int = 0) -> str:
    """Write a value for a person: text as it is, any other value as JSON; 0 is no limit."""
    text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
    text = "".join(char if char.isprintable() or char in "\n\t" else _escape(char) for char in text)
    if limit:
        text = " ".join(text.split())
        text = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return text


def _escape(char: str) -> str:
    return char if char in "\u200d\ufe0f\u00a0" else char.encode("unicode_escape").decode()


def age(then: datetime, now: datetime | None = None) -> str:
    """Write how long ago a time was, in one unit."""
    seconds = ((now or datetime.now(UTC)) - then).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"
