"""How a demo ends: with its promises, and whether they were kept."""

from __future__ import annotations

__all__ = ["conclude"]

from collections.abc import Sequence

from rich.console import Console

from penstock.worker.demo.promises import Promise
from penstock.worker.demo.screen import print_trimmed
from penstock.worker.demo.tables import promise_lines


def conclude(console: Console, promises: Sequence[Promise], figures: str = "") -> int:
    """Print the promises, and figures below them; returns the exit status: 1 if one was broken."""
    print_trimmed(console, promise_lines(promises, console.encoding))
    if figures:
        print_trimmed(console, figures)
    broken = [promise for promise in promises if not promise.kept]
    if broken:
        console.print(f"{len(broken)} promises were broken.", style="bold red")
    return 1 if broken else 0
