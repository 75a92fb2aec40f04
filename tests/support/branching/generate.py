"""Programs out of nothing."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from tests.support.branching.program import Tree

MS: Final = st.sampled_from([0, 1, 5, 20, 50])
NAPS: Final = st.sampled_from([1, 1, 2, 3, 10])
CUT: Final = st.sampled_from([10, 100])
FEW: Final = st.integers(1, 3)

LEAVES: Final[dict[str, st.SearchStrategy[Tree]]] = {
    "step": MS.map(lambda ms: ["step", ms]),
    "tidy": st.tuples(MS, MS).map(lambda both: ["tidy", *both]),
    "stubborn": st.tuples(MS, MS).map(lambda both: ["stubborn", *both]),
    "thread": MS.map(lambda ms: ["thread", ms]),
    "askstep": st.just(["askstep"]),
    "limited": NAPS.map(lambda naps: ["limited", naps]),
    "nap": NAPS.map(lambda naps: ["nap", naps]),
    "flaky": FEW.map(lambda times: ["flaky", times]),
    "remote": st.just(["remote"]),
    "ask": st.just(["ask"]),
}

WAITING: Final = (
    *("step", "step", "askstep", "askstep", "nap", "flaky", "thread", "limited"),
    *("tidy", "stubborn"),
)
"""What a branch does, with the questions asked by steps."""

FAILING: Final = MS.map(lambda ms: ["catch", [["gather", [["fail", ms], ["step", 20]]]]])

ONE_OF_THEM: Final = ("race", "votes", "leave")
EACH_OF_THEM: Final = (
    "gather",
    "gather",
    "group",
    "fill",
    "complete",
    "pool",
    "limited_by",
    "event",
    "pipe",
)
AROUND_ONE: Final = ("in_a_step", "in_an_entrypoint", "remind", "cut", "catch")


def programs(
    leaves: tuple[str, ...] = WAITING,
    nodes: tuple[str, ...] = (*EACH_OF_THEM, *ONE_OF_THEM, *AROUND_ONE, "seq", "seq"),
    *,
    fails: bool = True,
    depth: int = 3,
) -> st.SearchStrategy[Tree]:
    """Random programs of these kinds of leaves and nodes."""
    leaf: st.SearchStrategy[Tree] = st.sampled_from(leaves).flatmap(lambda kind: LEAVES[kind])
    if fails:
        leaf = st.one_of(leaf, leaf, leaf, leaf, leaf, FAILING)
    found = leaf
    for _ in range(depth - 1):
        found = st.one_of(leaf, _node(found, nodes))
    roots = tuple(kind for kind in nodes if kind not in AROUND_ONE)
    return _node(found, roots)


def _node(part: st.SearchStrategy[Tree], kinds: tuple[str, ...]) -> st.SearchStrategy[Tree]:
    parts = st.lists(part, min_size=2, max_size=4)
    return st.sampled_from(kinds).flatmap(lambda kind: _of_kind(kind, part, parts))


def _of_kind(
    kind: str, part: st.SearchStrategy[Tree], parts: st.SearchStrategy[list[Tree]]
) -> st.SearchStrategy[Tree]:
    match kind:
        case "in_a_step" | "in_an_entrypoint" | "remind" | "catch":
            return part.map(lambda tree: [kind, [tree]])
        case "cut":
            return st.tuples(CUT, part).map(lambda both: [kind, both[0], [both[1]]])
        case "race":
            return st.tuples(st.booleans(), parts).map(lambda both: [kind, *both])
        case "pool" | "limited_by":
            return st.tuples(FEW, parts).map(lambda both: [kind, *both])
        case "votes":
            return st.tuples(st.integers(1, 2), parts).map(lambda both: [kind, *both])
        case "leave":
            return st.tuples(part, part).map(lambda both: [kind, list(both)])
        case _:
            return parts.map(lambda trees: [kind, trees])


ACTS: Final = ("work", "answer", "answer", "answers", "wait", "crash", "eager")

scripts: st.SearchStrategy[list[tuple[Any, int]]] = st.lists(
    st.tuples(st.sampled_from(ACTS), st.integers(0, 3)), max_size=10
)
"""What is done to a run: who answers what when, how much time passes, when its process dies."""
