"""Stream mode `checkpoints`, and its share of `debug`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from penstock.runtime import AsyncClient, Client, Command, RedisSaver, entrypoint, interrupt, task
from penstock.runtime.engine.recording import INPUT_KEPT
from tests.runtime.flows import thread
from tests.runtime.hands import Hands, number

Chunks = Callable[..., list[Any]]


@pytest.fixture(params=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "async")


@task
def double(x: int) -> int:
    return 2 * x


def adder(saver: RedisSaver, is_async: bool = False) -> Hands:
    @entrypoint(checkpointer=saver)
    def add(x: int, *, previous: int | None = None) -> Any:
        return double(x).result() + (previous or 0) + (interrupt("?") if x == 0 else 0)

    return Hands(add, is_async)


def place(number: int, thread_id: str = "t") -> dict[str, Any]:
    return {
        "configurable": {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": str(number)}
    }


def test_the_input_comes_first_and_the_result_last(saver: RedisSaver, is_async: bool) -> None:
    hands = adder(saver, is_async)
    hands.invoke(1)

    modes = ("checkpoints", "tasks", "updates", "values")
    chunks = hands.chunks(5, *modes, metadata={"user": "ann"})

    assert [mode for mode, _ in chunks] == [
        *("checkpoints", "tasks"),
        *("tasks", "updates", "tasks"),
        *("updates", "tasks", "values", "checkpoints"),
    ]
    assert chunks[0][1] == {
        "config": place(3),
        "metadata": {"user": "ann", "source": "input", "step": 1, "parents": {}},
        "values": 2,
        "next": ["add"],
        "parent_config": place(2),
        "tasks": [{"id": "", "name": "add", "interrupts": (), "state": None}],
    }
    assert chunks[-1][1] == {
        "config": place(4),
        "metadata": {"user": "ann", "source": "loop", "step": 2, "parents": {}},
        "values": 12,
        "next": [],
        "parent_config": place(3),
        "tasks": [],
    }


def test_chunks_say_what_the_state_says(saver: RedisSaver, is_async: bool) -> None:
    hands = adder(saver, is_async)

    chunks = [hands.chunks(at, "checkpoints", metadata={"at": at}) for at in (1, 2)]

    told = [chunk for part in chunks for _, chunk in part]
    for chunk, state in zip(told, reversed(hands.history()), strict=True):
        assert chunk["config"] == state.config
        assert chunk["metadata"] == state.metadata
        assert chunk["values"] == state.values
        assert chunk["next"] == list(state.next)
        assert chunk["parent_config"] == state.parent_config


def test_a_resume_shows_its_input_again_with_what_was_asked(
    saver: RedisSaver, is_async: bool
) -> None:
    hands = adder(saver, is_async)
    first = [chunk for _, chunk in hands.chunks(0, "checkpoints")]
    (asked,) = hands.state().interrupts

    second = [chunk for _, chunk in hands.chunks(Command(resume=7), "checkpoints")]

    assert len(first) == 1
    body = {"id": "", "name": "add", "state": None}
    expected = {"value": "?", "id": asked.id}
    assert second[0] == first[0] | {"tasks": [body | {"interrupts": (expected,)}]}
    assert second[1]["values"] == 7
    assert len(second) == 2


def test_a_failed_run_has_no_result_to_show(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int) -> None:
        raise ValueError("no")

    chunks: list[Any] = []
    with pytest.raises(ValueError, match="no"):
        for chunk in main.stream(1, thread("t"), stream_mode="checkpoints"):
            chunks.append(chunk)

    assert [chunk["metadata"]["source"] for chunk in chunks] == ["input"]


def test_debug_has_them_around_the_tasks_with_their_steps(
    saver: RedisSaver, is_async: bool
) -> None:
    hands = adder(saver, is_async)
    hands.invoke(1)

    chunks = hands.chunks(2, "debug", "checkpoints")

    told = [chunk for mode, chunk in chunks if mode == "debug"]
    assert [(one["type"], one["step"]) for one in told] == [
        ("checkpoint", 1),
        ("task", 2),
        ("task", 2),
        ("task_result", 2),
        ("task_result", 2),
        ("checkpoint", 2),
    ]
    plain = [chunk for mode, chunk in chunks if mode == "checkpoints"]
    assert [one["payload"] for one in told if one["type"] == "checkpoint"] == plain


def test_without_a_checkpointer_there_are_none(is_async: bool) -> None:
    @entrypoint()
    def main(x: int) -> int:
        return x

    hands = Hands(main, is_async)

    assert hands.chunks(1, "checkpoints") == []
    assert {chunk["type"] for _, chunk in hands.chunks(1, "debug")} == {"task", "task_result"}


def test_they_travel_over_redis_as_they_are_in_process(redis_saver: RedisSaver) -> None:
    hands = adder(redis_saver)
    hands.invoke(1)
    here = hands.chunks(5, "checkpoints", "debug", metadata={"user": "ann"})
    run_id = hands.state().run_id

    async def follow() -> list[Any]:
        url = redis_saver.connection.connection_pool.connection_kwargs
        async with AsyncClient(f"redis://{url['host']}:{url['port']}") as client:
            run = await client.get(run_id)
            return [
                (event.mode, event.data) async for event in run.stream(["checkpoints", "debug"])
            ]

    with Client(redis_saver.connection) as client:
        there = [tuple(event) for event in client.get(run_id).stream(["checkpoints", "debug"])]

    assert there == asyncio.run(follow())
    assert [chunk for mode, chunk in there if mode == "checkpoints"] == [
        chunk for mode, chunk in here if mode == "checkpoints"
    ]
    assert [(one["type"], one["step"]) for mode, one in there if mode == "debug"] == [
        (one["type"], one["step"]) for mode, one in here if mode == "debug"
    ]


def test_large_values_travel_once(redis_saver: RedisSaver) -> None:
    """The events of a run do not repeat what the thread had before; in process it costs nothing."""
    large = "x" * (INPUT_KEPT + 1)
    hands = adder(redis_saver)
    hands.update(entrypoint.final(value=large, save=1))

    here = hands.chunks(5, "checkpoints")
    with Client(redis_saver.connection) as client:
        there = list(client.get(hands.state().run_id).stream("checkpoints"))

    assert here[0][1]["values"] == large
    assert there[0].data["values"] is None
    assert number(hands.state()) == there[1].data["config"]["configurable"]["checkpoint_id"]


def test_an_update_that_completes_a_run_is_a_chunk_of_it(redis_saver: RedisSaver) -> None:
    hands = adder(redis_saver)
    hands.invoke(0)
    hands.update(9)

    with Client(redis_saver.connection) as client:
        run_id = hands.state().run_id
        last = list(client.get(run_id).stream("checkpoints"))[-1]

    assert last.data["metadata"] == {"source": "update", "step": 0, "parents": {}}
    assert last.data["values"] == 9
