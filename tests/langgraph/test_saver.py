from __future__ import annotations

import asyncio
import itertools
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
import redis
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import Checkpoint, CheckpointTuple
from langgraph.checkpoint.base.id import uuid6
from redis import asyncio as aredis

from penstock.langgraph import PenstockSaver
from penstock.langgraph.redis.calls import SCRIPTS, GraphCalls, NewValue
from penstock.langgraph.redis.keys import GraphKeys, Space
from penstock.publisher.errors import ConfigurationError, RedisUnavailableError
from penstock.publisher.redis.script import Call, load_all, run
from penstock.runtime.settings import Settings
from tests.langgraph.graphs import agent, deltas
from tests.langgraph.keys import ENCRYPTION_KEYS
from tests.support.proxy import Proxy
from tests.support.server import RedisServer

Saver = Callable[..., PenstockSaver]

COUNTERS = itertools.count(1)
"""Those of the versions that `put` makes."""


@pytest.fixture
def saver(make_saver: Saver) -> PenstockSaver:
    return make_saver()


def config(point_id: str = "", *, thread: str = "t", namespace: str = "") -> Any:
    configurable = {"thread_id": thread, "checkpoint_ns": namespace}
    return {"configurable": configurable | ({"checkpoint_id": point_id} if point_id else {})}


def checkpoint(values: dict[str, Any], versions: dict[str, Any], point_id: str = "") -> Checkpoint:
    point: dict[str, Any] = {"v": 4, "id": point_id or str(uuid6()), "ts": "", "versions_seen": {}}
    return cast(Checkpoint, point | {"channel_values": values, "channel_versions": versions})


def put(saver: PenstockSaver, values: dict[str, Any], given: Any = None, **options: Any) -> Any:
    """Store a point with new versions of all values."""
    version = saver.get_next_version(cast(Any, next(COUNTERS)), None)
    versions: Any = dict.fromkeys(values, version)
    point = checkpoint(values, versions, **options)
    return saver.put(given or config(), point, {"source": "loop", "step": 1}, versions)


def read(saver: PenstockSaver, given: Any = None) -> CheckpointTuple:
    found = saver.get_tuple(given or config())
    assert found is not None
    return found


# -- versions -----------------------------------------------------------------------------------


def test_a_version_is_above_the_one_before_and_nobody_elses() -> None:
    saver = PenstockSaver()
    versions = [saver.get_next_version(None, None)]
    for _ in range(12):
        versions.append(saver.get_next_version(versions[-1], None))

    assert all(re.fullmatch(r"\d{16}\.[0-9a-f]{8}", version) for version in versions)
    assert versions == sorted(versions)
    assert saver.get_next_version(cast(Any, 7), None).startswith("0000000000000008.")
    assert len({saver.get_next_version(versions[0], None) for _ in range(20)}) == 20


