"""The outbox of webhooks, as a worker empties it: plans without IO."""

from __future__ import annotations

__all__ = ["FINAL", "PAGE", "Hook", "HookOutbox", "Outcome", "Taken", "backoff", "own_webhook_id"]

import dataclasses
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.publisher.chance import chance
from penstock.publisher.codec.codec import Codec
from penstock.publisher.redis.script import Call
from penstock.runtime.redis.hook_calls import HookCalls
from penstock.runtime.redis.plans.creation import WEBHOOK
from penstock.runtime.redis.plans.feed_row import FeedRow, read_cursor, read_entry, row_fields
from penstock.runtime.redis.plans.hook_states import OF_RUNS
from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.redis.plans.webhooks import UNREADABLE, read_record
from penstock.runtime.types.feed_entry import FeedEntry, feed_filter, passes
from penstock.runtime.types.run_filter import RunFilter
from penstock.runtime.types.webhook import WebhookRecord

logger = logging.getLogger(__name__)

PAGE: Final = 100
"""Changes that are read at once."""

SIZE: Final = 64 * 1024
"""Bytes of a body, at most."""

AFTER: Final = (5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600)
"""Seconds after which the second, third... try is made."""

FINAL: Final = len(AFTER) + 1
"""The number of the last try."""

PATIENCE: Final = 60.0
"""Seconds for which changes that workers read, but not this one, are left to others."""

LATER: Final = 15.0
"""Seconds after which a delivery that a worker could not read may be claimed again."""

READING: Final = 5.0
"""Seconds after which another worker reads changes, if the one that reads them has died."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook, as a worker reads it once for many changes."""

    record: WebhookRecord
    wanted: RunFilter

    def is_told(self, entry: FeedEntry) -> bool:
        """Whether it asks for a change."""
        return entry.event in self.record.events and passes(self.wanted, entry)


