"""Webhooks: written, read and switched, as plans without IO."""

from __future__ import annotations

__all__ = ["UNREADABLE", "WebhookPlans", "read_record"]

import dataclasses
import json
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import CodecError
from penstock.runtime.errors import ConfigurationError, WebhookNotFoundError
from penstock.runtime.redis.hook_calls import HookCalls
from penstock.runtime.redis.plans.requests import Plan, Reads, RequestPlans
from penstock.runtime.redis.run_record import texts
from penstock.runtime.settings import Settings
from penstock.runtime.types.feed_entry import FeedQuery, feed_filter
from penstock.runtime.types.webhook import (
    TEST,
    Webhook,
    WebhookDelivery,
    WebhookRecord,
    checked_events,
    checked_secret,
    checked_webhook_id,
    new_secret,
)
from penstock.runtime.types.webhook_url import AllowedHosts, checked_url

MOST: Final = 100
"""Webhooks of one Redis, at most: a worker compares each change with all of them."""

ROTATION: Final = 24 * 3600.0
"""Seconds for which deliveries are signed with the secret before as well, when it is replaced."""

AT_ONCE: Final = 1000
"""Open runs that one call looks at."""

UNREADABLE: Final = (CodecError, ConfigurationError, KeyError, TypeError, ValueError)
"""What text raises that there is no key for, that is corrupt, or of a later release."""

_UNKNOWN: Final = WebhookRecord("", (), {}, "")


class WebhookPlans:
    """The plans of a client for webhooks."""

    def __init__(self, plans: RequestPlans, settings: Settings) -> None:
        self._calls = HookCalls(plans.keys)
        self._keys = plans.keys
        self._codec = plans.codec
        self._allowed = AllowedHosts(settings.webhook_hosts)

    def put(
        self,
        webhook_id: str,
        url: str,
        events: Iterable[str],
        where: FeedQuery | None,
        secret: str | None,
    ) -> Plan[Webhook]:
        """Write a webhook; returns it with its secret if that is new.

        Raises:
            ConfigurationError: a part of it cannot be used, or there are too many.
        """
        webhook_id = checked_webhook_id(webhook_id)
        checked_url(url, self._allowed)
        given = WebhookRecord(
            url,
            checked_events(events),
            _checked_where(where),
            "" if secret is None else checked_secret(secret),
        )
        while True:
            before = yield ("HGET", self._keys.webhooks, webhook_id)
            record = self._following(webhook_id, before, given)
            text = self._codec.at("webhook", webhook_id).dumps(dataclasses.asdict(record))
            word = yield self._calls.put(webhook_id, before or "", text, MOST)
            if word == b"OK":
                break
            if word == b"FULL":
                raise ConfigurationError(
                    f"there are {MOST} webhooks already, as many as there may be: delete one."
                )
        yield from self._mark()  # always: who put it first may have died before this
        written = yield from self._read([(webhook_id, record)])
        is_new = before is None or secret is not None
        return dataclasses.replace(written[0], secret=record.secret if is_new else "")

    def _following(
        self, webhook_id: str, before: bytes | None, given: WebhookRecord
    ) -> WebhookRecord:
        if before is None:
            return dataclasses.replace(given, secret=given.secret or new_secret())
        known = read_record(self._codec, webhook_id, before)
        if given.secret in ("", known.secret):
            others = known.secret, known.previous, known.previous_until
        else:
            others = given.secret, known.secret, time.time() + ROTATION
        return WebhookRecord(given.url, given.events, given.where, *others)

    def _mark(self) -> Plan[None]:
        """Let runs that are open already tell of their changes."""
        at = "+inf"
        while at:
            reply = yield self._calls.mark(at, AT_ONCE)
            at = reply.decode()

    def get(self, webhook_id: str) -> Plan[Webhook]:
        """Read a webhook.

        Raises:
            WebhookNotFoundError: there is none of this id.
        """
        text = yield ("HGET", self._keys.webhooks, checked_webhook_id(webhook_id))
        if text is None:
            raise WebhookNotFoundError(webhook_id)
        record = read_record(self._codec, webhook_id, text)
        return (yield from self._read([(webhook_id, record)]))[0]

    def all(self) -> Plan[list[Webhook]]:
        """Read all webhooks, by id; of one that cannot be read, what stands beside its record."""
        found = yield ("HGETALL", self._keys.webhooks)
        records: dict[str, WebhookRecord] = {}
        reasons: dict[str, str] = {}
        for name in sorted(found):
            webhook_id = name.decode()
            try:
                records[webhook_id] = read_record(self._codec, webhook_id, found[name])
            except UNREADABLE as error:
                records[webhook_id] = _UNKNOWN
                reasons[webhook_id] = f"{type(error).__name__}: {error}"[:300]
        webhooks = yield from self._read([*records.items()])
        return [dataclasses.replace(each, unreadable=reasons.get(each.id, "")) for each in webhooks]

    def _read(self, stored: Sequence[tuple[str, WebhookRecord]]) -> Plan[list[Webhook]]:
        keys = self._keys
        commands: list[tuple[str, ...]] = []
        for webhook_id, _ in stored:
            commands.append(("HGETALL", keys.webhook(webhook_id)))
            commands.append(("ZCARD", keys.webhook(f"{webhook_id}:due")))
        replies = yield Reads(commands)
        return [
            _webhook(each, record, texts(replies[at]), replies[at + 1])
            for (each, record), at in zip(stored, range(0, len(replies), 2), strict=True)
        ]

    def delete(self, webhook_id: str) -> Plan[bool]:
        """Delete a webhook, with what waits; tells whether there was one."""
        webhook_id = checked_webhook_id(webhook_id)
        while True:
            before = yield ("HGET", self._keys.webhooks, webhook_id)
            if before is None:
                return False
            word = yield self._calls.put(webhook_id, before, "", MOST)
            if word == b"OK":
                return True

    def switch(self, webhook_id: str, disabled: str) -> Plan[None]:
        """Disable a webhook for a reason, or enable it by ''.

        Raises:
            WebhookNotFoundError: there is none of this id.
        """
        word = b"MORE"
        while word == b"MORE":
            word = yield self._calls.switch(checked_webhook_id(webhook_id), disabled)
        if word == b"UNKNOWN":
            raise WebhookNotFoundError(webhook_id)

    def test(self, webhook_id: str) -> Plan[str]:
        """Have workers deliver something that tells of no run; returns the id of the delivery.

        Raises:
            WebhookNotFoundError: there is none of this id.
            ConfigurationError: it is disabled, or too much waits for it.
        """
        webhook_id = checked_webhook_id(webhook_id)
        delivery = f"test.{uuid.uuid4().hex}"
        stamp = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        body = json.dumps({"type": TEST, "timestamp": stamp, "data": {"webhook": webhook_id}})
        codec = self._codec.at("webhook", webhook_id, delivery)
        record = codec.dumps({"event": TEST, "body": body, "url": ""})
        if not (yield self._calls.route_change("", "", "", [(webhook_id, delivery, record)])):
            yield from self._refuse(webhook_id)
        return delivery

    def _refuse(self, webhook_id: str) -> Plan[None]:
        """Raise why nothing is delivered to a webhook."""
        yield from self._check_exists(webhook_id)
        disabled = yield ("HGET", self._keys.webhook(webhook_id), "disabled")
        raise ConfigurationError(
            f"webhook {webhook_id!r} is disabled ({disabled.decode()}): enable it first."
            if disabled
            else f"too many deliveries wait for webhook {webhook_id!r}: see what it fails of."
        )

    def _check_exists(self, webhook_id: str) -> Plan[None]:
        if (yield ("HGET", self._keys.webhooks, webhook_id)) is None:
            raise WebhookNotFoundError(webhook_id)

    def deliveries(self, webhook_id: str, limit: int) -> Plan[list[WebhookDelivery]]:
        """Read the last tries of a webhook, the newest first.

        Raises:
            WebhookNotFoundError: there is none of this id.
            ConfigurationError: the limit is less than 1.
        """
        if limit < 1:
            raise ConfigurationError(f"limit is how many tries are read, 1 or more, not {limit}.")
        yield from self._check_exists(checked_webhook_id(webhook_id))
        rows = yield ("LRANGE", self._keys.webhook(f"{webhook_id}:log"), 0, limit - 1)
        return [_delivery(json.loads(row)) for row in rows]


