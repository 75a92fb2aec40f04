"""Real graphs see with our saver what they see with LangGraph's in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from penstock.langgraph import PenstockSaver
from tests.langgraph.graphs import PLAYS, Player


@pytest.fixture(params=["sync", "async"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner | None]:
    with ExitStack() as stack:
        yield stack.enter_context(asyncio.Runner()) if request.param == "async" else None


@pytest.mark.parametrize("durability", ["async", "sync", "exit"])
@pytest.mark.parametrize("name", PLAYS)
def test_a_graph_sees_what_it_sees_in_memory(
    redis_url: str, name: str, runner: asyncio.Runner | None, durability: str
) -> None:
    expected = seen(name, InMemorySaver(), runner, durability)
    saver = PenstockSaver(redis_url)

    found = seen(name, saver, runner, durability)

    close(saver, runner)
    assert found == expected
    assert len(found) > 2


def seen(name: str, saver: Any, runner: asyncio.Runner | None, durability: str) -> list[Any]:
    build, play = PLAYS[name]
    player = Player(build(saver), runner, durability)
    play(player)
    return player.seen


def close(saver: PenstockSaver, runner: asyncio.Runner | None) -> None:
    if runner is None:
        saver.close()
    else:
        runner.run(saver.aclose())