@dataclass(frozen=True, slots=True)
class Changes:
    """The oldest changes that no deliveries are made of yet."""

    rows: Sequence[FeedRow]
    given_up: int
    """Ms: what was written until then, and cannot be read, was left to others for long enough."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that this worker has claimed."""

    webhook_id: str
    """`~` and a digest for a URL that a run was given itself."""
    id: str
    claim: int
    """Which claim of it this is: what comes of an older one is not noted."""
    number: int
    """Which try this will be, from 1."""
    event: str
    body: str | None
    """None where there is no key for it here."""
    url: str
    """Where that is not the webhook's."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try to deliver: the HTTP status, 0 without an answer, and what is wrong."""

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
    """Makes deliveries of changes, claims them, and notes what came of each try."""

    def __init__(self, plans: RequestPlans) -> None:
        self._calls = HookCalls(plans.keys)
        self._keys = plans.keys
        self._codec: Codec = plans.codec

    def hooks(self) -> Plan[dict[str, Hook | None]]:
        """Read all webhooks; None for one that there is no key for here."""
        found = yield ("HGETALL", self._keys.webhooks)
        return {name.decode(): self._hook(name.decode(), text) for name, text in found.items()}

    def _hook(self, webhook_id: str, text: bytes) -> Hook | None:
        try:
            record = read_record(self._codec, webhook_id, text)
            return Hook(record, feed_filter(**record.where))
        except UNREADABLE:
            return None

    def changes(self, reader: str, after: str = "", left: int = 0) -> Plan[Changes]:
        """Read the oldest changes behind one, as the only worker that does.

        `left` is how many before these it has left to others, since it began with the first.
        """
        given_up, rows = yield self._calls.changes(
            reader, _ms(READING), after, PAGE, left=left, patience=_ms(PATIENCE)
        )
        pairs = [(row[0], zip(row[1][::2], row[1][1::2], strict=True)) for row in rows]
        return Changes([(cursor, dict(fields)) for cursor, fields in pairs], int(given_up))

    def let_others_read(self, reader: str, left: int = 0) -> Plan[None]:
        """Let other workers read changes, of which this one has left so many."""
        yield self._calls.changes(reader, 0, "", 0, left=left, patience=_ms(PATIENCE))

    def route(
        self, row: FeedRow, hooks: Mapping[str, Hook | None], given_up: int = 0
    ) -> Call | None:
        """Make the deliveries of a change; None: it is left to a worker that can read it.

        What workers have left for a minute keeps nothing from the others: a webhook counts it as
        skipped, and the URL of a run is not told. No clock but that of Redis has a say in it.
        """
        cursor = read_cursor(row)
        is_left = int(cursor.partition("-")[0]) > given_up
        try:
            fields = row_fields(row)
            tags, url = self._tags(fields), self._url(fields)
            entry = read_entry(cursor, fields, tags or {})
        except UNREADABLE:  # malformed, or of a later release, which knows what this one does not
            return None if is_left else self._lost(row)
        is_whole = None not in (tags, url, *hooks.values())
        if not is_whole and is_left:
            return None
        if url is None:
            logger.error(
                "the webhook of run %s is not told of its end: no worker had the key for it",
                entry.run_id,
                extra={"run_id": entry.run_id, "event": "webhook.lost"},
            )
        targets = list(self._targets(entry, url, hooks))
        return self._calls.route_change(entry.cursor, entry.run_id, str(entry.seq), targets)

    def _lost(self, row: FeedRow) -> Call:
        cursor, run, seq = read_cursor(row), row[1].get(b"run", b""), row[1].get(b"seq", b"")
        logger.error(
            "change %s of run %r is lost to webhooks: no worker could read it",
            cursor,
            run,
            extra={"event": "webhook.lost"},
        )
        return self._calls.lose_change(cursor, run, seq)

    def _targets(
        self, entry: FeedEntry, own: str | None, hooks: Mapping[str, Hook | None]
    ) -> Iterator[tuple[str, str, str]]:
        """Give what is told of a change: the id of a webhook, that of the delivery, its record."""
        delivery, body = f"{entry.run_id}.{entry.seq}", _body(entry)
        urls = {
            name: "" for name, hook in hooks.items() if hook is not None and hook.is_told(entry)
        }
        for webhook_id, url in (urls | ({own_webhook_id(own): own} if own else {})).items():
            codec = self._codec.at("webhook", webhook_id, delivery)
            record = codec.dumps({"event": entry.event, "body": body, "url": url})
            yield webhook_id, delivery, record
        unread = [name for name, hook in hooks.items() if hook is None]
        yield from ((name, delivery, "") for name in [*unread, *([OF_RUNS] if own is None else [])])

    def _tags(self, fields: Mapping[str, str]) -> Mapping[str, str] | None:
        return self._opened(fields, "tags", fields["tags"]) if fields["tags"] else {}

    def _url(self, fields: Mapping[str, str]) -> str | None:
        """Read the URL that a run was given itself, which is told of its end alone."""
        is_told = fields["url"] and fields["event"] == "run.finished"
        return self._opened(fields, WEBHOOK, fields["url"]) if is_told else ""

    def _opened(self, fields: Mapping[str, str], place: str, text: str) -> Any:
        """Read what is sealed as in the hash of its run; None without a key for it."""
        try:
            return self._codec.at("run", fields["run"], place).loads(text)
        except UNREADABLE:
            return None

    def take(self, room: int, claim: float) -> Plan[list[Taken]]:
        """Claim deliveries that are due, for so many seconds."""
        replies = yield self._calls.take_deliveries(room, _ms(claim))
        return [self._taken(*reply) for reply in replies]

    def _taken(self, name: bytes, delivery: bytes, text: bytes, claim: int, tries: bytes) -> Taken:
        webhook_id, each = name.decode(), delivery.decode()
        numbers = int(claim), int(tries) + 1
        try:
            fields: Any = self._codec.at("webhook", webhook_id, each).loads(text)
            return Taken(webhook_id, each, *numbers, fields["event"], fields["body"], fields["url"])
        except UNREADABLE:
            return Taken(webhook_id, each, *numbers, event="", body=None, url="")

    def leave(self, taken: Taken) -> Plan[None]:
        """Leave a delivery to a worker that can read it, after a moment."""
        yield self._calls.note_delivery(
            taken.webhook_id, taken.id, taken.claim, "later", _ms(LATER), "", ""
        )

    def sent(self, taken: Taken, outcome: Outcome) -> Plan[bool]:
        """Note what came of a try; tells whether the webhook is disabled for it."""
        if not outcome.error:
            word, delay = "ok", None
        else:
            word = "gone" if outcome.status == 410 else "failed"
            delay = backoff(taken.number)
        told = {"id": taken.id, "event": taken.event, "number": taken.number}
        line = json.dumps(told | dataclasses.asdict(outcome))
        reply = yield self._calls.note_delivery(
            taken.webhook_id, taken.id, taken.claim, word, delay, line, outcome.error
        )
        return bool(reply == b"DISABLED")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def own_webhook_id(url: str) -> str:
    """Return the id that stands for a URL that a run was given itself."""
    return OF_RUNS + hashlib.blake2b(url.encode(), digest_size=12).hexdigest()


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
