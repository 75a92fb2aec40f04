"""The outbox of webhooks, as a worker empties it: plans without IO."""

from __future__ import annotations

__all__ = ["FINAL", "Change", "HookOutbox", "Outcome", "Taken", "backoff"]

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, cast

from penstock.publisher.chance import chance
from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import EncryptionError
from penstock.publisher.redis.script import Call
from penstock.runtime.redis.calls import Calls
from penstock.runtime.redis.plans.creation import WEBHOOK
from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.redis.plans.webhooks import read_record
from penstock.runtime.redis.run_record import read_tags
from penstock.runtime.types.feed_entry import FeedEntry, feed_filter, passes
from penstock.runtime.types.run import RunStatus
from penstock.runtime.types.webhook import WebhookRecord

PAGE: Final = 100
"""Changes that are read at once."""

SIZE: Final = 64 * 1024
"""Bytes of a body, at most."""

AFTER: Final = (5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600)
"""Seconds after which the second, third... try is made."""

FINAL: Final = len(AFTER) + 1
"""The number of the last try."""

Change: TypeAlias = tuple[bytes, Mapping[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that this worker has claimed."""

    webhook_id: str
    """`~` and a digest for a URL that a run was given itself."""
    id: str
    number: int
    event: str
    body: str
    url: str
    """Where that is not the webhook's."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try went: the HTTP status, 0 without an answer, and what is wrong."""

    status: int
    error: str
    seconds: float
    at: float


def backoff(number: int) -> int | None:
    """Return the milliseconds after a try of a number until the next; None after the last."""
    if number >= FINAL:
        return None
    return round(1000 * AFTER[number - 1] * chance.uniform(1.0, 1.2))


class HookOutbox:
    """Makes deliveries of changes, claims them, and notes how they went."""

    def __init__(self, plans: RequestPlans) -> None:
        self._calls: Calls = plans.calls
        self._keys = plans.keys
        self._codec: Codec = plans.codec

    def records(self) -> Plan[dict[str, WebhookRecord]]:
        """Read all webhooks.

        Raises:
            EncryptionError: there is no key for one here.
        """
        found = yield ("HGETALL", self._keys.webhooks)
        return {
            name.decode(): read_record(self._codec, name.decode(), text)
            for name, text in found.items()
        }

    def changes(self) -> Plan[Sequence[Change]]:
        """Read the oldest changes."""
        rows: Sequence[Change] = yield ("XRANGE", self._keys.hooks, "-", "+", "COUNT", PAGE)
        return rows

    def route(self, row: Change, records: Mapping[str, WebhookRecord]) -> Call:
        """Make the deliveries of a change."""
        fields = {
            name.decode(): text.decode("utf-8", "surrogatepass") for name, text in row[1].items()
        }
        entry = self._entry(row[0].decode(), fields)
        delivery, body = f"{entry.run_id}.{entry.seq}", _body(entry)
        urls = {
            webhook_id: ""
            for webhook_id, record in records.items()
            if entry.event in record.events and passes(feed_filter(**record.where), entry)
        }
        url = self._url(entry, fields["url"])
        if url and entry.event == "run.finished":
            urls[_own(url)] = url
        targets: list[tuple[str, str, str]] = []
        for webhook_id, url in urls.items():
            codec = self._codec.at("webhook", webhook_id, delivery)
            record = codec.dumps({"event": entry.event, "body": body, "url": url})
            targets.append((webhook_id, delivery, record))
        return self._calls.route_change(entry.cursor, entry.run_id, str(entry.seq), targets)

    def _url(self, entry: FeedEntry, sealed: str) -> str:
        """Return the URL that a run was given itself; "" for none, or without a key for it."""
        if not sealed:
            return ""
        try:
            return cast(str, self._codec.at("run", entry.run_id, WEBHOOK).loads(sealed))
        except EncryptionError:
            return ""

    def _entry(self, cursor: str, fields: Mapping[str, str]) -> FeedEntry:
        run_id = fields["run"]
        return FeedEntry(
            cursor=cursor,
            run_id=run_id,
            thread_id=fields["thread"] or run_id,
            entrypoint=fields["entrypoint"],
            event=fields["event"],
            seq=int(fields["seq"]),
            status=RunStatus(fields["status"]),
            time=datetime.fromtimestamp(int(cursor.partition("-")[0]) / 1000, UTC),
            cause=fields["cause"],
            tags=read_tags(fields["tags"], self._codec.at("run", run_id)),
        )

    def take(self, room: int, claim: float) -> Plan[list[Taken]]:
        """Claim deliveries that are due, for so many seconds; those that cannot be read stay."""
        replies = yield self._calls.take_deliveries(room, round(claim * 1000))
        return list(self._readable(replies))

    def _readable(self, replies: Iterable[Sequence[Any]]) -> Iterable[Taken]:
        for name, delivery, text, number in replies:
            webhook_id, each = name.decode(), delivery.decode()
            try:
                fields = self._codec.at("webhook", webhook_id, each).loads(text)
            except EncryptionError:
                continue  # a worker with the key may claim it after this one
            yield Taken(webhook_id, each, int(number), **fields)

    def sent(self, taken: Taken, outcome: Outcome) -> Plan[bool]:
        """Note how a try went; tells whether the webhook is disabled for it."""
        if not outcome.error:
            word, delay = "ok", None
        else:
            word = "gone" if outcome.status == 410 else "failed"
            delay = backoff(taken.number)
        told = {"id": taken.id, "event": taken.event, "number": taken.number}
        line = json.dumps(told | dataclasses.asdict(outcome))
        reply = yield self._calls.note_delivery(
            taken.webhook_id, taken.id, taken.number, word, delay, line, outcome.error
        )
        return bool(reply == b"DISABLED")


def _own(url: str) -> str:
    """Return what stands for a URL that is no webhook of its own."""
    return "~" + hashlib.blake2b(url.encode(), digest_size=12).hexdigest()


def _body(entry: FeedEntry) -> str:
    data: dict[str, Any] = {
        "run_id": entry.run_id,
        "thread_id": entry.thread_id,
        "entrypoint": entry.entrypoint,
        "status": entry.status,
        "seq": entry.seq,
        "cause": entry.cause,
        "tags": dict(entry.tags),
    }
    stamp = entry.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {"type": entry.event, "timestamp": stamp, "data": data}
    text = json.dumps(body, ensure_ascii=False)
    if len(text.encode("utf-8", "surrogatepass")) > SIZE:
        data["thread_id"] = None  # ids of threads may be long
        text = json.dumps(body)
    return text
