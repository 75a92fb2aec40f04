"""Webhooks, from the change of a run to a real receiver."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.publisher.codec.encrypted import EncryptedCodec
from penstock.publisher.errors import EncryptionError
from penstock.runtime import Client, Webhook
from penstock.runtime.errors import ConfigurationError, WebhookNotFoundError
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.webhooks import WebhookPlans
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker
from penstock.worker.webhooks.sender import Sender
from tests.support.receiver import Handler, Receiver, is_signed, status, well
from tests.support.until import until
from tests.support.webhook_flow import HERE, end, flow

pytestmark = [
    pytest.mark.open_runs,
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
]

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = "whsec_" + base64.b64encode(b"another one of the right length!").decode()
KEYS = Keys()


@pytest.fixture
def sender(redis_url: str) -> Iterator[Sender]:
    sender = Sender(redis_url, HERE)
    yield sender
    sender.close(5.0)


def settled(client: Client, sender: Sender, webhook: str = "w") -> Webhook:
    """Send what is due once, and wait until it is noted."""
    count = len(client.webhooks.deliveries(webhook, 100))
    begun = sender.look()
    until(lambda: len(client.webhooks.deliveries(webhook, 100)) == min(100, count + begun))
    return client.webhooks.get(webhook)


def due_now(connection: Any, webhook: str = "w") -> None:
    """Let what waits for its next try be due."""
    for each in connection.zrange(KEYS.webhook(f"{webhook}:due"), 0, -1):
        connection.zadd(KEYS.webhook(f"{webhook}:due"), {each: 1})
    connection.zadd(KEYS.webhooks_due, {webhook: 1})


def test_the_end_of_a_run_is_delivered_and_signed(
    client: Client, sender: Sender, receiver: Receiver
) -> None:
    secret = client.webhooks.put("w", receiver.url).secret

    end(client, tags={"tenant": "acme"})
    after = settled(client, sender)

    (got,) = receiver.received
    assert is_signed(got, secret)
    assert got.path == "/in"
    assert got.headers["content-type"] == "application/json"
    assert got.json["type"] == "run.finished"
    assert got.json["data"] == {
        **{"run_id": "r", "thread_id": "r", "entrypoint": "flow", "status": "cancelled"},
        **{"seq": 2, "cause": "", "tags": {"tenant": "acme"}},
    }
    assert got.id == "r.2"
    assert (after.delivered, after.waiting, after.secret) == (1, 0, "")
    assert client.connection.exists(KEYS.hooks, KEYS.webhooks_due) == 0


def test_a_webhook_is_told_of_what_it_asks_for(receiver: Receiver) -> None:
    events = ("run.queued", "run.interrupted", "run.resumed", "run.finished")
    with InMemoryWorker([flow], settings=HERE) as worker:
        client = worker.client
        client.webhooks.put("w", receiver.url, events=events, where={"tag": {"tenant": "acme"}})
        client.webhooks.put("failed", receiver.url, where={"status": "failed"})
        asks = client.enqueue(flow, "ask", run_id="a", tags={"tenant": "acme"})
        client.enqueue(flow, "fail", run_id="b")
        client.enqueue(flow, "other", run_id="c")
        worker.work()
        asks.resume("yes")
        worker.work()

        sender = Sender(worker.connection, HERE)
        while sender.look() or client.webhooks.get("w").waiting:
            time.sleep(0.01)
        receiver.wait_for(5)
        sender.close(5.0)

    got = sorted((each.json["data"]["run_id"], each.json["type"]) for each in receiver.received)
    assert got == [*(("a", event) for event in sorted(events)), ("b", "run.finished")]


def test_runs_that_were_open_before_there_was_a_webhook_are_told_of(
    client: Client, sender: Sender, receiver: Receiver
) -> None:
    runs = [client.enqueue("flow", "x", queue="nobody") for _ in range(3)]
    client.webhooks.put("w", receiver.url)

    for run in runs:
        run.cancel()
    settled(client, sender)

    assert {each.json["data"]["run_id"] for each in receiver.received} == {
        run.run_id for run in runs
    }


def test_a_run_that_was_over_before_there_was_a_webhook_is_told_of_when_it_goes_on(
    receiver: Receiver,
) -> None:
    with InMemoryWorker([flow], settings=HERE) as worker:
        run = worker.client.enqueue(flow, "fail")
        worker.work()
        worker.client.webhooks.put("w", receiver.url, events=["run.resumed", "run.finished"])
        run.resume()
        worker.work()

        sender = Sender(worker.connection, HERE)
        settled(worker.client, sender)
        sender.close(5.0)

    assert {each.json["type"] for each in receiver.received} == {"run.resumed", "run.finished"}


def test_nothing_is_written_for_webhooks_where_there_are_none(client: Client) -> None:
    end(client)

    assert client.connection.keys("*hook*") == []
    assert client.connection.hget(KEYS.run("r"), "hooks") is None


def test_nothing_is_left_of_a_webhook_that_was_deleted(
    client: Client, sender: Sender, receiver: Receiver
) -> None:
    client.webhooks.put("w", receiver.url)
    end(client)
    settled(client, sender)
    client.enqueue("flow", "x", run_id="late", queue="nobody")

    assert client.webhooks.delete("w")
    assert not client.webhooks.delete("w")
    client.get("late").cancel()
    sender.look()

    assert client.connection.keys("*hook*") == []
    end(client, "other")
    assert client.connection.keys("*hook*") == []


def test_the_webhook_of_a_run_is_told_of_its_end_alone(
    redis_url: str, client: Client, receiver: Receiver
) -> None:
    sender = Sender(redis_url, Settings(webhook_hosts=("127.0.0.1",), webhook_secret=SECRET))

    end(client, webhook=receiver.url)
    end(client, "other")
    sender.look()
    (got,) = receiver.wait_for(1)
    until(lambda: client.connection.exists(KEYS.webhooks_due) == 0)
    sender.close(5.0)

    assert got.json["data"]["run_id"] == "r"
    assert is_signed(got, SECRET)
    assert all(client.connection.ttl(key) > 0 for key in client.connection.keys("*hook*"))


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "ftp://example.com/", "http://u:p@x.org/"])
def test_a_run_is_not_enqueued_with_a_webhook_that_is_none(client: Client, url: str) -> None:
    with pytest.raises(ConfigurationError, match="webhook"):
        client.enqueue("flow", "x", webhook=url)

    assert client.count() == 0


def test_f110_a_receiver_that_fails_and_comes_back_gets_the_delivery_under_the_same_id(
    client: Client, sender: Sender, receiver: Receiver
) -> None:
    secret = client.webhooks.put("w", receiver.url).secret
    receiver.behaviour = status(503)
    end(client)

    failed = settled(client, sender)
    assert (failed.waiting, failed.error) == (1, "it answered 503")
    assert failed.failing_since is not None
    assert sender.look() == 0  # not before its time
    connection: Any = client.connection
    due = connection.zrange(KEYS.webhook("w:due"), 0, 0, withscores=True)[0][1]
    assert 4 < due / 1000 - time.time() <= 6.5

    receiver.behaviour = well
    due_now(client.connection)
    after = settled(client, sender)

    first, second = receiver.received
    assert first.id == second.id
    assert first.body == second.body
    assert is_signed(second, secret)
    assert (after.delivered, after.waiting, after.failing_since) == (1, 0, None)
    tries = client.webhooks.deliveries("w")
    assert [(each.number, each.status, each.error) for each in tries] == [
        *((2, 204, ""), (1, 503, "it answered 503")),
    ]


def test_f110_a_delivery_is_given_up_after_the_last_try(
    client: Client, sender: Sender, receiver: Receiver
) -> None:
    client.webhooks.put("w", receiver.url)
    receiver.behaviour = status(500)
    end(client)

    after = settled(client, sender)
    for _ in range(8):
        due_now(client.connection)
        after = settled(client, sender)

    assert (after.failed, after.waiting, after.disabled) == (1, 0, "")
    assert after.failing_since is None  # as nothing is tried any more
    assert client.connection.exists(KEYS.webhook("w:waiting")) == 0
    assert [each.number for each in client.webhooks.deliveries("w")] == [9, 8, 7, 6, 5, 4, 3, 2, 1]


def test_f110_a_receiver_that_is_gone_is_told_of_nothing_more(
    client: Client, sender: Sender, receiver: Receiver
) -> None:
    client.webhooks.put("w", receiver.url)
    receiver.behaviour = status(410)
    end(client)
    gone = settled(client, sender)
    end(client, "s")
    sender.look()

    assert gone.disabled == "it answered 410: it asks for no more deliveries"
    assert client.webhooks.get("w").skipped == 1
    assert sender.look() == 0
    assert 0 < client.connection.ttl(KEYS.webhook("w:waiting")) <= 5 * 24 * 3600

    receiver.behaviour = well
    client.webhooks.enable("w")  # at once, not when it was to be tried again
    after = settled(client, sender)
    assert (after.disabled, after.delivered) == ("", 1)
    assert client.connection.ttl(KEYS.webhook("w")) == -1


def test_f110_five_days_of_failures_disable_a_webhook(
    client: Client, sender: Sender, receiver: Receiver
) -> None:
    client.webhooks.put("w", receiver.url)
    receiver.behaviour = status(500)
    end(client)
    settled(client, sender)
    client.connection.hincrby(KEYS.webhook("w"), "failing", -5 * 24 * 3600 * 1000)
    due_now(client.connection)

    assert settled(client, sender).disabled == "it has failed for days: it answered 500"


def test_f110_a_redirect_is_not_followed(
    client: Client, sender: Sender, receiver: Receiver
) -> None:
    with Receiver() as other:
        client.webhooks.put("w", receiver.url)
        receiver.behaviour = status(307, Location=other.url)
        end(client)
        after = settled(client, sender)

        assert other.received == []
    assert after.error == "it answered 307, a redirect, which is not followed"


def test_f110_an_answer_that_breaks_off_is_none(
    client: Client, sender: Sender, receiver: Receiver
) -> None:
    def break_off(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "100")
        handler.end_headers()
        handler.wfile.write(b"half")

    client.webhooks.put("w", receiver.url)
    receiver.behaviour = break_off
    end(client)

    assert "IncompleteRead" in settled(client, sender).error


def test_f110_a_receiver_that_hangs_keeps_nobody_from_anything(
    client: Client, sender: Sender, receiver: Receiver
) -> None:
    with Receiver(lambda handler: until(lambda: is_over, 30.0)) as slow:
        is_over: list[bool] = []
        client.webhooks.put("w", receiver.url)
        client.webhooks.put("slow", slow.url)
        for number in range(10):
            end(client, str(number))

        while len(receiver.received) < 10:
            sender.look()
            time.sleep(0.01)

        assert len(slow.wait_for(4)) == 4  # at once, and no more
        began = time.monotonic()
        sender.close(0.1)
        assert time.monotonic() - began < 2
        is_over.append(True)


def test_two_secrets_sign_while_one_takes_the_place_of_the_other(
    client: Client, sender: Sender, receiver: Receiver
) -> None:
    assert client.webhooks.put("w", receiver.url, secret=SECRET).secret == SECRET
    assert client.webhooks.put("w", receiver.url + "?x=1", secret=OTHER).secret == OTHER
    assert client.webhooks.put("w", receiver.url).secret == ""
    end(client)
    settled(client, sender)

    (got,) = receiver.received
    assert is_signed(got, SECRET)
    assert is_signed(got, OTHER)
    assert len(got.headers["webhook-signature"].split()) == 2


def test_only_the_new_secret_signs_a_day_later(
    client: Client, sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.runtime.redis.plans.webhooks.ROTATION", 0.0)
    client.webhooks.put("w", receiver.url, secret=SECRET)
    client.webhooks.put("w", receiver.url, secret=OTHER)
    end(client)
    settled(client, sender)

    assert is_signed(receiver.received[0], OTHER)
    assert not is_signed(receiver.received[0], SECRET)


def test_secrets_are_neither_shown_nor_stored_in_the_clear_where_there_are_keys(
    redis_url: str, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    codec = EncryptedCodec({"k": b"k" * 32})
    with Client(redis_url, settings=HERE, codec=codec) as client:
        sender = Sender(redis_url, HERE, codec)
        made = client.webhooks.put("w", receiver.url, secret=SECRET)
        receiver.behaviour = status(500)
        end(client, tags={"tenant": "acme"}, webhook=receiver.url)
        sender.look()
        until(lambda: len(client.webhooks.deliveries("w")) == 1 and len(receiver.received) == 2)
        sender.close(5.0)
        connection: Any = client.connection
        stored = [bytes(connection.dump(each) or b"") for each in connection.keys("*")]

    assert SECRET not in f"{made}{client.settings}{caplog.text}"
    assert not any(SECRET[6:].encode() in each for each in stored)
    assert not any(receiver.url.encode() in each for each in stored)
    assert is_signed(receiver.received[0], SECRET) or is_signed(receiver.received[1], SECRET)


def test_a_worker_without_the_key_leaves_everything_to_others(
    redis_url: str, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    codec = EncryptedCodec({"k": b"k" * 32})
    with Client(redis_url, settings=HERE, codec=codec) as client:
        blind = Sender(redis_url, HERE, EncryptedCodec({"other": b"o" * 32}))
        sender = Sender(redis_url, HERE, codec)
        client.webhooks.put("w", receiver.url)
        end(client)

        blind.need(True)
        until(lambda: "this worker has no key for it" in caplog.text)
        assert client.connection.xlen(KEYS.hooks) == 2
        assert settled(client, sender).delivered == 1
        blind.close(5.0)
        sender.close(5.0)


def test_one_webhook_that_cannot_be_read_does_not_hide_the_others(
    redis_url: str, client: Client
) -> None:
    client.webhooks.put("mine", "https://example.com/in")
    with Client(redis_url, settings=HERE, codec=EncryptedCodec({"k": b"k" * 32})) as other:
        other.webhooks.put("sealed", "https://example.com/other")
    client.connection.hset(KEYS.webhooks, "torn", '{"url": "https://example.com/"}')
    client.webhooks.disable("sealed", "moved")

    mine, sealed, torn = client.webhooks.list()

    assert (mine.id, mine.url, mine.unreadable) == ("mine", "https://example.com/in", "")
    assert (sealed.id, sealed.url, sealed.events, sealed.disabled) == ("sealed", "", (), "moved")
    assert "EncryptionError" in sealed.unreadable
    assert (torn.id, torn.url) == ("torn", "")
    assert torn.unreadable
    with pytest.raises(EncryptionError):
        client.webhooks.get("sealed")


def test_what_too_many_wait_for_is_counted(
    client: Client, sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.runtime.redis.hook_calls._WAITING", 2)
    client.webhooks.put("w", receiver.url)
    for number in range(5):
        end(client, str(number))

    settled(client, sender)

    after = client.webhooks.get("w")
    assert (len(receiver.received), after.dropped) == (2, 3)


def test_a_test_is_delivered(client: Client, sender: Sender, receiver: Receiver) -> None:
    secret = client.webhooks.put("w", receiver.url).secret

    delivery = client.webhooks.test("w")
    settled(client, sender)

    (got,) = receiver.received
    assert (got.id, got.json["type"]) == (delivery, "webhook.test")
    assert is_signed(got, secret)
    client.webhooks.disable("w")
    with pytest.raises(ConfigurationError, match="disabled"):
        client.webhooks.test("w")


@pytest.mark.parametrize("act", ["get", "enable", "disable", "test", "deliveries"])
def test_a_webhook_that_is_not_there_is_named(client: Client, act: str) -> None:
    with pytest.raises(WebhookNotFoundError, match="'nix'"):
        getattr(client.webhooks, act)("nix")

    assert client.connection.keys("*hook*") == []


@pytest.mark.parametrize(
    ("webhook", "options", "what"),
    [
        ("a b", {}, "webhook id"),
        ("w", {"events": ["run.began"]}, "events"),
        ("w", {"events": []}, "events"),
        ("w", {"where": {"queue": "x"}}, "filters"),
        ("w", {"where": {"status": "late"}}, "status"),
        ("w", {"secret": "simple"}, "secret"),
        ("w", {"secret": "whsec_YQ=="}, "secret"),
    ],
)
def test_what_no_webhook_can_have_is_refused(
    client: Client, webhook: str, options: Any, what: str
) -> None:
    with pytest.raises(ConfigurationError, match=what):
        client.webhooks.put(webhook, "https://example.com/in", **options)

    assert client.webhooks.list() == []


def test_there_are_at_most_a_hundred(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.runtime.redis.plans.webhooks.MOST", 2)
    for name in "ab":
        client.webhooks.put(name, "https://example.com/in")

    with pytest.raises(ConfigurationError, match="2 webhooks"):
        client.webhooks.put("c", "https://example.com/in")
    client.webhooks.put("a", "https://example.com/other")
    assert [(each.id, each.url[-5:]) for each in client.webhooks.list()] == [
        *(("a", "other"), ("b", "om/in")),
    ]


def test_a_long_thread_id_does_not_make_a_long_body(
    client: Client, sender: Sender, receiver: Receiver
) -> None:
    client.webhooks.put("w", receiver.url)
    end(client, thread_id="x" * 65_536)
    settled(client, sender)

    assert len(receiver.received[0].body) <= 64 * 1024
    assert receiver.received[0].json["data"]["thread_id"] is None


def test_the_statuses_of_a_filter_may_come_from_a_generator(client: Client) -> None:
    statuses = (each for each in ("failed", "cancelled"))

    made = client.webhooks.put("w", "https://example.com/in", where={"status": statuses})

    assert made.where == {"status": ["failed", "cancelled"]}


def test_how_many_tries_are_read_is_a_number_from_one(client: Client) -> None:
    client.webhooks.put("w", "https://example.com/in")

    with pytest.raises(ConfigurationError, match="limit"):
        client.webhooks.deliveries("w", 0)


def test_put_marks_open_runs_though_one_before_it_died_in_between(
    client: Client, sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(self: WebhookPlans) -> Any:
        raise KeyboardInterrupt

    run = client.enqueue("flow", "x", queue="nobody")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(WebhookPlans, "_mark", die)
        client.webhooks.put("w", receiver.url)
    client.webhooks.put("w", receiver.url)
    run.cancel()

    assert settled(client, sender).delivered == 1
