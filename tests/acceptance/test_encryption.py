"""Encryption: nothing of a secret is in Redis, and all of it comes back to who has the key."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import redis

from penstock.publisher import subscribe
from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.encrypted import EncryptedCodec
from penstock.publisher.errors import EncryptionError
from penstock.runtime import (
    AsyncClient,
    Client,
    Command,
    InMemorySaver,
    RedisCache,
    RedisSaver,
    RedisStore,
    entrypoint,
)
from penstock.runtime.diagnostics.steps import StepStatus, read_steps
from penstock.runtime.errors import RunConflictError, RunFailedError
from penstock.runtime.settings import Settings
from tests.faults.support import secret_flows
from tests.faults.support.invariants import Checker
from tests.faults.support.secret_flows import SECRET
from tests.faults.support.workers import QUICK, Fleet
from tests.support.contents import contents, leaks
from tests.support.server import RedisServer
from tests.support.until import until
from tests.worker.commands import penstock

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

FLOWS = secret_flows.__file__


def key(name: str) -> str:
    return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"


OLD, NEW = key("2025"), key("2026")


@pytest.fixture
def start(fleet: Fleet, server: RedisServer) -> Callable[[str], Any]:
    """Start a worker with these keys."""

    def start(keys: str) -> Any:
        environ = {"PENSTOCK_REDIS_URL": server.url, "PENSTOCK_ENCRYPTION_KEYS": keys}
        return fleet.start(app=FLOWS, environ={**QUICK, **environ})

    return start


@pytest.fixture
def connect(server: RedisServer) -> Iterator[Callable[[str], Client]]:
    """Make a client with these keys."""
    clients: list[Client] = []

    def connect(keys: str) -> Client:
        clients.append(Client(server.url, settings=Settings(encryption_keys=keys)))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


Start = Callable[[str], Any]
Connect = Callable[[str], Client]


class Spy:
    """Hears all that is published, on any channel."""

    def __init__(self, client: redis.Redis) -> None:
        self._pubsub = client.pubsub()
        self._pubsub.psubscribe("*")

    def heard(self) -> bytes:
        found = b""
        while (message := cast(Any, self._pubsub.get_message(timeout=0.2))) is not None:
            found += message["data"] if isinstance(message["data"], bytes) else b""
        self._pubsub.close()
        return found


def answers(client: Client, run_id: str) -> None:
    """Answer what the run asks, with the secret, one question after the other."""
    for _ in range(2):
        (asked,) = client.get(run_id).result(20)["__interrupt__"]
        assert SECRET in str(asked.value)
        assert leaks(client.connection, SECRET) == []
        client.get(run_id).resume(f"answer {SECRET}")


def told(previous: Any) -> dict[str, Any]:
    return {
        "answers": [f"answer {SECRET}"] * 2,
        "context": {"user": SECRET},
        "found": {"kept": SECRET},
        "previous": previous,
        "told": SECRET,
    }


def test_nothing_of_a_secret_is_in_redis_after_runs_on_workers(
    start: Start, connect: Connect, raw: redis.Redis, checker: Checker
) -> None:
    spy = Spy(raw)
    start(NEW)
    client = connect(NEW)
    given: Any = {"context": {"user": SECRET}, "config": {"metadata": {"user": SECRET}}}

    first = client.enqueue("secretive", SECRET, thread_id="t", **given)
    answers(client, first.run_id)
    assert first.result(20) == told(None)
    run = client.enqueue("secretive", SECRET, thread_id="t", **given)
    answers(client, run.run_id)

    assert run.result(20) == told(f"saved {SECRET}")
    streamed = list(run.stream(["custom", "messages", "updates"]))
    assert f"custom {SECRET}" in [event.data for event in streamed]
    with subscribe(run.run_id, connection=client.connection, codec=client.codec) as events:
        facts = [event for event in events if SECRET in repr(event.data)]
    assert {fact.mode for fact in facts} >= {
        *("custom", "message", "step.started", "step.retry", "step.finished"),
        *("step.interrupted", "run.interrupted", "run.finished"),
    }
    assert leaks(raw, SECRET) == [] and SECRET.encode() not in spy.heard()
    assert any(b"~sealed" in value for value in contents(raw).values())
    checker.check(over=True)


def test_what_an_error_says_is_encrypted_and_its_class_is_not(
    start: Start, connect: Connect, raw: redis.Redis
) -> None:
    start(NEW)
    run = connect(NEW).enqueue("doomed", SECRET)

    with pytest.raises(RunFailedError, match=f"LookupError: nobody knows {SECRET}") as failed:
        run.result(20)

    assert isinstance(failed.value.__cause__, LookupError)
    assert leaks(raw, SECRET) == []
    assert run.info().reason == f"LookupError: nobody knows {SECRET}"
    says = "LookupError (its message is encrypted under key '2026', which is not set here)"
    assert [run.reason for run in connect("").runs()] == [says]
    assert [run.reason for run in connect(OLD).runs()] == [says]


def test_asyncio_clients_decrypt_too(start: Start, server: RedisServer) -> None:
    start(NEW)

    async def follow() -> tuple[list[Any], Any]:
        settings = Settings(encryption_keys=NEW)
        async with AsyncClient(server.url, settings=settings) as client:
            run = await client.enqueue("slow", 3)
            assert (await run.result(20))["__interrupt__"][0].value == "go on?"
            await run.resume(None)
            return [event.data async for event in run.stream("updates")], await run.result(20)

    updates, result = asyncio.run(follow())
    assert result == 14
    assert updates[-1] == {"slow": 14}


def test_keys_are_rotated_in_the_middle_of_a_run(
    start: Start, connect: Connect, raw: redis.Redis, fleet: Fleet
) -> None:
    first = start(OLD)
    run = connect(OLD).enqueue("secretive", SECRET, run_id="r", context={"user": SECRET})
    run.result(20)
    first.term()
    first.wait()

    start(f"{NEW},{OLD}")
    client = connect(f"{NEW},{OLD}")
    answers(client, "r")

    assert client.get("r").result(20) == told(None)
    modes = [event.mode for event in run_facts(client, "r")]
    assert modes.count("step.finished") == 5  # none of them was executed again
    held = contents(raw)[b"penstock:checkpoints:r"]
    assert b'"2025:' in held and b'"2026:' in held
    same = connect(f"{NEW},{OLD}").enqueue(
        "secretive", SECRET, run_id="r", context={"user": SECRET}
    )
    assert same.run_id == "r"
    with pytest.raises(RunConflictError):
        client.enqueue("secretive", "something else", run_id="r")


def run_facts(client: Client, run_id: str) -> list[Any]:
    with subscribe(run_id, connection=client.connection, codec=client.codec) as events:
        return list(events)


def test_a_worker_without_the_key_fails_the_run_which_goes_on_with_one(
    start: Start, connect: Connect
) -> None:
    wrong = start(OLD)
    client = connect(NEW)
    run = client.enqueue("slow", 3)

    until(lambda: run.status() == "failed", 20, "the run to fail")
    assert run.info().reason.startswith("EncryptionError")
    reader = connect(f"{NEW},{OLD}")
    with pytest.raises(RunFailedError, match=r"under key '2026', and the keys here are 2025"):
        reader.get(run.run_id).result(20)
    wrong.term()
    wrong.wait()
    start(f"{NEW},{OLD}")
    reader.get(run.run_id).resume()
    assert "__interrupt__" in reader.get(run.run_id).result(20)
    reader.get(run.run_id).resume(1)

    assert reader.get(run.run_id).result(20) == 14


@pytest.mark.parametrize(
    ("kind", "ours", "theirs"),
    [
        ("checkpoints", "input", "input"),
        ("checkpoints", "double:0", "double:0"),
        ("checkpoints", "double:0", "input"),
        ("run", "config", "config"),
    ],
)
def test_texts_swapped_between_runs_or_fields_are_noticed(
    start: Start, connect: Connect, raw: redis.Redis, kind: str, ours: str, theirs: str
) -> None:
    worker = start(NEW)
    client = connect(NEW)
    mine, other = client.enqueue("slow", 3), client.enqueue("slow", 4)
    for run in (mine, other):
        run.result(20)
    worker.term()
    worker.wait()
    moved: Any = raw.hget(f"penstock:{kind}:{other.run_id}", theirs)
    if ours != "input" and theirs == "input":
        moved = b'{"value":' + moved + b"}"
    raw.hset(f"penstock:{kind}:{mine.run_id}", ours, moved)

    start(NEW)
    mine.resume(1)

    with pytest.raises(RunFailedError, match="the text was changed or moved"):
        mine.result(20)
    other.resume(1)
    assert other.result(20) == 18


def test_the_command_line_decrypts_and_says_what_it_lacks(
    start: Start, connect: Connect, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(NEW)
    client = connect(NEW)
    run, failed = client.enqueue("secretive", SECRET), client.enqueue("doomed", SECRET)
    run.result(20)
    until(lambda: failed.status() == "failed", 20, "the run to fail")

    monkeypatch.setenv("PENSTOCK_ENCRYPTION_KEYS", NEW)
    asked = penstock("show", run.run_id, url=server.url)
    fell = penstock("show", failed.run_id, "--traceback", url=server.url)
    monkeypatch.delenv("PENSTOCK_ENCRYPTION_KEYS")
    refused = penstock("show", run.run_id, url=server.url)

    assert f"question   {{'question': '{SECRET}'}}".replace("'", '"') in asked.stdout
    assert f"ValueError: stumbled over {SECRET}" in " ".join(asked.stdout.split())
    assert f"LookupError: nobody knows {SECRET}" in fell.stdout
    assert refused.exit_code == 1
    assert "encrypted under key '2026', and no keys are set here" in refused.stderr
    steps = client.do(read_steps(client.plans, run.info()))
    assert {step.status for step in steps} >= {StepStatus.FAILED, StepStatus.WAITING}


# -- in process ---------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "redis"])
def saver(request: pytest.FixtureRequest, server: RedisServer) -> RedisSaver:
    codec = EncryptedCodec(NEW)
    if request.param == "memory":
        return InMemorySaver(codec=codec)
    return RedisSaver(server.url, codec=codec)


@pytest.mark.parametrize("is_async", [False, True])
def test_nothing_of_a_secret_is_in_redis_after_a_run_in_process(
    saver: RedisSaver, server: RedisServer, is_async: bool
) -> None:
    def secretive(secret: str, *, previous: Any = None) -> entrypoint.final[dict[str, Any], str]:
        return entrypoint.final(value=secret_flows.tell(secret, previous), save=f"saved {secret}")

    store = RedisStore(server.url, codec=EncryptedCodec(NEW))
    workflow = entrypoint(checkpointer=saver, store=store, cache=RedisCache(server.url))(secretive)
    config: Any = {"configurable": {"thread_id": "t"}}

    def invoke(argument: Any) -> Any:
        if is_async:
            return asyncio.run(workflow.ainvoke(argument, config, context={"user": SECRET}))
        return workflow.invoke(argument, config, context={"user": SECRET})

    for previous in (None, f"saved {SECRET}"):
        invoke(SECRET)
        invoke(Command(resume=f"answer {SECRET}"))
        assert invoke(Command(resume=f"answer {SECRET}")) == told(previous)

    assert leaks(saver.connection, SECRET) == leaks(server.client(), SECRET) == []
    assert b"~sealed" in contents(saver.connection)[b"penstock:thread:" + _thread_key()]


def _thread_key() -> bytes:
    from penstock.runtime.redis.keys import thread_key

    return thread_key("t").encode()


def test_a_cache_without_a_checkpointer_is_encrypted_by_the_environment(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_ENCRYPTION_KEYS", NEW)

    @entrypoint(cache=RedisCache(server.url))
    def main(secret: str) -> str:
        return secret_flows.remember(secret).result()

    assert [main.invoke(SECRET), main.invoke(SECRET)] == [f"remembered {SECRET}"] * 2
    cached = contents(server.client())
    assert len(cached) == 1 and leaks(server.client(), SECRET) == []


def test_a_run_that_this_process_cannot_read_is_given_back(server: RedisServer) -> None:
    def ask(x: int) -> int:
        return secret_flows.double(x).result() + secret_flows.pause(x).result()

    config: Any = {"configurable": {"thread_id": "t"}}

    def workflow(keys: str) -> Any:
        return entrypoint(checkpointer=RedisSaver(server.url, codec=EncryptedCodec(keys)))(ask)

    workflow(NEW).invoke(2, config)
    with pytest.raises(EncryptionError, match="under key '2026'"):
        workflow(OLD).invoke(Command(resume=1), config)

    assert workflow(NEW).invoke(Command(resume=1), config) == 6


def test_an_item_moved_in_a_store_does_not_open(server: RedisServer) -> None:
    store = RedisStore(server.url, codec=EncryptedCodec(NEW))
    store.put(("a",), "k", {"v": SECRET})
    store.put(("a",), "other", {"v": "mine"})
    raw: Any = server.client()
    (items,) = raw.keys("penstock:store:items:*")
    moved: Any = raw.hget(items, "k")
    raw.hset(items, "other", moved)

    item = store.get(("a",), "k")
    assert item is not None and item.value == {"v": SECRET}
    with pytest.raises(EncryptionError, match="store/a/other"):
        store.get(("a",), "other")
    with pytest.raises(EncryptionError):
        store.search(("a",))


def test_vectors_are_encrypted_and_found_by(server: RedisServer) -> None:
    def embed(texts: list[str]) -> list[list[float]]:
        return [[1.0, 0.0] if SECRET in text else [0.0, 1.0] for text in texts]

    def store(codec: Codec) -> RedisStore:
        return RedisStore(server.url, codec=codec, index={"dims": 2, "embed": embed})

    store(EncryptedCodec(NEW)).put(("a",), "one", {"text": SECRET})
    store(EncryptedCodec(NEW)).put(("a",), "two", {"text": "else"})

    found = store(EncryptedCodec(NEW)).search(("a",), query=SECRET)
    assert [(item.key, item.score) for item in found] == [("one", 1.0), ("two", 0.0)]
    raw: Any = server.client()
    (vectors,) = raw.keys("penstock:store:vectors:*")
    blobs: Any = raw.hgetall(vectors)
    raw.hset(vectors, mapping={"one": blobs[b"two"], "two": blobs[b"one"]})
    with pytest.raises(EncryptionError, match=r"vectors/a/(one|two)"):
        store(EncryptedCodec(NEW)).search(("a",), query=SECRET)
