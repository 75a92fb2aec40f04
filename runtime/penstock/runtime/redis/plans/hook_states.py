"""How webhooks and the feed do, read without a key, as plans without IO."""

from __future__ import annotations

__all__ = ["OF_RUNS", "FeedState", "HookState", "OutboxState", "feed_state", "outbox_state"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.requests import Plan, Reads
from penstock.runtime.redis.run_record import texts

LOOKED_AT: Final = 1000
"""Webhooks, and URLs of runs, that are looked at: those that are due first."""

OF_RUNS: Final = "~"
"""The id of all URLs together that runs were given themselves, which each begin with it."""


@dataclass(frozen=True, slots=True)
class HookState:
    """How the deliveries of a webhook go."""

    webhook_id: str
    disabled: str = ""
    """Why nothing is sent; empty while it is enabled."""
    waiting: int = 0
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    """Deliveries by outcome: `delivered`, `failed`, `dropped`, `skipped`."""
    failing: float = 0.0
    """Seconds for which all tries have failed; 0 if the last one did not."""
    error: str = ""
    unread: float | None = None
    """Seconds since a worker without the key claimed a delivery; None if none has."""


@dataclass(frozen=True, slots=True)
class OutboxState:
    """What waits to be delivered."""

    webhooks: Sequence[HookState] = ()
    changes: int = 0
    """Changes of runs that no worker has made deliveries of."""
    oldest: float = 0.0
    """Seconds for which the first of them has waited."""
    unread_urls: int = 0
    """URLs that runs were given themselves, with deliveries that a worker has had no key for."""
    lost: int = 0
    """Changes that were lost in the last weeks, as too many waited or none was read."""
    of_runs: HookState = HookState(OF_RUNS)
    """The URLs that runs were given themselves, together."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """What the feed keeps."""

    entries: int = 0
    spans: float = 0.0
    """Seconds from the oldest entry until now."""


def outbox_state(keys: Keys) -> Plan[OutboxState]:
    """Read how all webhooks do."""
    names, due, changes, first, lost, clock = yield Reads(
        [
            ("HKEYS", keys.webhooks),
            ("ZRANGE", keys.webhooks_due, 0, LOOKED_AT - 1),
            ("XLEN", keys.hooks),
            ("XRANGE", keys.hooks, "-", "+", "COUNT", 1),
            ("GET", keys.hooks_lost),
            ("TIME",),
        ]
    )
    ids, now = sorted(name.decode() for name in names), _seconds(clock)
    own = [each for name in due if (each := name.decode()).startswith(OF_RUNS)]
    totals, *read = yield Reads(
        [
            ("HGETALL", keys.webhook(OF_RUNS)),
            *(("HGET", keys.webhook(each), "unread") for each in own),
            *(("ZCARD", keys.webhook(f"{each}:due")) for each in own),
            *(("HGETALL", keys.webhook(each)) for each in ids),
            *(("ZCARD", keys.webhook(f"{each}:due")) for each in ids),
        ]
    )
    of_urls, replies = read[: 2 * len(own)], read[2 * len(own) :]
    unread, waiting_urls = of_urls[: len(own)], sum(of_urls[len(own) :])
    states = [
        _state(each, texts(fields), waiting, now)
        for each, fields, waiting in zip(ids, replies[: len(ids)], replies[len(ids) :], strict=True)
    ]
    waits = _since(first, now)
    return OutboxState(
        states,
        changes,
        waits,
        len([*filter(None, unread)]),
        int(lost or 0),
        _state(OF_RUNS, texts(totals), waiting_urls, now),
    )


def feed_state(keys: Keys) -> Plan[FeedState]:
    """Read how much the feed keeps."""
    entries, first, clock = yield Reads(
        [("XLEN", keys.feed), ("XRANGE", keys.feed, "-", "+", "COUNT", 1), ("TIME",)]
    )
    return FeedState(entries, _since(first, _seconds(clock)))


def _state(webhook_id: str, fields: Mapping[str, str], waiting: int, now: float) -> HookState:
    return HookState(
        webhook_id,
        fields.get("disabled", ""),
        waiting,
        {name: int(fields.get(name, 0)) for name in _OUTCOMES},
        _passed(fields["failing"], now) if "failing" in fields else 0.0,
        fields.get("error", ""),
        _passed(fields["unread"], now) if "unread" in fields else None,
    )


_OUTCOMES = ("delivered", "failed", "dropped", "skipped")


def _seconds(clock: Any) -> float:
    return float(int(clock[0]) + int(clock[1]) / 1e6)


def _since(first: Any, now: float) -> float:
    return _passed(first[0][0].decode().partition("-")[0], now) if first else 0.0


def _passed(moment: str, now: float) -> float:
    return max(0.0, now - int(moment) / 1000)
