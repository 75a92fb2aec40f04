"""Analysis of a text for the demo: words, phrases, characteristic terms, references."""

from __future__ import annotations

__all__ = ["Index", "apart", "characteristic", "phrases", "references", "words"]

import math
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

LONGEST = 4
"""Words of a phrase at most."""

KEPT = 120
"""Phrases of one file that are candidates for its characteristic terms."""

_WORD = re.compile(r"[^\W\d_]\w*(?:['\u2019-][^\W\d_]\w*)*")
_CLAUSE = re.compile(r"[^\w\s'\u2019-]+|\n\s*\n")
_STOP = frozenset(
    "a about above after again all also an and any are as at be because been before being below "
    "between both but by can cannot could did do does doing don't down each else every few for "
    "from had has have having he her here his how i if in into is it its itself just let like "
    "made make makes many may me more most much must my no nor not now of off on once one only "
    "or other our out over own same she should so some such than that the their them then there "
    "these they this those through to too under until up upon us use used uses using very was "
    "way we were what when where whether which while who whom whose why will with within without "
    "would yes yet you your def self return import none true false elif try except finally raise "
    "class lambda pass str int bool float dict list tuple function const var void null".split()
)


def words(text: str) -> list[str]:
    """Return the words of a text in lower case; identifiers and hyphenated words stay whole."""
    return [word.lower() for word in _WORD.findall(text)]


def phrases(text: str, most: int = KEPT) -> dict[str, int]:
    """Count words, and phrases that occur again, inside of clauses; the most frequent ones."""
    counts: Counter[tuple[str, ...]] = Counter()
    for clause in _CLAUSE.split(text):
        found = words(clause)
        for length in range(1, min(LONGEST, len(found)) + 1):
            counts.update(zip(*(found[skip:] for skip in range(length)), strict=False))
    ranked = sorted(
        ((-count, " ".join(gram)) for gram, count in counts.items() if _is_term(gram, count))
    )
    return {term: -count for count, term in ranked[:most]}


def characteristic(
    counts: Mapping[str, int], spread: Mapping[str, int], files: int, most: int
) -> list[tuple[str, float]]:
    """Return the terms that distinguish a text from the others, by TF-IDF.

    `spread` has the number of `files` in which a term occurs. Of a phrase and its parts only the
    heaviest is returned.
    """
    weights = {
        term: (1 + math.log(count)) * math.log((1 + files) / spread[term])
        for term, count in counts.items()
    }
    return apart(weights, most)


def apart(weights: Mapping[str, float], most: int) -> list[tuple[str, float]]:
    """Return the heaviest terms, no two of which share a word."""
    chosen: list[tuple[str, float]] = []
    seen: set[str] = set()
    for term, weight in sorted(weights.items(), key=lambda item: (-item[1], item[0])):
        if len(chosen) == most:
            break
        parts = set(term.split()) - _STOP
        if not parts & seen:
            chosen.append((term, round(weight, 3)))
            seen |= parts
    return chosen


def _is_term(gram: tuple[str, ...], count: int) -> bool:
    if len(gram) == 1:
        return len(gram[0]) > 2 and gram[0] not in _STOP
    return count > 1 and _carries(gram[0]) and _carries(gram[-1])


def _carries(word: str) -> bool:
    return len(word) > 1 and word not in _STOP


_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|(?:href|src)=[\"']([^\"']+)")
_QUOTED = re.compile(r"[\"'`(]((?:[\w.-]+/)*[\w-]+\.[A-Za-z]\w{0,4})[\"'`)]")
_IMPORT = re.compile(r"^\s*(?:from\s+([.\w]+)\s+import\b|import\s+([\w.]+))", re.M)
_RELATIVE = re.compile(r"[\"'](\.{1,2}/[\w./-]+)[\"']")
_ENDINGS = ("", ".py", "/__init__.py", ".js", ".ts", ".tsx", "/index.js", ".md", "/README.md")


def references(text: str) -> list[str]:
    """Return what a text refers to: targets of links, imported modules, paths in quotes."""
    found = {name for pair in _LINK.findall(text) for name in pair if name}
    found |= set(_QUOTED.findall(text)) | set(_RELATIVE.findall(text))
    found |= {_module(dotted) for pair in _IMPORT.findall(text) for dotted in pair if dotted}
    local = {name.partition("#")[0].partition("?")[0] for name in found if ":" not in name}
    return sorted(name for name in local if name)


def _module(dotted: str) -> str:
    path = dotted.lstrip(".")
    level = len(dotted) - len(path)
    return "../" * (level - 1) + "./" * (level == 1) + path.replace(".", "/")


class Index:
    """Finds the file of a folder that a reference means."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self._by_ending: dict[str, str | None] = {}
        for path in sorted(self._paths):
            for ending in _endings(path):
                self._by_ending[ending] = None if ending in self._by_ending else path

    def links(self, path: str, targets: Sequence[str]) -> list[str]:
        """Return the other files that a file's references mean."""
        found = {self._find(path, target) for target in targets}
        return sorted(link for link in found if link is not None and link != path)

    def _find(self, path: str, target: str) -> str | None:
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        rooted = posixpath.normpath(target.lstrip("/"))
        is_precise = "/" in rooted or "." in rooted  # not just `import redis`
        for ending in _ENDINGS:
            for whole in (beside + ending, rooted + ending):
                if whole in self._paths:
                    return whole
            part = self._by_ending.get(rooted + ending)
            if part is not None and is_precise and not target.startswith("."):
                return part
        return None


def _endings(path: str) -> Iterator[str]:
    """Give the ends of a path that could stand for it, `a/b/c.py` -> `b/c.py`, `c.py`."""
    parts = path.split("/")
    for at in range(1, len(parts)):
        yield "/".join(parts[at:])
