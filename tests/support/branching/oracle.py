"""What programs may come to, by plain reasoning over their trees."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, Final

from tests.support.branching.program import CAUGHT, SLEPT, TIMEOUT, Node
from tests.support.branching.steps import NOBODY, joined

FAILED: Final = "failed"

Values = list[Any]


def answer_to(question: str) -> str:
    """What somebody answers: a text that only this question can have got."""
    return f"<{question}>"


def is_right(root: Node, result: Any) -> bool:
    """Tell whether a program can have come to a result, FAILED for its own error."""
    if result == FAILED:
        return can_fail(root)
    return can_succeed(root) and _fits(root, result)


# -- failures -----------------------------------------------------------------------------------


def can_fail(node: Node) -> bool:
    """Tell whether a node may end with the error of a step in it."""
    match node.kind:
        case "fail":
            return True
        case "catch":
            return False
        case "leave":
            return can_fail(node.parts()[1])
        case _:
            return any(can_fail(part) for part in parts_of(node))


def can_succeed(node: Node) -> bool:
    """Tell whether a node may come to a value."""
    match node.kind:
        case "fail":
            return False
        case "catch" | "cut":
            return True
        case "leave":
            return can_succeed(node.parts()[1])
        case "race":
            return any(can_succeed(part) for part in node.parts())
        case "votes":
            return sum(map(can_succeed, node.parts())) >= int(node.tree[1])
        case _:
            return all(can_succeed(part) for part in parts_of(node))


def parts_of(node: Node) -> list[Node]:
    """The nodes below a node; none below a leaf."""
    return node.parts() if isinstance(node.tree[-1], list) else []


def nodes_of(node: Node) -> list[Node]:
    """A node and all below it."""
    return [node] + [each for part in parts_of(node) for each in nodes_of(part)]


# -- values -------------------------------------------------------------------------------------


def _fits(node: Node, value: Any) -> bool:
    fits = _FITS.get(node.kind)
    if fits is not None:
        return fits(node, value)
    return _each_fits(node.parts(), value)


def _each_fits(parts: list[Node], values: Values) -> bool:
    return len(parts) == len(values) and all(map(_fits, parts, values))


def _numbered(node: Node, values: Values, count: int) -> bool:
    """Tell whether these are pairs of a branch's number and its value, of so many branches."""
    parts, numbers = node.parts(), [int(pair[0]) for pair in values]
    return (
        len(values) == count
        and len(set(numbers)) == count
        and all(_fits(parts[int(pair[0])], pair[1]) for pair in values)
    )


def _fill(node: Node, value: Any) -> bool:
    order, found, told = value
    parts = node.parts()
    return (
        sorted(order) == sorted(found) == sorted(part.place for part in parts)
        and all(_fits(part, found[part.place]) for part in parts)
        and told == joined({place: found[place] for place in order})
    )


def _pool(node: Node, value: Any) -> bool:
    found, told = value
    numbers = [number for number, _ in found]
    return _numbered(node, found, len(node.parts())) and told == joined(numbers)


def _pipe(node: Node, value: Any) -> bool:
    return _each_fits(node.parts(), ast.literal_eval(str(value).removeprefix("list ")))


def _first(node: Node, value: Any) -> bool:
    return _fits(node.parts()[0], value)


def _is_place(node: Node, value: Any) -> bool:
    return bool(value == node.place)


def _is_answer(node: Node, value: Any) -> bool:
    return bool(value == answer_to(node.place))


_FITS: Final[dict[str, Callable[[Node, Any], bool]]] = {
    "step": _is_place,
    "tidy": _is_place,
    "stubborn": _is_place,
    "thread": _is_place,
    "flaky": _is_place,
    "remote": _is_place,
    "ask": _is_answer,
    "askstep": _is_answer,
    "limited": lambda node, value: value in (answer_to(node.place), NOBODY),
    "nap": lambda node, value: value == SLEPT,
    "in_a_step": _first,
    "in_an_entrypoint": _first,
    "remind": _first,
    "leave": lambda node, value: _fits(node.parts()[1], value),
    "catch": lambda node, value: (
        (value == CAUGHT and can_fail(node.parts()[0])) or _first(node, value)
    ),
    "cut": lambda node, value: value == TIMEOUT or _first(node, value),
    "race": lambda node, value: _numbered(node, [value], 1),
    "fill": _fill,
    "complete": lambda node, value: _numbered(node, value, len(node.parts())),
    "pool": _pool,
    "pipe": _pipe,
    "votes": lambda node, value: _numbered(node, value, node.tree[1]),
    "event": lambda node, value: _each_fits([*node.parts()[1:], node.parts()[0]], value),
}


# -- how far it must have come ------------------------------------------------------------------

PLAIN: Final = frozenset(
    "step tidy stubborn thread ask askstep limited nap flaky remote "
    "in_a_step in_an_entrypoint in_a_thread seq gather group pipe fill event".split()
)
"""Kinds of which is known what they wait for, given what has become known."""


def is_plain(root: Node) -> bool:
    """Tell whether each branch of a program goes on as far as it can, whatever the others do."""
    return all(node.kind in PLAIN for node in nodes_of(root))


def frontier(node: Node, known: set[str]) -> tuple[bool, set[str]]:
    """Return whether a plain node has come to its end, and the places where it must wait."""
    parts = parts_of(node)
    if node.place in known:
        return True, set()
    if not parts:
        return False, {node.place}
    if node.kind in ("seq", "in_a_thread"):
        return _one_by_one(parts, known)
    if node.kind == "event":
        over, waits_at = frontier(parts[0], known)
        return _beside(parts[1:], known) if over else (False, waits_at)
    return _beside(parts, known)


def _one_by_one(parts: list[Node], known: set[str]) -> tuple[bool, set[str]]:
    for part in parts:
        over, places = frontier(part, known)
        if not over:
            return False, places
    return True, set()


def _beside(parts: list[Node], known: set[str]) -> tuple[bool, set[str]]:
    found = [frontier(part, known) for part in parts]
    places = {place for _, each in found for place in each}
    return all(over for over, _ in found), places