def test_two_branches_do_not_overwrite_each_others_values(make_saver: Saver) -> None:
    left, right = make_saver(), make_saver()
    base = agent(left)
    thread = {"configurable": {"thread_id": "t"}}
    base.invoke({"messages": [HumanMessage("begin", id="h")]}, thread)
    fork = read(left).config
    together = threading.Barrier(2)

    def work(saver: PenstockSaver, name: str) -> None:
        graph, at = agent(saver), fork
        for number in range(5):
            together.wait()
            at = graph.update_state(at, {"messages": [HumanMessage(f"{name} {number}")]})
        ends[name] = at

    ends: dict[str, Any] = {}
    threads = [
        threading.Thread(target=work, args=(saver, name))
        for saver, name in ((left, "left"), (right, "right"))
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    for name in ("left", "right"):
        messages = read(make_saver(), ends[name]).checkpoint["channel_values"]["messages"]
        assert [each.content for each in messages[-5:]] == [f"{name} {n}" for n in range(5)]
        assert messages[0].content == "begin"


# -- writes -------------------------------------------------------------------------------------


def test_the_first_write_of_an_index_stays_and_the_last_special_one(saver: PenstockSaver) -> None:
    at = put(saver, {})

    for value in ("first", "second"):
        saver.put_writes(at, [("x", value), ("__error__", value), ("__resume__", [value])], "t")

    assert read(saver).pending_writes == [
        *(("t", "__resume__", ["second"]), ("t", "__error__", "second"), ("t", "x", "first"))
    ]


def test_writes_may_come_before_their_point_which_does_not_reset_them(
    saver: PenstockSaver,
) -> None:
    point_id = str(uuid6())
    saver.put_writes(config(point_id), [("x", 1)], "early")
    assert saver.get_tuple(config()) is None

    at = put(saver, {"x": 0}, point_id=point_id)
    saver.put_writes(at, [("x", 2)], "late")
    put(saver, {"x": 0}, point_id=point_id)

    assert read(saver).pending_writes == [("early", "x", 1), ("late", "x", 2)]


def test_writes_come_back_by_path_task_and_index(saver: PenstockSaver) -> None:
    at = put(saver, {})
    expected: list[Any] = []
    rows = [(path, task) for path in ("", "~a, 0000000002", "~a, 0000000010") for task in "zy\n x"]
    for path, task in reversed(rows):
        saver.put_writes(at, [("x", number) for number in range(11)], task, path)
    for path, task in sorted(rows[::-1]):
        expected += [(task, "x", number) for number in range(11) if path == rows_path(rows, task)]

    assert read(saver).pending_writes == expected


def rows_path(rows: list[tuple[str, str]], task: str) -> str:
    """Return the path that a task was stored with first: its later writes have the same indexes."""
    return next(path for path, each in reversed(rows) if each == task)


# -- points -------------------------------------------------------------------------------------


def test_a_point_stored_again_is_replaced(saver: PenstockSaver) -> None:
    point_id = str(uuid6())
    first = checkpoint({"a": 1, "b": 2}, {"a": 1, "b": 1}, point_id)
    again = checkpoint({"a": 3}, {"a": 1, "b": 1}, point_id)

    saver.put(config(), first, {"step": 1}, {"a": 1, "b": 1})
    saver.put(config(), again, {"step": 2}, {"a": 1, "b": 1})

    found = read(saver)
    assert found.checkpoint["channel_values"] == {"a": 3}
    assert found.checkpoint["channel_versions"] == {"a": 1, "b": 1}
    assert found.metadata == {"step": 2}
    assert len(list(saver.list(config()))) == 1


def test_metadata_have_no_part_of_the_configurable(
    saver: PenstockSaver, redis_client: redis.Redis
) -> None:
    given = config() | {"metadata": {"team": "blue", "copied": "secret", "thread_id": "t"}}
    given["configurable"] |= {"copied": "secret", "openai_api_key": "secret"}

    saver.put(given, checkpoint({}, {}), {"source": "input", "step": -1}, {})

    assert read(saver).metadata == {"source": "input", "step": -1, "team": "blue"}
    keys = cast("list[bytes]", redis_client.keys("penstock:graph:*"))
    stored = [redis_client.hgetall(key) for key in keys if redis_client.type(key) == b"hash"]
    assert len(stored) == 2
    assert b"secret" not in repr(stored).encode()


def test_a_long_history_is_read_page_by_page(saver: PenstockSaver) -> None:
    ids = [f"{number:06}" for number in range(150)]
    for number, point_id in enumerate(ids):
        versions: Any = {"n": saver.get_next_version(None, None)}
        point = checkpoint({"n": number}, versions, point_id)
        saver.put(config(), point, {"step": number % 3}, versions)

    found = [each.checkpoint["channel_values"]["n"] for each in saver.list(config())]
    every_third = saver.list(config(), filter={"step": 0}, before=config(ids[-1]), limit=40)
    names = [each.checkpoint["id"] for each in every_third]

    assert found == list(reversed(range(150)))
    assert names == ids[147 - 3 * 39 : 148 : 3][::-1]


def test_a_thread_may_have_any_name(saver: PenstockSaver) -> None:
    for thread in ("", "a b", "a:b\nc", "é\ud800", "penstock:graph:*"):
        put(saver, {"x": thread.encode("utf-8", "replace")}, config(thread=thread))

    for thread in ("", "a b", "a:b\nc", "é\ud800", "penstock:graph:*"):
        found = read(saver, config(thread=thread))
        assert found.checkpoint["channel_values"]["x"] == thread.encode("utf-8", "replace")
        assert found.config.get("configurable", {})["thread_id"] == thread
    assert len(list(saver.list(None))) == 5


def test_who_lists_a_few_points_of_all_threads_does_not_wait_for_all(
    redis_client: redis.Redis, saver: PenstockSaver
) -> None:
    for number in range(50):
        put(saver, {"x": number}, config(thread=f"t{number}"))
    redis_client.config_resetstat()

    assert len(list(saver.list(None, limit=3))) == 3

    assert redis_client.info("commandstats")["cmdstat_hgetall"]["calls"] == 3
    assert len(list(saver.list(None))) == 50


def test_a_call_without_a_thread_says_what_to_give(saver: PenstockSaver) -> None:
    with pytest.raises(ConfigurationError, match='"thread_id": "7"'):
        saver.get_tuple({"configurable": {}})


# -- round trips --------------------------------------------------------------------------------


def test_each_call_is_one_round_trip(saver: PenstockSaver, redis_client: redis.Redis) -> None:
    at = put(saver, {"messages": ["x" * 100]})
    saver.put_writes(at, [("x", 1)], "t")
    read(saver)
    redis_client.script_flush()
    put(saver, {"messages": ["x" * 100, "y"]})
    saver.put_writes(at, [("x", 1), ("x", 2)], "u")
    read(saver)

    def sent(call: Callable[[], Any]) -> int:
        before = cast(Any, redis_client.info("commandstats"))
        call()
        after = cast(Any, redis_client.info("commandstats"))
        return int(after["cmdstat_evalsha"]["calls"] - before["cmdstat_evalsha"]["calls"])

    assert sent(lambda: put(saver, {"messages": ["x" * 100, "y", "z"], "other": 1})) == 1
    assert sent(lambda: saver.put_writes(at, [("x", 1), ("y", 2)], "v")) == 1
    assert sent(lambda: read(saver)) == 1
    assert sent(lambda: read(saver, at)) == 1


# -- whole threads ------------------------------------------------------------------------------


def test_a_deleted_thread_leaves_nothing(saver: PenstockSaver, redis_client: redis.Redis) -> None:
    at = put(saver, {"x": 1})
    put(saver, {"x": 1}, config(namespace="child:1"))
    saver.put_writes(at, [("x", 1)], "t")
    saver.put_writes(config("early", namespace="other"), [("x", 1)], "t")

    saver.delete_thread("t")

    assert redis_client.keys("penstock:*") == []


@pytest.mark.parametrize("keys", ["", ENCRYPTION_KEYS], ids=["plain", "encrypted"])
def test_a_copy_is_not_made_over_a_state(make_saver: Saver, keys: str) -> None:
    saver = make_saver(settings=Settings(encryption_keys=keys))
    put(saver, {"x": 1}, config(thread="source"))
    put(saver, {"x": 2}, config(thread="target"))

    with pytest.raises(ConfigurationError, match="'target' has a state already"):
        saver.copy_thread("source", "target")
    assert read(saver, config(thread="target")).checkpoint["channel_values"] == {"x": 2}

    saver.delete_thread("target")
    saver.copy_thread("source", "target")
    saver.delete_thread("source")
    assert read(saver, config(thread="target")).checkpoint["channel_values"] == {"x": 1}


def test_a_thread_without_its_newest_run_is_where_it_was_before(
    saver: PenstockSaver, redis_client: redis.Redis
) -> None:
    for run_id in ("run 1", "run 2"):
        for space in ("", "child:1"):
            at = config(namespace=space)
            versions: Any = {"x": saver.get_next_version(None, None)}
            point = checkpoint({"x": run_id}, versions)
            stored = saver.put(at, point, {"run_id": run_id, "step": 1}, versions)
            saver.put_writes(stored, [("x", run_id)], "t")

    saver.delete_for_runs(["run 2", "unknown"])
    for space in ("", "child:1"):
        found = read(saver, config(namespace=space))
        assert found.checkpoint["channel_values"] == {"x": "run 1"}
        assert found.pending_writes == [("t", "x", "run 1")]

    saver.delete_for_runs(["run 1"])
    assert redis_client.keys("penstock:*") == []


def test_a_put_that_continues_what_is_not_there_stores_nothing(
    saver: PenstockSaver, redis_client: redis.Redis
) -> None:
    calls = GraphCalls(GraphKeys())
    value = NewValue("words", "2", b"record", base="1")

    call = calls.put(Space("t"), "", "id", b"record", [value])
    assert isinstance(call, Call)
    missing = run(redis_client, call)

    assert missing == [b"v words 1"]
    assert redis_client.keys("penstock:*") == []


def test_pruning_leaves_what_a_delta_channel_needs(
    make_saver: Saver, redis_client: redis.Redis
) -> None:
    saver = make_saver()
    graph, thread = deltas(saver), {"configurable": {"thread_id": "t"}}
    for number in range(5):
        graph.invoke({"all": [f"in {number}"], "some": [f"in {number}"]}, thread)
    before = graph.get_state(thread).values
    points = len(list(saver.list(config())))

    saver.prune(["t"])

    assert deltas(make_saver()).get_state(thread).values == before
    assert len(before["all"]) == len(before["some"]) == 15
    assert len(list(saver.list(config()))) < points


def test_pruning_frees_values_and_leaves_those_that_are_continued(
    saver: PenstockSaver, redis_client: redis.Redis
) -> None:
    words = ["word " * 20]
    for number in range(10):
        put(saver, {"words": words, "other": "x" * 100 + str(number)})
        words = [*words, f"and {number}"]

    saver.prune(["t"])

    (space,) = cast("list[bytes]", redis_client.keys("penstock:graph:*:????????????????"))
    fields = sorted(field.decode()[:7] for field in cast("list[bytes]", redis_client.hkeys(space)))
    assert [field[:2] for field in fields] == ["p ", *["v "] * 11]
    assert fields.count("v other") == 1
    assert read(saver).checkpoint["channel_values"]["words"] == words[:-1]
    with pytest.raises(ConfigurationError, match="keep_latest and delete"):
        saver.prune(["t"], strategy="all")


def test_a_list_whose_version_before_was_pruned_is_stored_in_full(make_saver: Saver) -> None:
    saver, other = make_saver(), make_saver()
    put(saver, {"words": ["long " * 50]})
    put(other, {"words": None})
    other.prune(["t"])

    put(saver, {"words": ["long " * 50, "more"]})
    put(saver, {"words": ["long " * 50, "more", "still"]})

    assert read(other).checkpoint["channel_values"] == {"words": ["long " * 50, "more", "still"]}


# -- connections --------------------------------------------------------------------------------


def test_redis_away_is_one_sentence_with_the_fix() -> None:
    with RedisServer() as server:
        url = f"redis://127.0.0.1:{server.port}"
    saver = PenstockSaver(url)

    for call in (lambda: read(saver), lambda: put(saver, {"x": 1})):
        with pytest.raises(RedisUnavailableError, match="start it, or give the right URL"):
            call()
    with pytest.raises(RedisUnavailableError, match="start it, or give the right URL"):
        asyncio.run(saver.aget_tuple(config()))
    saver.close()


def test_a_saver_takes_clients_of_both_kinds_and_serves_both_kinds_of_code(redis_url: str) -> None:
    for client in (redis.Redis.from_url(redis_url), aredis.Redis.from_url(redis_url)):
        saver = PenstockSaver(client)
        at = put(saver, {"x": 1})

        async def look(saver: PenstockSaver = saver, at: Any = at) -> Any:
            async with saver:
                found = await saver.aget_tuple(at)
                return found and found.checkpoint["channel_values"]

        assert asyncio.run(look()) == {"x": 1}
        assert asyncio.run(look()) == {"x": 1}, "a second loop has a connection of its own"
        saver.close()


def test_nothing_is_read_or_connected_before_the_first_call() -> None:
    code = "from penstock.langgraph import PenstockCache, PenstockSaver, PenstockStore\n"
    code += "for kind in (PenstockCache, PenstockSaver, PenstockStore): kind().__class__\n"
    environ = {"PENSTOCK_REDIS_URL": "no url", "PENSTOCK_ENCRYPTION_KEYS": "no key", "PATH": ""}

    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environ, check=False)

    assert done.returncode == 0


