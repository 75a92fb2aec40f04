"""Lists that grow are stored by what is new in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict, cast

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import given
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph

from penstock.langgraph import PenstockSaver
from penstock.langgraph.redis.growing import MOST_LINKS, KnownLists, Link, ListBytes
from penstock.langgraph.redis.keys import Space
from penstock.langgraph.redis.record import Typed, head_of
from penstock.publisher.errors import CodecError
from tests.langgraph.graphs import Chat, of

THREAD: Any = {"configurable": {"thread_id": "t"}}
WORDS = "lorem ipsum dolor sit amet " * 22
"""600 bytes."""


class Sizes(PenstockSaver):
    """Adds up what values would take if each version were stored in full."""

    in_full = 0

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        for channel in new_versions.keys() & checkpoint["channel_values"].keys():
            value = checkpoint["channel_values"][channel]
            self.in_full += len(JsonPlusSerializer().dumps_typed(value)[1])
        return super().put(config, checkpoint, metadata, new_versions)


@pytest.fixture
def saver(redis_url: str) -> Iterator[Sizes]:
    with Sizes(redis_url) as each:
        yield each


def chat(saver: PenstockSaver) -> Any:
    def answer(state: Chat) -> Any:
        return {"messages": [AIMessage(WORDS, id=f"a{len(state['messages'])}")]}

    builder: Any = StateGraph(Chat)
    builder.add_node("answer", of(answer))
    builder.add_edge(START, "answer")
    return builder.compile(checkpointer=saver)


class Numbers(TypedDict):
    numbers: Any


def store(saver: PenstockSaver, value: Any) -> None:
    """Give the channel a value in a new version."""
    graph(saver).update_state(THREAD, {"numbers": value}, as_node="node")


def stored(saver: PenstockSaver) -> Any:
    return graph(saver).get_state(THREAD).values["numbers"]


def graph(saver: PenstockSaver) -> Any:
    builder: Any = StateGraph(Numbers)
    builder.add_node("node", of(lambda state: {}))
    builder.add_edge(START, "node")
    return builder.compile(checkpointer=saver)


def values_of(client: redis.Redis) -> dict[str, bytes]:
    """Return the records of values, by their fields, the first one first."""
    (space,) = cast("list[bytes]", client.keys("penstock:graph:*:????????????????"))
    stored = cast("dict[bytes, bytes]", client.hgetall(space)).items()
    return {key.decode(): record for key, record in sorted(stored) if key.startswith(b"v ")}


def links_of(client: redis.Redis, channel: str) -> list[int]:
    """Return how many links the chain of each version of a channel has, 0 if stored in full."""
    records = [each for key, each in values_of(client).items() if key.startswith(f"v {channel} ")]
    links = [Link.parse(head_of(record)) for record in records]
    return [link.depth if link else 0 for link in links]


def test_a_hundred_turns_take_a_twentieth(saver: Sizes, redis_client: redis.Redis) -> None:
    agent = chat(saver)
    for number in range(100):
        agent.invoke({"messages": [HumanMessage(WORDS, id=f"h{number}")]}, THREAD)

    in_parts = sum(map(len, values_of(redis_client).values()))
    with PenstockSaver(redis_client) as other:
        messages = chat(other).get_state(THREAD).values["messages"]
    assert len(messages) == 200
    assert [each.id for each in messages[:2]] == ["h0", "a1"]
    assert in_parts * 20 <= saver.in_full


def test_a_long_chain_gets_an_anchor(saver: Sizes, redis_client: redis.Redis) -> None:
    for number in range(MOST_LINKS + 6):
        store(saver, [f"number {each}" for each in range(number + 5)])

    links = links_of(redis_client, "numbers")
    assert links == [*range(MOST_LINKS + 1), *range(1, 6)]


@pytest.mark.parametrize("is_new", [False, True], ids=["one saver", "many savers"])
def test_a_very_long_chain_ends_in_a_version_stored_in_full(
    saver: Sizes,
    redis_url: str,
    redis_client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    is_new: bool,
) -> None:
    monkeypatch.setattr("penstock.langgraph.redis.growing.MOST_LINKS", 2)
    for number in range(12):
        with PenstockSaver(redis_url) as other:
            store(other if is_new else saver, [f"number {each}" for each in range(number + 5)])
            assert stored(other)[-1] == f"number {number + 4}"

    # Two links after each skip link, two of those after a version in full.
    assert links_of(redis_client, "numbers") == [0, 1, 2, 1, 2, 3, 2, 3, 4, 0, 1, 2]
    every = [each.values["numbers"] for each in graph(saver).get_state_history(THREAD)]
    assert [len(each) for each in every] == list(range(16, 4, -1))


def test_another_process_goes_on_with_the_chain(
    saver: Sizes, redis_url: str, redis_client: redis.Redis
) -> None:
    store(saver, [WORDS])

    with PenstockSaver(redis_url) as other:
        store(other, [WORDS, "b"])
    store(saver, [WORDS, "b", "c"])

    assert links_of(redis_client, "numbers") == [0, 1, 2]


@pytest.mark.parametrize(
    "second",
    [[WORDS], [WORDS, "c"], [], ["before", WORDS, "b"], [WORDS + "!", "b", "c"], "text", None],
    ids=["shorter", "changed", "empty", "in front", "first changed", "text", "none"],
)
def test_a_list_that_did_not_only_grow_is_stored_in_full(
    saver: Sizes, redis_client: redis.Redis, second: Any
) -> None:
    store(saver, [WORDS, "b"])

    store(saver, second)

    assert stored(saver) == second
    assert links_of(redis_client, "numbers") == [0, 0]


def test_a_point_stored_again_does_not_continue_itself(saver: Sizes) -> None:
    puts: list[Any] = []
    items, version = [WORDS], None
    for number in range(4):
        version = saver.get_next_version(version, None)
        point: Any = {"v": 4, "id": str(number), "ts": "", "versions_seen": {}}
        point |= {"channel_values": {"a": items}, "channel_versions": {"a": version}}
        config = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
        puts.append((config, point, {"source": "loop"}, {"a": version}))
        items = [*items, "more"][: 2 + number // 2]  # a version may have nothing new
    for each in (*puts, *puts[::-1], *puts):
        saver.put(*each)

    found = [each.checkpoint["channel_values"]["a"] for each in saver.list(THREAD)]

    assert found == [point["channel_values"]["a"] for _, point, *_ in reversed(puts)]
    assert found[1] == found[2]


def test_a_short_list_is_no_smaller_by_parts(saver: Sizes, redis_client: redis.Redis) -> None:
    for number in range(5):
        store(saver, list(range(number)))

    assert links_of(redis_client, "numbers") == [0] * 5
    assert stored(saver) == [0, 1, 2, 3]


def test_a_chain_with_a_changed_link_is_refused(saver: Sizes, redis_client: redis.Redis) -> None:
    store(saver, [WORDS])
    store(saver, [WORDS, "b"])
    (space,) = cast("list[bytes]", redis_client.keys("penstock:graph:*:????????????????"))
    first, second = values_of(redis_client)

    redis_client.hset(space, first, b"\nmsgpack\n\x91\xa1x")
    with pytest.raises(CodecError, match="'numbers' is damaged: a version that it continues"):
        stored(saver)

    link = values_of(redis_client)[second]
    redis_client.hset(space, first, link.replace(first[-25:].encode(), second[-25:].encode()))
    with pytest.raises(CodecError, match=r"'numbers' is damaged: 'v numbers .*' has a wrong depth"):
        stored(saver)

    redis_client.hdel(space, first)
    with pytest.raises(CodecError, match=r"'numbers' is damaged: 'v numbers .*' is not there"):
        stored(saver)


@given(st.lists(st.integers(-9, 2**40) | st.text(max_size=5), max_size=40), st.integers(0, 40))
def test_a_list_is_put_together_of_its_parts(items: list[Any], at: int) -> None:
    whole, start = (_bytes(each) for each in (items, items[:at]))
    assert whole is not None
    assert start is not None

    found = whole.after(start.known("0000000000000001.abcdef01", None, None))

    assert whole.typed().data == JsonPlusSerializer().dumps_typed(items)[1]
    if found is not None:
        link, begins = found
        assert whole.body[:begins] == start.body
        assert (link.base, link.depth, link.since) == ("0000000000000001.abcdef01", 1, 1)
        assert (link.count, link.size) == (len(items), len(whole.body))
        assert Link.parse(link.head) == link
    else:
        assert len(start.body) <= len("0000000000000001.abcdef01 1 1 40 1000")


@pytest.mark.parametrize("count", [0, 1, 15, 16, 65_535, 65_536])
def test_a_list_may_have_any_length(count: int) -> None:
    found = _bytes([7] * count)

    assert found is not None
    assert found == ListBytes(count, b"\7" * count)
    assert JsonPlusSerializer().loads_typed((found.typed().kind, found.typed().data)) == [7] * count


def test_what_is_no_list_has_no_parts() -> None:
    for value in (None, b"\x91\1", "text", {"a": 1}, 144, HumanMessage("a")):
        assert _bytes(value) is None


def test_the_lists_that_were_used_least_lately_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("penstock.langgraph.redis.growing.MOST_KNOWN", 2)
    lists, known = KnownLists(), ListBytes(1, b"\7").known("1", None, None)

    for channel in "abac":
        lists.set(Space("t"), channel, known)

    assert [bool(lists.get(Space("t"), channel, "2")) for channel in "abc"] == [True, False, True]
    assert lists.get(Space("other"), "a", "2") is None
    assert lists.get(Space("t"), "a", "1") is None, "no version continues itself"


def _bytes(value: Any) -> ListBytes | None:
    return ListBytes.of(Typed(*JsonPlusSerializer().dumps_typed(value)))
