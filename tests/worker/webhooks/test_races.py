"""Senders beside clients and other senders: what each of them does in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from penstock.publisher.codec.encrypted import EncryptedCodec
from penstock.runtime import Client, Webhook
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.hook_outbox import HookOutbox
from penstock.runtime.redis.plans.hook_states import HookState, outbox_state
from penstock.runtime.settings import Settings
from penstock.worker.webhooks.sender import Sender
from tests.support.receiver import Receiver, status
from tests.support.until import until
from tests.support.webhook_flow import HERE, end

pytestmark = [
    pytest.mark.open_runs,
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
]

KEYS = Keys()
PLANS = "penstock.runtime.redis.plans.hook_outbox"
MINE, OTHER = EncryptedCodec({"k": b"k" * 32}), EncryptedCodec({"other": b"o" * 32})


@pytest.fixture
def senders(redis_url: str) -> Iterator[Callable[..., Sender]]:
    made: list[Sender] = []

    def make(codec: Any = None, **options: Any) -> Sender:
        made.append(Sender(redis_url, HERE, codec, **options))
        return made[-1]

    yield make
    for each in made:
        each.close(5.0)


def around(
    monkeypatch: pytest.MonkeyPatch, name: str, *, before: Any = None, after: Any = None
) -> None:
    """Let something happen once, before or after a sender has read what a plan reads."""
    real: Any = getattr(HookOutbox, name)
    acts = [before or after]

    def plan(self: HookOutbox, *args: Any) -> Generator[Any, Any, Any]:
        if before and acts:
            acts.pop()()
        rest: Generator[Any, Any, Any] = real(self, *args)
        reply: Any = yield from rest
        if after and acts:
            acts.pop()()
        return reply

    monkeypatch.setattr(HookOutbox, name, plan)


def noted(client: Client, sender: Sender, webhook: str = "w") -> Webhook:
    """Send what is due, and wait until all of it is noted."""
    sender.look()
    until(lambda: client.webhooks.deliveries(webhook))
    return client.webhooks.get(webhook)


def test_a_webhook_that_was_put_before_a_change_is_told_of_it(
    client: Client,
    senders: Callable[..., Sender],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{PLANS}.PAGE", 1)
    monkeypatch.setattr("penstock.worker.webhooks.sender.PAGE", 1)

    def put() -> None:
        client.webhooks.put("w", receiver.url)
        end(client, "b")

    client.webhooks.put("other", receiver.url + "?other", events=["run.resumed"])
    end(client, "a")
    around(monkeypatch, "changes", after=put)

    senders().look()
    until(lambda: "b.2" in [each.id for each in receiver.received])


def test_a_webhook_that_is_deleted_while_changes_are_read_leaves_nothing(
    client: Client,
    senders: Callable[..., Sender],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.webhooks.put("w", receiver.url)
    end(client)
    around(monkeypatch, "hooks", after=lambda: client.webhooks.delete("w"))

    assert senders().look() == 0
    assert client.connection.keys("*hook*") == []


def test_a_webhook_that_was_put_a_moment_ago_is_not_taken_for_a_deleted_one(
    client: Client,
    senders: Callable[..., Sender],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def put() -> None:
        client.webhooks.put("w", receiver.url)
        client.webhooks.test("w")

    around(monkeypatch, "take", before=put)

    after = noted(client, senders())
    assert (after.delivered, after.error) == (1, "")


def test_one_worker_reads_changes_at_a_time(client: Client, receiver: Receiver) -> None:
    outbox = HookOutbox(client.plans)
    client.webhooks.put("w", receiver.url)
    end(client)

    assert len(client.do(outbox.changes("one")).rows) == 2
    assert client.do(outbox.changes("other")).rows == []
    client.do(outbox.let_others_read("other"))  # it is not the one that reads
    assert client.do(outbox.changes("other")).rows == []
    assert 0 < client.connection.pttl(KEYS.hooks_reader) <= 5000
    client.do(outbox.let_others_read("one"))
    assert len(client.do(outbox.changes("other")).rows) == 2


def test_webhooks_are_not_read_while_there_is_nothing_to_do(
    client: Client, senders: Callable[..., Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    client.webhooks.put("w", "https://example.com/in")

    def refuse(self: HookOutbox) -> Any:
        raise AssertionError("webhooks are read")

    monkeypatch.setattr(HookOutbox, "hooks", refuse)
    assert senders().look() == 0


def test_claims_of_workers_that_die_use_up_no_try(
    client: Client, senders: Callable[..., Sender], receiver: Receiver
) -> None:
    outbox = HookOutbox(client.plans)
    client.webhooks.put("w", receiver.url)
    client.webhooks.test("w")
    for _ in range(9):
        (taken,) = client.do(outbox.take(1, 0.0))
        assert taken.number == 1

    assert noted(client, senders()).delivered == 1
    assert [each.number for each in client.webhooks.deliveries("w")] == [1]


def test_what_a_worker_cannot_read_is_left_to_others_and_no_try(
    redis_url: str,
    senders: Callable[..., Sender],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{PLANS}.LATER", 0.0)
    with Client(redis_url, settings=HERE, codec=MINE) as client:
        client.webhooks.put("w", receiver.url)
        for _ in range(6):
            client.webhooks.test("w")
        blind = senders(OTHER)

        assert [blind.look() for _ in range(12)] == [0] * 12

        assert client.connection.zcard(KEYS.webhook("w:sending")) == 0
        assert client.connection.hexists(KEYS.webhook("w"), "unread")
        sender = senders(MINE)
        sender.look()
        receiver.wait_for(4)
        until(lambda: client.webhooks.get("w").waiting == 2)
        assert {each.number for each in client.webhooks.deliveries("w")} == {1}


def test_the_url_of_a_run_waits_for_a_worker_with_its_key(
    redis_url: str, senders: Callable[..., Sender], receiver: Receiver
) -> None:
    with Client(redis_url, settings=HERE, codec=MINE) as client:
        end(client, webhook=receiver.url)

        assert senders(OTHER).look() == 0
        assert client.connection.xlen(KEYS.hooks) == 1

        assert senders(MINE).look() == 1
        assert receiver.wait_for(1)[0].id == "r.2"


def made_long_ago(connection: Any, seconds: int = 3600) -> None:
    """Have the changes that wait been written so many seconds ago."""
    rows: Any = connection.xrange(KEYS.hooks)
    connection.delete(KEYS.hooks)
    for cursor, fields in rows:
        time, _, number = cursor.decode().partition("-")
        connection.xadd(KEYS.hooks, fields, id=f"{int(time) - 1000 * seconds}-{number}")


def left_long_ago(connection: Any, seconds: int = 61) -> None:
    """Have readers left changes for so many seconds."""
    since = int(connection.get(KEYS.hooks_unread)) - 1000 * seconds
    connection.set(KEYS.hooks_unread, since, px=60_000)


def test_the_first_worker_after_a_time_without_any_leaves_others_their_time(
    redis_url: str, senders: Callable[..., Sender], receiver: Receiver
) -> None:
    with Client(redis_url, settings=HERE, codec=MINE) as client:
        client.webhooks.put("w", receiver.url)
        end(client, webhook=receiver.url + "?own")
        made_long_ago(client.connection)

        senders(OTHER).look()
        senders(OTHER).look()
        assert client.connection.xlen(KEYS.hooks) == 2

        senders(MINE).look()
        receiver.wait_for(2)
        assert {each.path for each in receiver.received} == {"/in", "/in?own"}
        assert not client.connection.hexists(KEYS.webhook("w"), "skipped")


def test_a_clock_of_a_worker_that_is_wrong_gives_nothing_up(
    redis_url: str, senders: Callable[..., Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(redis_url, settings=HERE, codec=MINE) as client:
        client.webhooks.put("w", "https://example.com/in")
        end(client)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 3600)

        senders(OTHER).look()
        senders(OTHER).look()

        assert client.connection.xlen(KEYS.hooks) == 2


def test_a_change_is_given_up_when_workers_have_left_it_for_a_minute(
    redis_url: str, senders: Callable[..., Sender], receiver: Receiver
) -> None:
    with Client(redis_url, settings=HERE, codec=MINE) as client:
        connection: Any = client.connection
        client.webhooks.put("w", receiver.url)
        end(client, "old")
        made_long_ago(connection)
        senders(OTHER).look()
        assert 59_000 < connection.pttl(KEYS.hooks_unread) <= 60_000
        since = connection.get(KEYS.hooks_unread)
        senders(OTHER).look()
        assert connection.get(KEYS.hooks_unread) == since

        left_long_ago(connection)
        end(client, "new")
        senders(OTHER).look()
        assert connection.hget(KEYS.webhook("w"), "skipped") == b"2"
        assert {row[1][b"run"] for row in connection.xrange(KEYS.hooks)} == {b"new"}

        senders(MINE).look()
        assert receiver.wait_for(1)[0].id == "new.2"
        senders(MINE).look()
        assert not connection.exists(KEYS.hooks_unread), "nothing is left"


@pytest.mark.parametrize(
    "fields",
    [{"a": "b"}, {"run": b"\xff", "seq": "1"}, {"run": "r", "seq": "x", "tags": "", "url": ""}],
    ids=["empty", "no text", "no number"],
)
def test_a_malformed_change_keeps_nothing_from_the_others_and_is_counted_as_lost(
    client: Client, senders: Callable[..., Sender], receiver: Receiver, fields: Any
) -> None:
    connection: Any = client.connection
    client.webhooks.put("w", receiver.url)
    connection.xadd(KEYS.hooks, fields, id="1-1")
    end(client)

    senders().look()
    assert receiver.wait_for(1)[0].id == "r.2"
    assert [cursor for cursor, _ in connection.xrange(KEYS.hooks)] == [b"1-1"]

    left_long_ago(connection)
    senders().look()
    assert not connection.exists(KEYS.hooks)
    assert connection.get(KEYS.hooks_lost) == b"1"
    assert connection.ttl(KEYS.hooks_lost) > 29 * 24 * 3600


def test_what_nobody_can_read_keeps_nothing_from_the_others(
    redis_url: str,
    client: Client,
    senders: Callable[..., Sender],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(f"{PLANS}.PATIENCE", 0.0)
    client.webhooks.put("w", receiver.url)
    with Client(redis_url, settings=HERE, codec=OTHER) as stranger:
        stranger.webhooks.put("lost", receiver.url + "?lost")
        end(stranger, webhook=receiver.url)
        senders().look()

    assert noted(client, senders()).delivered == 1
    assert [each.path for each in receiver.received] == ["/in"]
    assert client.connection.hget(KEYS.webhook("lost"), "skipped") == b"2"
    assert client.connection.exists(KEYS.hooks) == 0
    assert "the webhook of run r is not told of its end" in caplog.text
    assert client.connection.hgetall(KEYS.webhook("~")) == {b"skipped": b"1"}


def test_what_the_urls_of_runs_are_told_is_counted_for_all_together(
    client: Client,
    senders: Callable[..., Sender],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{PLANS}.FINAL", 1)
    sender = senders()
    end(client, "told", webhook=receiver.url)
    sender.look()
    until(lambda: _of_runs(client).counts["delivered"])

    receiver.behaviour = status(500)
    end(client, "refused", webhook=receiver.url + "?other")
    sender.look()
    until(lambda: _of_runs(client).counts["failed"])
    end(client, "waits", webhook=receiver.url)
    monkeypatch.setattr(f"{PLANS}.FINAL", 9)
    sender.look()
    until(lambda: len(receiver.received) == 3)

    state = _of_runs(client)
    counts = {"delivered": 1, "failed": 1, "dropped": 0, "skipped": 0}
    assert (state.counts, state.waiting) == (counts, 1)
    assert 0 < client.connection.ttl(KEYS.webhook("~")) <= 5 * 24 * 3600


def _of_runs(client: Client) -> HookState:
    return client.do(outbox_state(client.plans.keys)).of_runs


def test_what_is_corrupt_or_of_a_later_release_keeps_nothing_from_the_others(
    client: Client,
    senders: Callable[..., Sender],
    receiver: Receiver,
) -> None:
    client.webhooks.put("w", receiver.url)
    end(client)
    connection: Any = client.connection
    connection.hset(KEYS.webhooks, "odd", '{"url": "https://example.com/"}')
    (first, fields), *_ = connection.xrange(KEYS.hooks, count=1)
    connection.xdel(KEYS.hooks, first)
    connection.xadd(KEYS.hooks, fields | {b"status": b"dreaming"})
    client.webhooks.test("w")
    client.connection.hset(KEYS.webhook("w:waiting"), "x", "no JSON")
    client.connection.zadd(KEYS.webhook("w:due"), {"x": 1})

    senders().look()
    left_long_ago(connection)
    made_long_ago(connection)
    senders().look()

    until(lambda: client.connection.hget(KEYS.webhook("w"), "delivered") == b"2")
    assert len(receiver.received) == 2
    assert client.connection.get(KEYS.hooks_lost) == b"1"
    assert not client.connection.exists(KEYS.hooks)
    assert client.connection.zcard(KEYS.webhook("w:due")) == 1


def test_changes_that_nobody_takes_are_counted_when_there_are_too_many(client: Client) -> None:
    client.webhooks.put("w", "https://example.com/in")
    fill = "for at = 1, 100000 do redis.call('XADD', KEYS[1], '*', 'a', 'b') end"
    client.connection.eval(fill, 1, KEYS.hooks)

    end(client)

    assert client.connection.xlen(KEYS.hooks) == 100_000
    assert client.connection.get(KEYS.hooks_lost) == b"2"
    assert client.connection.ttl(KEYS.hooks_lost) > 29 * 24 * 3600


@pytest.mark.parametrize("secret", ["whsec_", "whsec_YQ==", "x" * 40, "whsec_???"])
def test_a_secret_that_is_none_is_refused_at_the_start(redis_url: str, secret: str) -> None:
    with pytest.raises(ConfigurationError, match="webhook_secret"):
        Sender(redis_url, Settings(webhook_secret=secret))


def test_what_cannot_be_sent_is_a_failed_try(
    client: Client, senders: Callable[..., Sender], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("can't start new thread")

    client.webhooks.put("w", "https://example.com/in")
    client.webhooks.test("w")

    after = noted(client, senders(post=broken))

    assert after.error == "RuntimeError: can't start new thread"
    assert "could not be sent" in caplog.text


def test_a_thread_that_the_system_refuses_is_started_later(
    client: Client,
    senders: Callable[..., Sender],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sender = senders()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        sender.need(True)
    client.webhooks.put("w", receiver.url)
    client.webhooks.test("w")
    sender.need(True)

    assert len(receiver.wait_for(1)) == 1


def test_an_enabled_webhook_is_sent_all_that_waits(client: Client, receiver: Receiver) -> None:
    client.webhooks.put("w", receiver.url)
    later = {f"d{at}": 9e12 for at in range(2500)}
    client.connection.zadd(KEYS.webhook("w:due"), later)
    client.connection.hset(KEYS.webhook("w:waiting"), mapping=dict.fromkeys(later, "a record"))
    client.webhooks.disable("w")

    client.webhooks.enable("w")

    newest: Any = client.connection.zrange(KEYS.webhook("w:due"), -1, -1, withscores=True)
    assert newest[0][1] < 9e12
    assert client.connection.ttl(KEYS.webhook("w:due")) == -1
