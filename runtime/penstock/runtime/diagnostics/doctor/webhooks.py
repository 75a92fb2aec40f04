"""Checks of webhooks and the feed: what is not told, and to whom."""

from __future__ import annotations

__all__ = ["CHECKS"]

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from penstock.runtime.diagnostics.doctor.finding import Finding, Level, Reading
from penstock.runtime.diagnostics.duration import duration
from penstock.runtime.redis.plans.hook_states import HookState

FAILING: Final = 3600.0
"""Seconds of failures after which a receiver is not just away for a moment."""

WAITS: Final = 60.0
"""Seconds within which some worker must have taken a change."""

UNREAD: Final = 600.0
"""Seconds for which it is told that a worker could not read a delivery."""

SPAN: Final = 3600.0
"""Seconds that a feed should reach back, so that a follower may be away for a while."""

KEYS: Final = "give all workers the same PENSTOCK_ENCRYPTION_KEYS"


def _outbox(reading: Reading) -> Iterator[Finding]:
    outbox = reading.outbox
    if outbox.lost:
        yield Finding(
            "webhooks",
            Level.PROBLEM,
            f"{outbox.lost} changes of runs were lost in the last weeks",
            "No webhook was told of them. Too many waited, as they do while no `penstock worker` "
            "is alive; or no worker could read them, and their logs say which.",
            "penstock worker flows.py",
        )
    if outbox.unread_urls:
        yield Finding(
            "webhooks",
            Level.WARNING,
            f"a worker could not read what {outbox.unread_urls} URLs of runs are to be told",
            "It is left to workers with the key; if there is none, it is lost after five days.",
            KEYS,
        )
    if outbox.changes and outbox.oldest > WAITS:
        yield Finding(
            "webhooks",
            Level.WARNING,
            f"{outbox.changes} changes of runs wait, the first for {duration(outbox.oldest)}",
            "No worker sends webhooks, or none has the keys for them. Plain RQ workers send none.",
            "penstock worker flows.py",
        )


def _webhooks(reading: Reading) -> Iterator[Finding]:
    hooks = reading.outbox.webhooks
    found = [finding for hook in hooks for finding in _one(hook)]
    yield from found
    if hooks and not found:
        waiting = sum(each.waiting for each in hooks)
        yield Finding("webhooks", Level.OK, f"{len(hooks)} enabled, {waiting} deliveries wait")


def _one(hook: HookState) -> Iterator[Finding]:
    name, show = f"webhook {hook.webhook_id!r}", f"penstock webhooks show {hook.webhook_id}"
    if hook.disabled:
        yield Finding(
            "webhooks",
            Level.WARNING,
            f"{name} is disabled: {hook.disabled}; {hook.waiting} deliveries wait",
            f"Its receiver is told of nothing; it missed {hook.counts.get('skipped', 0)} changes.",
            f"penstock webhooks enable {hook.webhook_id}, or penstock webhooks delete "
            f"{hook.webhook_id}",
        )
    elif hook.failing > FAILING:
        yield Finding(
            "webhooks",
            Level.WARNING,
            f"{name} has failed for {duration(hook.failing)}: {hook.error}",
            f"{hook.waiting} deliveries wait; after five days of failures it is disabled.",
            f"{show}; penstock webhooks enable {hook.webhook_id} sends at once what waits",
        )
    if hook.unread is not None and hook.unread < UNREAD and hook.waiting:
        yield Finding(
            "webhooks",
            Level.WARNING,
            f"a worker could not read deliveries to {name}, {hook.waiting} wait",
            "They are left to workers with the key; if there is none, they wait for ever.",
            KEYS,
        )


def _feed(reading: Reading) -> Iterator[Finding]:
    feed = reading.feed
    if not feed.entries:
        return
    reach = f"{feed.entries} changes, of the last {duration(feed.spans)}"
    if 0 < reading.feed_limit <= feed.entries and feed.spans < SPAN:
        yield Finding(
            "feed",
            Level.WARNING,
            f"the feed is full with {reach}",
            "A follower that is away for longer than that gets a FeedExpiredError.",
            f"PENSTOCK_FEED={10 * reading.feed_limit} for all processes that enqueue",
        )
    else:
        yield Finding("feed", Level.OK, reach)


def _unread(reading: Reading) -> Iterator[Finding]:
    unread = reading.unread("webhooks", outbox="webhooks", feed="the feed")
    if unread:
        yield unread


CHECKS: Final[Sequence[Callable[[Reading], Iterator[Finding]]]] = (
    _outbox,
    _webhooks,
    _feed,
    _unread,
)
