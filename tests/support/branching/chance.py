"""Programs by chance, from a seed, where hypothesis is not there to choose."""

from __future__ import annotations

import random
from typing import Any, Final

from tests.support.branching.generate import AROUND_ONE, EACH_OF_THEM, ONE_OF_THEM, WAITING
from tests.support.branching.program import Tree

MS: Final = (0, 5, 20, 100, 300)
NAPS: Final = (1, 1, 2, 5)
KINDS: Final = (*EACH_OF_THEM, *ONE_OF_THEM, *AROUND_ONE, "seq")
ROOTS: Final = tuple(kind for kind in KINDS if kind not in AROUND_ONE)


def chosen(chance: random.Random, depth: int = 3) -> Tree:
    """Choose a program."""
    return _node(chance, ROOTS, depth - 1)


def _tree(chance: random.Random, depth: int) -> Tree:
    if depth == 0 or chance.random() < 0.4:
        return _leaf(chance)
    return _node(chance, KINDS, depth - 1)


def _leaf(chance: random.Random) -> Tree:
    kind = chance.choice((*WAITING, "remote"))
    options: dict[str, tuple[int, ...]] = {
        "step": MS,
        "thread": MS,
        "nap": NAPS,
        "limited": NAPS,
        "flaky": (1, 2, 3),
    }
    if kind in ("tidy", "stubborn"):
        return [kind, chance.choice(MS), chance.choice(MS)]
    return [kind, chance.choice(options[kind])] if kind in options else [kind]


def _node(chance: random.Random, kinds: tuple[str, ...], depth: int) -> Tree:
    kind = chance.choice(kinds)
    if kind in AROUND_ONE:
        count = 1
    else:
        count = 2 if kind == "leave" else chance.randint(2, 4)
    parts = [_tree(chance, depth) for _ in range(count)]
    options: dict[str, Any] = {
        "cut": 200,
        "race": chance.random() < 0.5,
        "pool": chance.randint(1, 3),
        "limited_by": chance.randint(1, 3),
        "votes": chance.randint(1, 2),
    }
    return [kind, options[kind], parts] if kind in options else [kind, parts]
