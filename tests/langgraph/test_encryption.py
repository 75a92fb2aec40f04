"""With keys, what Redis holds tells nothing, and opens at its place only."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, cast

import pytest
import redis
from langchain_core.messages import HumanMessage

from penstock.langgraph import PenstockCache, PenstockSaver, PenstockStore
from penstock.langgraph.redis.record import head_of
from penstock.publisher.errors import EncryptionError
from penstock.runtime.settings import Settings
from tests.langgraph.graphs import agent, asking
from tests.langgraph.keys import ENCRYPTION_KEYS

THREAD: Any = {"configurable": {"thread_id": "t"}, "metadata": {"team": "plaintext team"}}
SEALED = Settings(encryption_keys=ENCRYPTION_KEYS)
OTHER = f"other:{base64.b64encode(b'o' * 32).decode()}"


@pytest.fixture
def savers(redis_url: str) -> Iterator[Any]:
    with ExitStack() as stack:
        yield lambda keys=ENCRYPTION_KEYS: stack.enter_context(
            PenstockSaver(redis_url, settings=Settings(encryption_keys=keys))
        )


def talk(saver: PenstockSaver, thread: Any = THREAD) -> Any:
    graph = agent(saver)
    for text in ("plaintext one", "plaintext two"):
        graph.invoke({"messages": [HumanMessage(text)]}, thread)
        asking(saver).invoke({"log": [text]}, {"configurable": {"thread_id": text[-3:]}})
    return graph


def dump(client: redis.Redis) -> dict[bytes, Any]:
    keys = cast("list[bytes]", client.keys("penstock:*"))
    return {
        key: client.hgetall(key) if client.type(key) == b"hash" else client.type(key)
        for key in keys
    }


def test_redis_holds_no_plaintext(savers: Any, redis_client: redis.Redis) -> None:
    talk(savers())

    held = repr(dump(redis_client))

    assert "plaintext" not in held
    assert "PLAINTEXT" not in held
    assert "messages" in held, "names of channels are readable"
    redis_client.flushall()
    talk(savers(""))
    assert "plaintext" in repr(dump(redis_client))


@pytest.mark.parametrize("kind", ["p", "v", "w"])
def test_a_record_moved_to_another_field_is_refused(
    savers: Any, redis_client: redis.Redis, kind: str
) -> None:
    saver = savers()
    talk(saver)
    space, fields = space_of(redis_client, "messages")
    here, there, *_ = [field for field in fields if field.startswith(f"{kind} ".encode())]

    redis_client.hset(space, there, fields[here])

    with pytest.raises(EncryptionError, match="changed or moved the record"):
        list(saver.list(THREAD))


def test_a_record_moved_to_another_thread_is_refused(
    savers: Any, redis_client: redis.Redis
) -> None:
    saver = savers()
    talk(saver)
    space, fields = space_of(redis_client, "messages")
    saver.copy_thread("t", "copy")
    copied = next(
        key
        for key in cast("list[bytes]", redis_client.keys("penstock:graph:*:????????????????"))
        if key != space and b"messages" in repr(redis_client.hkeys(key)).encode()
    )
    assert saver.get_tuple({"configurable": {"thread_id": "copy"}}) is not None

    redis_client.hset(copied, mapping=cast(Any, fields))

    with pytest.raises(EncryptionError, match="thread 'copy'"):
        saver.get_tuple({"configurable": {"thread_id": "copy"}})


def test_a_head_that_was_changed_is_refused(savers: Any, redis_client: redis.Redis) -> None:
    saver = savers()
    talk(saver)
    space, fields = space_of(redis_client, "messages")
    for field, record in fields.items():
        if field.startswith(b"p "):
            redis_client.hset(space, field, record.replace(b'"run":""', b'"run":"1"'))

    with pytest.raises(EncryptionError, match="changed or moved the record"):
        saver.get_tuple(THREAD)


def test_a_list_is_sealed_by_its_new_items(savers: Any, redis_client: redis.Redis) -> None:
    talk(savers())

    _, fields = space_of(redis_client, "messages")

    heads = [head_of(fields[field]) for field in sorted(fields) if field.startswith(b"v messages")]
    assert [bool(head) for head in heads] == [False, *[True] * (len(heads) - 1)]
    assert len(agent(savers()).get_state(THREAD).values["messages"]) == 10


def test_keys_are_rotated_and_missed(savers: Any) -> None:
    talk(savers())
    both = savers(f"{OTHER},{ENCRYPTION_KEYS}")

    agent(both).invoke({"messages": [HumanMessage("more")]}, THREAD)

    assert len(agent(both).get_state(THREAD).values["messages"]) == 15
    with pytest.raises(EncryptionError, match=r"under key 'other'.*add that key"):
        savers().get_tuple(THREAD)
    with pytest.raises(EncryptionError, match="there are no keys here: set PENSTOCK_ENCRYPTION"):
        savers("").get_tuple(THREAD)


def test_what_is_not_encrypted_is_refused_where_there_are_keys(savers: Any) -> None:
    talk(savers(""))

    with pytest.raises(EncryptionError, match="is not encrypted, and keys are set here"):
        savers().get_tuple(THREAD)


def test_store_and_cache_are_encrypted_too(redis_url: str, redis_client: redis.Redis) -> None:
    cache = PenstockCache(redis_url, settings=SEALED)
    cache.set({(("ns",), "key"): ("plaintext", None), (("ns",), "other"): ("plaintext 2", 60)})
    with PenstockStore(redis_url, settings=SEALED) as store:
        store.put(("users",), "key", {"text": "plaintext"})

        held = repr([redis_client.dump(key) for key in cast("list[bytes]", redis_client.keys())])
        assert "plaintext" not in held
        found = store.get(("users",), "key")
        assert found is not None
        assert found.value == {"text": "plaintext"}
    assert cache.get([(("ns",), "key"), (("ns",), "other")]) == {
        (("ns",), "key"): "plaintext",
        (("ns",), "other"): "plaintext 2",
    }


def space_of(client: redis.Redis, channel: str) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the key and the fields of the space that has values of a channel."""
    for key in cast("list[bytes]", client.keys("penstock:graph:*:????????????????")):
        fields = cast("dict[bytes, bytes]", client.hgetall(key))
        if any(field.startswith(f"v {channel} ".encode()) for field in fields):
            return key, fields
    raise AssertionError(f"no space has {channel}")
