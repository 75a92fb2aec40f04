"""Threads of a saver with a TTL: kept so long after their last write, all keys together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict, cast

import pytest
import redis
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from penstock.langgraph import PenstockSaver, host
from penstock.langgraph.redis.keys import GraphKeys, Space
from penstock.langgraph.redis.plans import threads
from penstock.publisher.errors import ConfigurationError
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker
from tests.langgraph.keys import ENCRYPTION_KEYS
from tests.support.until import until

Saver = Callable[..., PenstockSaver]
THREAD: Any = {"configurable": {"thread_id": "t"}}

LONG = set(range(100, 111))
"""The seconds that a thread is kept whose saver has a ttl of 100."""


class State(TypedDict, total=False):
    words: list[str]


def asking(saver: PenstockSaver | None) -> Any:
    """A graph with a subgraph that remembers, and with one that asks."""

    def say(state: State) -> Any:
        return {"words": [*state.get("words", []), "word"]}

    def ask(state: State) -> Any:
        return {"words": [*state.get("words", []), interrupt("?")]}

    memory = StateGraph(State).add_node("say", say).add_edge(START, "say").compile(True)
    question = StateGraph(State).add_node("ask", ask).add_edge(START, "ask").compile()
    whole = StateGraph(State).add_node("memory", memory).add_node("question", question)
    return whole.add_edge(START, "memory").add_edge("memory", "question").compile(saver)


def names(client: redis.Redis, thread: str = "*") -> list[bytes]:
    """The keys of a thread, or of all."""
    digest = thread if thread == "*" else Space(thread).thread
    return cast("list[bytes]", client.keys(f"penstock:graph:{digest}*"))


def ttls(client: redis.Redis, thread: str = "*") -> set[int]:
    """The seconds that they have left; -1 for ever."""
    return {client.ttl(name) for name in names(client, thread)}


@pytest.mark.parametrize("keys", ["", ENCRYPTION_KEYS], ids=["plain", "encrypted"])
def test_all_keys_of_a_thread_are_kept_from_its_last_write_on(
    make_saver: Saver, redis_client: redis.Redis, keys: str
) -> None:
    saver = make_saver(ttl=100, settings=Settings(encryption_keys=keys))
    graph = asking(saver)

    graph.invoke({"words": []}, THREAD)
    assert len(names(redis_client)) == 7, "a hash, three spaces"
    assert ttls(redis_client) <= LONG

    for name in names(redis_client):
        redis_client.expire(name, 10)
    graph.get_state(THREAD, subgraphs=True)
    assert ttls(redis_client) <= {9, 10}, "to read keeps nothing"
    graph.invoke(Command(resume="yes"), THREAD)
    assert ttls(redis_client) <= LONG

    saver.copy_thread("t", "copy")
    assert graph.get_state({"configurable": {"thread_id": "copy"}}).values["words"]
    assert ttls(redis_client) <= LONG


def test_a_thread_that_is_gone_begins_anew(make_saver: Saver, redis_client: redis.Redis) -> None:
    graph = asking(make_saver(ttl=0.05))
    graph.invoke({"words": ["one"] * 20}, THREAD)
    until(lambda: not names(redis_client))

    assert graph.get_state(THREAD).values == {}
    assert graph.invoke({"words": ["two"]}, THREAD)["words"] == ["two", "word"]


def test_without_a_ttl_threads_are_kept(make_saver: Saver, redis_client: redis.Redis) -> None:
    asking(make_saver()).invoke({"words": []}, THREAD)

    assert ttls(redis_client) == {-1}


def test_a_thread_that_workers_execute_is_kept_as_they_say(
    make_saver: Saver, redis_client: redis.Redis
) -> None:
    redis_client.hset(GraphKeys().thread(Space("t").thread), "hosted", "agent default")

    asking(make_saver(ttl=100)).invoke({"words": []}, THREAD)

    assert ttls(redis_client) == {-1}


def test_workers_that_execute_the_thread_of_a_saver_keep_it() -> None:
    graph = asking(None)
    with InMemoryWorker([host(graph, name="asking")]) as worker:
        with PenstockSaver(worker.connection, ttl=100) as saver:
            graph.copy({"checkpointer": saver}).invoke({"words": []}, THREAD)
        assert ttls(worker.connection) <= LONG

        handle = worker.client.enqueue("asking", {"words": []}, thread_id="t")
        worker.work()

        assert handle.status() == "suspended"
        assert ttls(worker.connection, "t") == {-1}
        handle.resume("yes")
        worker.work()
        assert handle.result(0)["words"][-1] == "yes"


def test_a_saver_without_a_ttl_keeps_what_one_with_a_ttl_has_made(
    make_saver: Saver, redis_client: redis.Redis
) -> None:
    asking(make_saver(ttl=100)).invoke({"words": []}, THREAD)
    make_saver().copy_thread("t", "copy")
    assert ttls(redis_client, "copy") == {-1}

    asking(make_saver()).invoke(Command(resume="yes"), THREAD)

    assert ttls(redis_client) == {-1}


def test_a_write_reaches_all_spaces_of_a_thread_once_in_a_tenth_of_its_time(
    make_saver: Saver, redis_client: redis.Redis
) -> None:
    graph = asking(make_saver(ttl=100))
    graph.invoke({"words": []}, THREAD)
    thread = GraphKeys().thread(Space("t").thread)
    redis_client.hset(thread, "space:far", '["far", ""]')
    redis_client.hset(f"{thread}:far", "p 1", "a record")

    graph.update_state(THREAD, {"words": ["more"]}, as_node="question")
    assert redis_client.ttl(f"{thread}:far") == -1, "it was not reached"

    redis_client.pexpire(thread, 99_999)
    graph.update_state(THREAD, {"words": ["more"]}, as_node="question")
    assert ttls(redis_client) <= LONG

    asking(make_saver(ttl=20)).invoke(Command(resume="yes"), THREAD)
    assert ttls(redis_client) <= {20, 21, 22}


@pytest.mark.parametrize("ttl", [0, -1, float("inf"), float("nan")])
def test_a_ttl_is_a_time(ttl: float) -> None:
    with pytest.raises(ConfigurationError, match="ttl is a number of seconds"):
        PenstockSaver(ttl=ttl)


def test_a_copy_of_sealed_keys_that_breaks_off_can_be_deleted(
    make_saver: Saver, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver = make_saver(ttl=100, settings=Settings(encryption_keys=ENCRYPTION_KEYS))
    asking(saver).invoke({"words": []}, THREAD)
    copied = cast(Any, threads)._copy_sealed

    def breaks_off(*given: Any) -> Any:
        yield from copied(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(threads, "_copy_sealed", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        saver.copy_thread("t", "copy")

    assert len(names(redis_client, "copy")) > 1
    assert ttls(redis_client, "copy") == {-1}, "else what is found by the first key outlives it"
    saver.delete_thread("copy")
    assert names(redis_client, "copy") == []
