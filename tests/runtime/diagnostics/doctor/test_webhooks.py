"""`penstock doctor` of webhooks and the feed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstock.publisher.codec.encrypted import EncryptedCodec
from penstock.runtime import Client
from penstock.runtime.diagnostics.doctor import Finding, Level, Reading, examine
from penstock.runtime.diagnostics.doctor.examination import read_redis
from penstock.runtime.redis.hook_calls import HookCalls
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.hook_outbox import own_webhook_id
from penstock.runtime.redis.plans.hook_states import FeedState, HookState, OutboxState
from penstock.runtime.redis.plans.requests import Plan, Request
from penstock.runtime.settings import Settings
from penstock.worker.webhooks.sender import Sender
from tests.support.webhook_flow import end

pytestmark = [
    pytest.mark.open_runs,
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
]

KEYS = Keys()
WAITS = HookState("w", waiting=3)


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with Client(redis_url, settings=Settings(redis=redis_url, feed=1000)) as client:
        yield client


def found(reading: Reading) -> list[Finding]:
    return [each for each in examine(reading) if each.check in ("webhooks", "feed")]


def ask(request: Request) -> Plan[Any]:
    return (yield request)


def reading(**facts: Any) -> Reading:
    return Reading(info={"redis_version": "7.2.4", "role": "master"}, **facts)


def hooked(*webhooks: HookState, **facts: Any) -> Reading:
    return reading(outbox=OutboxState(webhooks, **facts))


def test_nothing_is_said_where_there_is_neither() -> None:
    assert found(reading()) == []


def test_webhooks_and_a_feed_that_are_well_are_counted() -> None:
    well = reading(outbox=OutboxState([WAITS]), feed=FeedState(10, 7200.0), feed_limit=1000)

    assert [(each.level, each.message) for each in found(well)] == [
        (Level.OK, "1 enabled, 3 deliveries wait"),
        (Level.OK, "10 changes, of the last 2 h 00 min"),
    ]


@pytest.mark.parametrize(
    ("facts", "check", "level", "message"),
    [
        (
            hooked(HookState("w", "it answered 410", 3, {"skipped": 5})),
            *("webhooks", Level.WARNING, "'w' is disabled: it answered 410; 3 deliveries wait"),
        ),
        (
            hooked(HookState("w", waiting=1, failing=7200.0, error="it answered 500")),
            *("webhooks", Level.WARNING, "'w' has failed for 2 h 00 min: it answered 500"),
        ),
        (
            hooked(HookState("w", waiting=1, unread=5.0)),
            *("webhooks", Level.WARNING, "could not read deliveries to webhook 'w', 1 wait"),
        ),
        (
            hooked(changes=7, oldest=3600.0),
            *("webhooks", Level.WARNING, "7 changes of runs wait, the first for 1 h 00 min"),
        ),
        (
            hooked(unread_urls=2),
            *("webhooks", Level.WARNING, "could not read what 2 URLs of runs are to be told"),
        ),
        (hooked(lost=7), "webhooks", Level.PROBLEM, "7 changes of runs were lost"),
        (
            reading(feed=FeedState(1000, 60.0), feed_limit=1000),
            *("feed", Level.WARNING, "full with 1000 changes, of the last 1 min 00 s"),
        ),
    ],
)
def test_a_finding_says_what_it_means_and_what_fixes_it(
    facts: Reading, check: str, level: Level, message: str
) -> None:
    (finding,) = found(facts)

    assert (finding.check, finding.level) == (check, level)
    assert message in finding.message
    assert finding.means.endswith(".")
    assert finding.fix


@pytest.mark.parametrize(
    "facts",
    [
        hooked(HookState("w", waiting=1, failing=60.0), changes=7, oldest=5.0),
        hooked(HookState("w", unread=5.0)),
        hooked(HookState("w", waiting=1, unread=86_400.0)),
        reading(feed=FeedState(1000, 7200.0), feed_limit=1000),
        reading(feed=FeedState(1000, 60.0)),
    ],
)
def test_what_passes_by_itself_is_no_finding(facts: Reading) -> None:
    assert {each.level for each in found(facts)} == {Level.OK}


def test_what_redis_has_is_read_without_a_key(redis_url: str, client: Client) -> None:
    keyed = Client(redis_url, codec=EncryptedCodec({"k": b"k" * 32}))
    keyed.webhooks.put("w", "https://example.com/in")
    keyed.webhooks.test("w")
    keyed.webhooks.put("v", "https://example.com/in")
    keyed.webhooks.disable("v", "moved")
    end(client)
    own = (own_webhook_id("https://example.com/"), "r.2", "encrypted under a lost key")
    client.do(ask(HookCalls(client.plans.keys).route_change("", "", "", [own])))
    keyed.close()
    client.connection.set(KEYS.hooks_lost, 4)
    sender = Sender(redis_url, Settings())
    sender.look()
    sender.close(5.0)

    seen = read_redis(client.connection, client.settings)

    v, w = seen.outbox.webhooks
    assert (v.disabled, w.disabled, w.waiting) == ("moved", "", 1)
    assert w.unread is not None
    assert seen.outbox.unread_urls == 1
    assert (seen.outbox.changes, seen.outbox.lost) == (2, 4)
    assert 0 <= seen.outbox.oldest < 60
    assert (seen.feed.entries, seen.feed_limit) == (2, 1000)
    assert 0 <= seen.feed.spans < 60


def test_failures_are_timed(redis_url: str, client: Client) -> None:
    client.webhooks.put("w", "https://example.com/in")
    seconds: Any = client.connection.time()[0]
    fields: Any = {"failing": (seconds - 7200) * 1000, "error": "it answered 500", "delivered": 3}
    client.connection.hset(KEYS.webhook("w"), mapping=fields)

    (webhook,) = read_redis(client.connection, client.settings).outbox.webhooks

    assert 7190 < webhook.failing < 7260
    assert (webhook.error, webhook.counts["delivered"]) == ("it answered 500", 3)
