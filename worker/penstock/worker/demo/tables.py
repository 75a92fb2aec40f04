"""The report and the promises, as a person reads them."""

from __future__ import annotations

__all__ = ["plural", "promise_lines", "report_table"]

from collections.abc import Sequence
from itertools import zip_longest

from rich.console import Group
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from penstock.worker.demo.flow import Report
from penstock.worker.demo.promises import Promise


def report_table(report: Report, width: int) -> Group:
    """Show what the folder is about: its terms, its most linked and its largest files."""
    column = (width - 29) // 3
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title, unit in (("top terms", "weight"), ("most linked", "from"), ("largest", "words")):
        grid.add_column(title, no_wrap=True, width=column)
        grid.add_column(Text(unit, style="dim not bold"), justify="right", no_wrap=True)
    terms = [(term, f"{weight:.0f}") for term, weight in report.terms]
    linked = [(path, str(count)) for path, count in report.linked]
    largest = [(path, f"{count:,}") for path, count in report.largest]
    for row in zip_longest(terms, linked, largest, fillvalue=("", "")):
        cells = [
            Text(cell, style=style)
            for name, number in row
            for cell, style in ((shorten(name, column), "cyan"), (number, ""))
        ]
        grid.add_row(*cells)
    return Group(Rule(Text(_summary(report)), style="dim"), grid)


def promise_lines(promises: Sequence[Promise], encoding: str) -> Text:
    """Show what was promised, and whether it was kept."""
    kept, broken = ("✓", "✗") if encoding.startswith("utf") else ("kept  ", "BROKEN")
    width = max(len(promise.text) for promise in promises)
    lines = Text()
    for promise in promises:
        mark, style = (kept, "green") if promise.kept else (broken, "bold red")
        lines.append(mark, style=style)
        lines.append(f" {promise.text:{width}}  ")
        lines.append(f"{promise.detail}\n", style="dim")
    lines.rstrip()
    return lines


def plural(count: int, noun: str) -> str:
    """Write a number with its noun."""
    return f"{count:,} {noun}" + "s" * (count != 1)


def shorten(text: str, width: int) -> str:
    """Cut a path or term from the left, where a folder ends if possible; nothing unprintable."""
    text = "".join(char if char.isprintable() else "?" for char in text)
    if len(text) <= width:
        return text
    tail = text[-(width - 1) :]
    _, slash, rest = tail.partition("/")
    return f"…/{rest}" if slash and len(rest) > 2 else f"…{tail}"


def _summary(report: Report) -> str:
    counts = {
        "file": len(report.files),
        "line": sum(file.lines for file in report.files),
        "word": sum(file.words for file in report.files),
        "link": sum(len(file.links) for file in report.files),
    }
    return ", ".join(plural(count, noun) for noun, count in counts.items())
