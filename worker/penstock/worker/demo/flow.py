"""The demo's workflow: read all text files of a folder in parallel, and report what they are about.

`examples/files.py` shows how to run it without the demo.
"""

from __future__ import annotations

__all__ = ["Described", "FileReport", "Report", "Survey", "survey"]

import json
import os
import time
from collections import Counter
from dataclasses import dataclass

from penstock.runtime.engine.context import get_runtime
from penstock.runtime.func.entrypoint import entrypoint
from penstock.runtime.func.task import task
from penstock.worker.demo.folder import Listing, read, text_files
from penstock.worker.demo.text import Index, apart, characteristic, phrases, references, words

FILES = 400
"""Files that are read at most."""

TERMS = 5
"""Characteristic terms of one file."""

TOP = 8
"""Rows of the tables about the whole folder."""


@dataclass(frozen=True)
class Survey:
    """The input of the workflow: a folder, and how many of its files to read at most."""

    folder: str
    limit: int = FILES
    pause: float = 0.0
    """Seconds that each step about a file waits, so that there is time to watch it."""


@dataclass(frozen=True)
class Counted:
    """A file's size, and how often its most frequent words and phrases occur."""

    path: str
    lines: int
    words: int
    terms: dict[str, int]


@dataclass(frozen=True)
class Described:
    """The terms of a file, and its references."""

    path: str
    lines: int
    words: int
    terms: tuple[tuple[str, float], ...]
    references: tuple[str, ...]


@dataclass(frozen=True)
class FileReport:
    """The report's data about one file."""

    path: str
    lines: int
    words: int
    terms: tuple[tuple[str, float], ...]
    links: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """The result of the run."""

    files: tuple[FileReport, ...]
    terms: tuple[tuple[str, float], ...]
    """The folder's most characteristic terms, with their weight."""
    linked: tuple[tuple[str, int], ...]
    """The most linked files, with the number of files that link to them."""
    largest: tuple[tuple[str, int], ...]
    """The largest files, with their words."""


@entrypoint()
def survey(order: Survey) -> Report:
    """Say what the files of a folder are about, and how they hang together."""
    listing = list_files(order.folder, order.limit).result()
    counting = [count(order.folder, path, order.pause) for path in listing.files]
    counted = [future.result() for future in counting]
    spread = Counter(term for each in counted for term in each.terms)
    describing = [
        describe(order, each, {term: spread[term] for term in each.terms}, len(counted))
        for each in counted
    ]
    described = tuple(future.result() for future in describing)
    return build(described).result()


@task
def list_files(folder: str, limit: int) -> Listing:
    """Find the text files."""
    trace()
    return text_files(folder, limit)


@task
def count(folder: str, path: str, pause: float) -> Counted:
    """Count what occurs in one file."""
    trace()
    time.sleep(pause)
    return counted_file(folder, path)


@task
def describe(order: Survey, counted: Counted, spread: dict[str, int], files: int) -> Described:
    """Find the terms that distinguish a file from the others, and its references."""
    trace()
    time.sleep(order.pause)
    return described_file(order.folder, counted, spread, files)


@task
def build(described: tuple[Described, ...]) -> Report:
    """Put together what was found."""
    trace()
    return report_on(described)


# What the tasks do, without Penstock, so that the demo can compute the same in a plain loop.


def counted_file(folder: str, path: str) -> Counted:
    """Count what occurs in one file."""
    text = read(folder, path)
    return Counted(path, len(text.splitlines()), len(words(text)), phrases(text))


def described_file(folder: str, counted: Counted, spread: dict[str, int], files: int) -> Described:
    """Find the terms that distinguish a file from the others, and its references."""
    return Described(
        counted.path,
        counted.lines,
        counted.words,
        tuple(characteristic(counted.terms, spread, files, TERMS)),
        tuple(references(read(folder, counted.path))),
    )


def report_on(described: tuple[Described, ...]) -> Report:
    """Put together what was found."""
    index = Index(each.path for each in described)
    files = tuple(
        FileReport(
            each.path,
            each.lines,
            each.words,
            each.terms,
            tuple(index.links(each.path, each.references)),
        )
        for each in described
    )
    weights: dict[str, float] = {}
    for each in described:
        for term, weight in each.terms:
            weights[term] = weights.get(term, 0.0) + weight
    return Report(
        files=files,
        terms=tuple(apart(weights, TOP)),
        linked=_top(Counter(link for each in files for link in each.links)),
        largest=_top(Counter({each.path: each.words for each in files})),
    )


def _top(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:TOP])


def trace() -> None:
    """Note that a step is executed, in the file that the run's context names, if it names one.

    So the demo can count executions without asking Penstock. A line is one write: all or nothing.
    """
    runtime = get_runtime()
    if not runtime.context:
        return
    info = runtime.execution_info
    line = json.dumps({"step": info.step_id, "attempt": info.attempt, "pid": os.getpid()})
    file = os.open(runtime.context["trace"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode() + b"\n")
    finally:
        os.close(file)
