"""Random sequences of what a checkpointer can be asked for, held against LangGraph's in memory."""

from __future__ import annotations

import copy
from typing import Any, cast

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.memory import InMemorySaver

from penstock.langgraph import PenstockSaver
from penstock.runtime.settings import Settings
from tests.langgraph.keys import ENCRYPTION_KEYS

THREADS = ("a", "b")
NAMESPACES = ("", "child:1|inner")
CHANNELS = ("messages", "a channel", "x")
TASKS = ("task 1", "task-2", "00000000-0000-0000-0000-000000000000")
PATHS = ("", "~__pregel_pull, node", "~__pregel_push, 0000000001")


def message(text: str) -> HumanMessage:
    return HumanMessage(text, id="m")


items = st.one_of(
    st.integers(-5, 5),
    st.text("ab", min_size=20, max_size=60),
    st.none(),
    st.text("ab", max_size=40).map(message),
)
values = st.one_of(items, st.binary(max_size=4), st.frozensets(st.integers(0, 3), max_size=2))
changes = st.one_of(
    st.tuples(st.just("grow"), st.lists(items, min_size=1, max_size=20)),
    st.tuples(st.just("grow"), st.lists(items, min_size=1, max_size=3)),
    st.tuples(st.just("shrink"), st.integers(0, 20)),
    st.tuples(st.just("set"), values),
    st.tuples(st.just("empty"), st.none()),
)


class Savers(RuleBasedStateMachine):
    """Does the same with both savers."""

    def __init__(self, url: str, keys: str) -> None:
        super().__init__()
        with redis.Redis.from_url(url) as client:
            client.flushall()
        self.ours = PenstockSaver(url, settings=Settings(encryption_keys=keys))
        self.theirs = InMemorySaver()
        self.stored: dict[tuple[str, str], list[str]] = {}
        self.puts: dict[str, Any] = {}

    def teardown(self) -> None:
        self.ours.close()

    @rule(
        place=st.tuples(st.sampled_from(THREADS), st.sampled_from(NAMESPACES)),
        parent=st.integers(0, 3),
        changed=st.dictionaries(st.sampled_from(CHANNELS), changes, max_size=3),
        step=st.integers(0, 2),
    )
    def put(self, place: tuple[str, str], parent: int, changed: dict[str, Any], step: int) -> None:
        known = self.stored.setdefault(place, [])
        config = config_of(place, known[-1 - parent % len(known)] if known and parent < 3 else "")
        before = (
            self.theirs.get_tuple(config) if "checkpoint_id" in config["configurable"] else None
        )
        versions = dict(before.checkpoint["channel_versions"]) if before else {}
        held = dict(before.checkpoint["channel_values"]) if before else {}
        new: dict[str, Any] = {}
        for channel, change in changed.items():
            apply(held, channel, change)
            new[channel] = self.ours.get_next_version(cast(Any, versions.get(channel)), None)
        point: dict[str, Any] = {"v": 4, "id": str(uuid6(clock_seq=-1)), "ts": "now"}
        point |= {"channel_values": held, "channel_versions": versions | new, "versions_seen": {}}
        metadata = cast(CheckpointMetadata, {"source": "loop", "step": step, "parents": {}})

        for saver in (self.ours, self.theirs):
            saver.put(config, cast(Checkpoint, copy.deepcopy(point)), metadata, new)

        known.append(point["id"])
        self.puts[point["id"]] = config, point, metadata, new

    @precondition(lambda self: self.stored)
    @rule(pick=st.tuples(st.integers(0, 9), st.integers(0, 9)))
    def put_again(self, pick: tuple[int, int]) -> None:
        _, known = self.pick(pick[0])
        config, point, metadata, new = self.puts[known[-1 - pick[1] % len(known)]]

        for saver in (self.ours, self.theirs):
            saver.put(config, copy.deepcopy(point), metadata, new)

    @precondition(lambda self: self.stored)
    @rule(
        pick=st.tuples(st.integers(0, 9), st.integers(0, 9)),
        writes=st.lists(
            st.tuples(
                st.sampled_from(["x", "messages", "__error__", "__interrupt__", "__resume__"]),
                values,
            ),
            max_size=3,
        ),
        task=st.sampled_from(TASKS),
        path=st.sampled_from(PATHS),
    )
    def put_writes(self, pick: tuple[int, int], writes: list[Any], task: str, path: str) -> None:
        place, known = self.pick(pick[0])
        config = config_of(place, known[pick[1] % len(known)])

        for saver in (self.ours, self.theirs):
            saver.put_writes(config, writes, task, path)

    @precondition(lambda self: self.stored)
    @rule(pick=st.tuples(st.integers(0, 9), st.integers(0, 9)), by_id=st.booleans())
    def get(self, pick: tuple[int, int], by_id: bool) -> None:
        place, known = self.pick(pick[0])
        config = config_of(place, known[pick[1] % len(known)] if by_id else "")

        assert seen(self.ours.get_tuple(config)) == seen(self.theirs.get_tuple(config))

    @precondition(lambda self: self.stored)
    @rule(
        pick=st.tuples(st.integers(0, 9), st.integers(0, 9)),
        step=st.none() | st.integers(0, 2),
        limit=st.none() | st.integers(0, 4),
        is_cut=st.booleans(),
    )
    def list_some(
        self, pick: tuple[int, int], step: int | None, limit: int | None, is_cut: bool
    ) -> None:
        place, known = self.pick(pick[0])
        options: dict[str, Any] = {"limit": limit}
        if step is not None:
            options["filter"] = {"step": step, "source": "loop"}
        if is_cut:
            options["before"] = config_of(place, known[pick[1] % len(known)])

        ours, theirs = (
            [seen(each) for each in saver.list(config_of(place), **options)]
            for saver in (self.ours, self.theirs)
        )

        assert ours == theirs

    @rule()
    def list_all(self) -> None:
        ours, theirs = (
            [seen(each) for each in saver.list(None)] for saver in (self.ours, self.theirs)
        )

        assert sorted(ours, key=place_of) == sorted(theirs, key=place_of)

    @precondition(lambda self: self.stored)
    @rule(pick=st.tuples(st.integers(0, 9), st.integers(0, 9)))
    def look_back(self, pick: tuple[int, int]) -> None:
        place, known = self.pick(pick[0])
        options: Any = {"config": config_of(place, known[pick[1] % len(known)])}
        options["channels"] = CHANNELS

        assert self.ours.get_delta_channel_history(
            **options
        ) == self.theirs.get_delta_channel_history(**options)

    @rule(thread=st.sampled_from(THREADS))
    def delete(self, thread: str) -> None:
        for saver in (self.ours, self.theirs):
            saver.delete_thread(thread)

        self.stored = {place: ids for place, ids in self.stored.items() if place[0] != thread}

    @precondition(lambda self: ("a", "") in self.stored)
    @rule()
    def copy(self) -> None:
        self.ours.delete_thread("b")
        self.ours.copy_thread("a", "b")

        for saver in (self.ours, self.theirs):
            found = [seen(each) for each in saver.list({"configurable": {"thread_id": "a"}})]
            copied = [seen(each) for each in self.ours.list({"configurable": {"thread_id": "b"}})]
            assert sorted(copied, key=place_of) == sorted(found, key=place_of)
        self.theirs.delete_thread("b")
        self.ours.delete_thread("b")
        self.stored = {place: ids for place, ids in self.stored.items() if place[0] != "b"}

    def pick(self, number: int) -> tuple[tuple[str, str], list[str]]:
        places = list(self.stored)
        place = places[number % len(places)]
        return place, self.stored[place]