def test_many_threads_share_a_saver(saver: PenstockSaver) -> None:
    numbers = itertools.count()

    def work() -> None:
        for _ in range(20):
            number = next(numbers)
            at = put(saver, {"x": number}, config(thread=str(number)))
            assert read(saver, at).checkpoint["channel_values"] == {"x": number}
            done.append(number)

    done: list[int] = []
    threads = [threading.Thread(target=work) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(done) == list(range(120))


def test_a_call_whose_reply_is_lost_is_done_once(
    redis_server: RedisServer, redis_client: redis.Redis
) -> None:
    for script in load_all(SCRIPTS):  # so that no call is sent twice anyway
        redis_client.script_load(script.text)
    with Proxy(redis_server.port) as proxy, PenstockSaver(proxy.url) as saver:
        at = put(saver, {"words": ["long " * 50]})
        calls: list[tuple[int, Callable[[], Any]]] = [
            (1, lambda: put(saver, {"words": ["long " * 50, "more"]})),
            (1, lambda: saver.put_writes(at, [("x", 1), ("__error__", "e")], "t")),
            (1, lambda: saver.copy_thread("t", "copy")),
            (2, lambda: saver.prune(["copy"])),  # the first one only reads
            (1, lambda: saver.delete_thread("copy")),
        ]

        for nth, call in calls:
            proxy.drop_reply(nth, "evalsha")
            call()
            assert proxy.dropped.is_set()

        newest, oldest = saver.list(config())
        assert newest.checkpoint["channel_values"] == {"words": ["long " * 50, "more"]}
        assert oldest.pending_writes == [("t", "__error__", "e"), ("t", "x", 1)]
        assert len(list(saver.list(None))) == 2


def test_a_space_knows_its_namespace_and_the_root_point_that_it_hangs_on(
    saver: PenstockSaver, redis_client: redis.Redis
) -> None:
    given = config(namespace="child:1")
    saver.put(given, checkpoint({}, {}), {"parents": {"": "root point"}}, {})
    saver.put_writes(config("early", namespace="other"), [("x", 1)], "t")

    (key,) = cast("list[bytes]", redis_client.keys("penstock:graph:" + "?" * 32))
    fields = cast("dict[bytes, bytes]", redis_client.hgetall(key))

    assert fields.pop(b"id") == b"t"
    assert sorted(map(json.loads, fields.values())) == [["child:1", "root point"], ["other", ""]]
