"""What the demo prints of a conversation: lines with their time, and speech letter by letter."""

from __future__ import annotations

__all__ = ["Transcript"]

import time
from typing import Final

from rich.console import Console
from rich.text import Text

TIMED: Final = 10
"""Columns of the time in front of each line."""

SPEAKER: Final = 10
"""Columns of who speaks."""

WIDTH: Final = 80
"""Columns used at most."""

LONGEST: Final = 12
"""Letters that the next word may have: with fewer columns left, a space begins a new line."""


class Transcript:
    """Prints what happens, with the seconds since the conversation began."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = min(console.width, WIDTH)
        self._began = time.monotonic()
        self._column = 0
        """Where speech goes on; 0 where nobody speaks."""

    def print(self, text: str, style: str = "", detail: str = "") -> None:
        """Print a line, below what was being said."""
        self._begin()
        line = Text(text, style=style)
        line.append(f"  {detail}" if detail else "", style="not bold dim")
        self._console.print(line, soft_wrap=True)

    def quote(self, speaker: str, text: str) -> None:
        """Print what somebody says in one piece."""
        self.say(speaker, text)
        self.end()

    def say(self, speaker: str, text: str, style: str = "") -> None:
        """Print the next words of what somebody says."""
        if not self._column:
            self._begin()
            self._put(f"{speaker:{SPEAKER}}", "cyan")
            self._column = TIMED + SPEAKER
        for letter in text:
            if letter == " " and self._column > self._width - LONGEST:
                self._put(f"\n{'':{TIMED + SPEAKER}}")
                self._column = TIMED + SPEAKER
            else:
                self._put(letter, style)
                self._column += 1
        self._console.file.flush()

    def end(self) -> None:
        """End the line, if somebody speaks."""
        if self._column:
            self._column = 0
            self._put("\n")

    def _begin(self) -> None:
        self.end()
        self._put(f"{time.monotonic() - self._began:6.1f} s  ", "dim")

    def _put(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style), end="", soft_wrap=True)