def read_record(codec: Codec, webhook_id: str, text: bytes) -> WebhookRecord:
    """Read what is stored of a webhook, by the codec of the prefix.

    Raises:
        EncryptionError: there is no key for it here.
    """
    fields: Any = codec.at("webhook", webhook_id).loads(text)
    events: Any = tuple(fields["events"])
    return WebhookRecord(**{**fields, "events": events})


def _checked_where(where: FeedQuery | None) -> dict[str, Any]:
    given: dict[str, Any] = dict(where or {})
    status = given.get("status")
    try:
        if status is not None and not isinstance(status, str):
            given["status"] = [str(each) for each in status]
        feed_filter(**given)
    except TypeError:
        raise ConfigurationError(
            "the filters of a webhook are entrypoint, thread, tag and status, not "
            f"{', '.join(map(repr, given))}."
        ) from None
    if given.get("tag"):
        given["tag"] = dict(given["tag"])
    return {name: value for name, value in given.items() if value}


def _webhook(
    webhook_id: str, record: WebhookRecord, state: Mapping[str, str], waiting: int
) -> Webhook:
    return Webhook(
        webhook_id,
        record.url,
        record.events,
        record.where,
        state.get("disabled", ""),
        waiting,
        delivered=_count(state, "delivered"),
        failed=_count(state, "failed"),
        dropped=_count(state, "dropped"),
        skipped=_count(state, "skipped"),
        failing_since=_moment(state, "failing"),
        last_delivered=_moment(state, "last_delivered"),
        last_failed=_moment(state, "last_failed"),
        error=state.get("error", ""),
    )


def _count(state: Mapping[str, str], name: str) -> int:
    return int(state.get(name, 0))


def _moment(state: Mapping[str, str], name: str) -> datetime | None:
    return datetime.fromtimestamp(int(state[name]) / 1000, UTC) if name in state else None


def _delivery(fields: Mapping[str, Any]) -> WebhookDelivery:
    at: Any = datetime.fromtimestamp(fields["at"], UTC)
    return WebhookDelivery(**{**fields, "at": at})
