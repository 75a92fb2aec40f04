"""The demo's output while it runs: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

__all__ = ["Screen", "open_console", "print_trimmed"]

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

PLAIN_LINES = 8
"""Lines of progress where there is no terminal."""

FRAME = 0.08
"""Seconds between two drawings of the bars."""

BAR = 32
"""Columns of a bar, where there is room."""

WIDTH = 96
"""Columns used at most."""


def open_console() -> Console:
    """Return a console that survives any file name and any encoding."""
    stream = sys.stdout
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
    probe = Console(highlight=False, markup=False, emoji=False)
    probe.width = min(probe.width, WIDTH) if probe.is_terminal else WIDTH
    return probe


def print_trimmed(console: Console, content: RenderableType) -> None:
    """Print an empty line and something, without blanks at the ends of its lines."""
    with console.capture() as capture:
        console.print(content)
    lines = (line.rstrip() for line in capture.get().rstrip().splitlines())
    console.file.write("\n" + "\n".join(lines) + "\n")
    console.file.flush()


class Screen:
    """Prints what happens with the seconds since the run began, above bars that move.

    The bars are drawn by the caller's thread alone, and keep their height.
    """

    def __init__(self, console: Console, kinds: Sequence[str], total: int) -> None:
        self.console = console
        self.moves = console.is_terminal and not console.is_dumb_terminal
        self._began = time.monotonic()
        self._bars = dict.fromkeys(kinds, 0)
        self._total = total
        self._status = ""
        self._status_until = 0.0
        self._printed = 0
        self._bar = max(8, min(BAR, console.width - 48))
        self._drawn = 0.0
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        if self.moves:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def print(self, text: str, style: str = "", detail: str = "") -> None:
        """Print a line that stays, with the seconds since the run began."""
        line = Text(f"{time.monotonic() - self._began:6.1f} s  ", style="dim")
        line.append(text, style=style or "default not dim")
        line.append(f"  {detail}" if detail else "", style="dim")
        self.console.print(line, soft_wrap=True)

    def count(self, kind: str, done: int) -> None:
        """Take note of how many steps of a kind are done."""
        self._bars[kind] = done
        if not self.moves:
            self._print_progress(sum(self._bars.values()))

    def wait(self, text: str, seconds: float) -> None:
        """Count down under the bars, the seconds in the place of `{}`; no text ends it."""
        self._status = text
        self._status_until = time.monotonic() + seconds

    def draw(self) -> None:
        """Draw the bars as things stand, if it is time to."""
        now = time.monotonic()
        if self.moves and now - self._drawn >= FRAME:
            self._drawn = now
            self._live.update(self._render(), refresh=True)

    def _print_progress(self, done: int) -> None:
        total = len(self._bars) * self._total
        part = done * PLAIN_LINES // total
        if part > self._printed:
            self._printed = part
            self.print(f"{done} of {total} steps of files done")

    def _render(self) -> Group:
        grid = Table.grid(padding=(0, 2))
        for kind, done in self._bars.items():
            style = "green" if done == self._total else "cyan"
            bar = ProgressBar(
                self._total, done, width=self._bar, complete_style=style, finished_style=style
            )
            grid.add_row("        ", Text(kind), bar, Text(f"{done} of {self._total}", style="dim"))
        status = Text("")
        if self._status:
            left = max(self._status_until - time.monotonic(), 0)
            status = Text(f"{'':10}{self._status.format(f'{left:.0f} s')}", style="yellow")
        return Group(Text(""), grid, Text(""), status)
