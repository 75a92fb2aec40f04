"""Random programs: what they come to in plain Python, and as workflows, sync and async.

A program is a tree of JSON, so that it can be a run's input: ["const", 3], ["step", tree],
["flaky", times, 3], ["seq", [trees]], ["all", [trees]], ["fail"], ["catch", tree], ["ask", 3],
["child", tree], ["say", 3], ["nap"].
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Any, Final

from hypothesis import strategies as st

from penstock.runtime import (
    RetryPolicy,
    asleep,
    entrypoint,
    get_runtime,
    get_stream_writer,
    interrupt,
    sleep,
    task,
)

Tree = list[Any]

NAP: Final = 0.01
CAUGHT: Final = "caught"


class PlannedError(Exception):
    """What a program raises."""


# -- in plain Python ----------------------------------------------------------------------------


def oracle(tree: Tree) -> Any:
    """Return what a program comes to, or CAUGHT for an error that nothing catches."""
    try:
        return _value(tree)
    except PlannedError:
        return "failed"


def _value(tree: Tree) -> Any:
    match tree:
        case ["const" | "say", value] | ["flaky", _, value]:
            return value
        case ["nap"]:
            return None
        case ["ask", question]:
            return answer_to(question)
        case ["step" | "child", inner]:
            return _value(inner)
        case ["seq" | "all", trees]:
            return [_value(inner) for inner in trees]
        case ["catch", inner]:
            try:
                return _value(inner)
            except PlannedError:
                return CAUGHT
        case _:
            raise PlannedError


def answer_to(question: int) -> int:
    """What somebody answers."""
    return 1000 + question


# -- as workflows -------------------------------------------------------------------------------

executed: Counter[str] = Counter()
"""How often the body of each step was executed, by run and step; of this process."""


def _note() -> None:
    info = get_runtime().execution_info
    executed[f"{info.run_id} {info.step_id}"] += 1


@task
def step(tree: Tree) -> Any:
    _note()
    return run(tree)


@task
async def astep(tree: Tree) -> Any:
    _note()
    return await arun(tree)


@task(retry_policy=RetryPolicy(initial_interval=NAP, jitter=False, max_attempts=3))
def flaky(times: int, value: int) -> int:
    _note()
    if get_runtime().execution_info.step_attempt <= times:
        raise ConnectionError("not yet")
    return value


@entrypoint()
def program(tree: Tree) -> Any:
    return run(tree)


@entrypoint()
async def aprogram(tree: Tree) -> Any:
    return await arun(tree)


def run(tree: Tree) -> Any:
    """Run a program as sync code of a workflow."""
    match tree:
        case ["step", inner]:
            return step(inner).result()
        case ["flaky", times, value]:
            return flaky(times, value).result()
        case ["all", trees]:
            return [future.result() for future in [step(inner) for inner in trees]]
        case ["seq", trees]:
            return [run(inner) for inner in trees]
        case ["child", inner]:
            return program.invoke(inner)
        case ["nap"]:
            return sleep(NAP)
        case ["catch", inner]:
            with contextlib.suppress(PlannedError):
                return run(inner)
            return CAUGHT
        case _:
            return _leaf(tree)


async def arun(tree: Tree) -> Any:
    """Run a program as async code of a workflow."""
    match tree:
        case ["step", inner]:
            return await astep(inner)
        case ["flaky", times, value]:
            return await flaky(times, value)
        case ["all", trees]:
            return list(await asyncio.gather(*(arun(inner) for inner in trees)))
        case ["seq", trees]:
            return [await arun(inner) for inner in trees]
        case ["child", inner]:
            return await aprogram.ainvoke(inner)
        case ["nap"]:
            return await asleep(NAP)
        case ["catch", inner]:
            with contextlib.suppress(PlannedError):
                return await arun(inner)
            return CAUGHT
        case _:
            return _leaf(tree)


def _leaf(tree: Tree) -> Any:
    match tree:
        case ["ask", question]:
            return interrupt(question)
        case ["say", value]:
            get_stream_writer()(value)
            return value
        case ["const", value]:
            return value
        case _:
            raise PlannedError


# -- out of nothing -----------------------------------------------------------------------------

numbers = st.integers(0, 9)

leaves = st.one_of(
    numbers.map(lambda value: ["const", value]),
    numbers.map(lambda value: ["step", ["const", value]]),
    numbers.map(lambda value: ["ask", value]),
    numbers.map(lambda value: ["say", value]),
    st.tuples(st.integers(0, 2), numbers).map(lambda both: ["flaky", *both]),
    st.just(["nap"]),
    st.just(["catch", ["step", ["fail"]]]),
    numbers.map(lambda value: ["step", ["fail"]] if value == 7 else ["const", value]),
)


def _tree(depth: int) -> st.SearchStrategy[Tree]:
    if depth == 0:
        return leaves
    inner = st.deferred(lambda: _tree(depth - 1))
    several = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        leaves,
        inner.map(lambda tree: ["step", tree]),
        inner.map(lambda tree: ["child", tree]),
        several.map(lambda trees: ["seq", trees]),
        several.map(lambda trees: ["all", trees]),
        inner.map(lambda tree: ["catch", ["seq", [tree, ["fail"]]]]),
    )


def _rooted(kind: str, trees: list[Tree], fails: bool) -> Tree:
    return [kind, [*trees, ["step", ["fail"]]] if fails else trees]


programs: st.SearchStrategy[Tree] = st.builds(
    _rooted,
    st.sampled_from(["seq", "all"]),
    st.lists(_tree(3), min_size=2, max_size=4),
    st.sampled_from([False, False, False, True]),
)