def apply(held: dict[str, Any], channel: str, change: tuple[str, Any]) -> None:
    kind, argument = change
    before = held.get(channel)
    if kind == "empty":
        held.pop(channel, None)
    elif kind == "set":
        held[channel] = argument
    elif kind == "grow":
        held[channel] = [*(before if isinstance(before, list) else ()), *argument]
    else:
        held[channel] = before[:argument] if isinstance(before, list) else before


def config_of(place: tuple[str, str], point_id: str = "") -> Any:
    configurable = {"thread_id": place[0], "checkpoint_ns": place[1]}
    return {"configurable": configurable | ({"checkpoint_id": point_id} if point_id else {})}


def seen(found: CheckpointTuple | None) -> Any:
    """Return what a tuple holds but for the thread, and for what LangGraph adds to its config."""
    if found is None:
        return None
    at = found.config.get("configurable", {})
    parent = (found.parent_config or {}).get("configurable", {})
    return (
        *(at["checkpoint_ns"], at["checkpoint_id"], parent.get("checkpoint_id")),
        *(found.checkpoint, found.metadata, found.pending_writes),
    )


def place_of(seen: Any) -> tuple[str, str]:
    namespace, point_id, *_ = seen
    return namespace, point_id


def machine(url: str, keys: str) -> type[Savers]:
    """Return the machine of a server; it is made anew for each sequence."""

    class Here(Savers):
        def __init__(self) -> None:
            super().__init__(url, keys)

    return Here


def test_random_sequences_give_what_they_give_in_memory(redis_url: str) -> None:
    run_state_machine_as_test(
        machine(redis_url, ""), settings=settings(max_examples=150, stateful_step_count=30)
    )


def test_random_sequences_give_the_same_when_encrypted(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.langgraph.redis.growing.MOST_LINKS", 1)
    run_state_machine_as_test(
        machine(redis_url, ENCRYPTION_KEYS),
        settings=settings(max_examples=20, stateful_step_count=30),
    )
