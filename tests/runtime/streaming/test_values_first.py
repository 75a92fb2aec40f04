"""What `values` begins with where a run goes on, and where its code stands in the history."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.runtime import Command, InMemorySaver, RedisSaver, entrypoint, get_runtime, interrupt

CONFIG = {"configurable": {"thread_id": "t"}}


@pytest.fixture(params=["memory", "redis"])
def saver(request: pytest.FixtureRequest) -> RedisSaver:
    if request.param == "memory":
        return InMemorySaver()
    return RedisSaver(request.getfixturevalue("redis_url"))


def test_values_begin_with_what_the_thread_returned_not_with_what_it_saved(
    saver: RedisSaver,
) -> None:
    @entrypoint(checkpointer=saver)
    def flow(x: int, *, previous: Any = None) -> entrypoint.final[Any, Any]:
        answer = interrupt("well?") if x else "none asked"
        return entrypoint.final(value=["said", answer, previous], save={"kept": x})

    first = flow.invoke(0, CONFIG)
    flow.invoke(1, CONFIG)

    chunks = list(flow.stream(Command(resume="yes"), CONFIG, stream_mode="values"))

    assert first == ["said", "none asked", None]
    assert chunks == [first, ["said", "yes", {"kept": 0}]]


def test_a_run_knows_the_checkpoint_of_its_input(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def flow(_: int) -> str:
        return get_runtime().execution_info.checkpoint_id

    seen = [flow.invoke(number, CONFIG) for number in range(2)]
    history = [
        snapshot
        for snapshot in flow.get_state_history(CONFIG)
        if (snapshot.metadata or {})["source"] == "input"
    ]

    assert seen == [each.config["configurable"]["checkpoint_id"] for each in reversed(history)]


def test_a_run_without_a_history_has_no_checkpoint() -> None:
    @entrypoint()
    def flow(_: int) -> str:
        return get_runtime().execution_info.checkpoint_id

    assert flow.invoke(1) == ""
