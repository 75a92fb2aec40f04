"""Webhooks: which changes of runs are posted to which URL, and how that went."""

from __future__ import annotations

__all__ = [
    "DEFAULT_EVENTS",
    "EVENTS",
    "Webhook",
    "WebhookDelivery",
    "WebhookRecord",
    "checked_events",
    "checked_secret",
    "checked_webhook_id",
    "new_secret",
    "secret_bytes",
    "webhook_fields",
]

import base64
import binascii
import dataclasses
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from penstock.publisher.codec.registry import register_type
from penstock.runtime.errors import ConfigurationError

EVENTS: Final = ("run.queued", "run.interrupted", "run.resumed", "run.finished")
DEFAULT_EVENTS: Final = ("run.finished",)

TEST: Final = "webhook.test"
"""The type of what `test` sends."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_SECRET: Final = "whsec_"


@register_type
@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL that is told of changes of runs, and how that has gone so far."""

    __stored_name__ = "penstock.runtime.Webhook"

    id: str
    url: str
    events: tuple[str, ...] = DEFAULT_EVENTS
    where: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The filters of `client.follow` that a change passes."""
    disabled: str = ""
    """Why nothing is sent; empty while it is enabled."""
    waiting: int = 0
    """Deliveries that are under way, or will be tried again."""
    delivered: int = 0
    failed: int = 0
    """Deliveries given up after the last try."""
    dropped: int = 0
    """Changes that it was not told of, as too many deliveries waited."""
    skipped: int = 0
    """Changes that it was not told of, as it was disabled, or no worker had the key for it."""
    failing_since: datetime | None = None
    """The first failure since the last success, while something waits."""
    last_delivered: datetime | None = None
    last_failed: datetime | None = None
    error: str = ""
    """What the last failure was."""
    unreadable: str = ""
    """Why its URL, events and filters cannot be read here; only `list` returns such a one."""
    secret: str = field(default="", repr=False)
    """What deliveries are signed with; only in what `put` returns, if it has made or got one."""


@register_type
@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One try to deliver."""

    __stored_name__ = "penstock.runtime.WebhookDelivery"

    id: str
    """The header `webhook-id`: `<run>.<seq>`, the same in all tries."""
    event: str
    number: int
    """Which try it was, from 1."""
    status: int
    """The HTTP status of the answer; 0 without one."""
    error: str
    """What went wrong; empty if it was delivered."""
    seconds: float
    at: datetime


def webhook_fields(webhook: Webhook) -> dict[str, Any]:
    """Return what is shown of a webhook: its secret only where it has just been made or given."""
    fields = {each.name: getattr(webhook, each.name) for each in dataclasses.fields(webhook)}
    return {name: value for name, value in fields.items() if value or name != "secret"}


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """What is stored of a webhook, sealed if there are keys."""

    url: str
    events: tuple[str, ...]
    where: Mapping[str, Any]
    secret: str = field(repr=False)
    previous: str = field(default="", repr=False)
    """The secret before this one, with which deliveries are signed as well."""
    previous_until: float = 0.0
    """Until when, in seconds since 1970."""

    def secrets_at(self, now: float) -> tuple[str, ...]:
        """Return the secrets to sign with at a time."""
        is_rotating = self.previous and now < self.previous_until
        return (self.secret, self.previous) if is_rotating else (self.secret,)


def checked_webhook_id(webhook_id: object) -> str:
    """Return the id of a webhook.

    Raises:
        ConfigurationError: it has other characters than those, or too many.
    """
    if not isinstance(webhook_id, str) or not _ID.fullmatch(webhook_id):
        raise ConfigurationError(
            f"webhook id {str(webhook_id)[:80]!r}: use letters, digits, '_' and '-', at most 100."
        )
    return webhook_id


def checked_events(events: Iterable[str]) -> tuple[str, ...]:
    """Return the events that a webhook is told of, each once.

    Raises:
        ConfigurationError: there is none, or one that the feed does not have.
    """
    wanted = (events,) if isinstance(events, str) else tuple(events)
    if not wanted or not set(wanted) <= set(EVENTS):
        raise ConfigurationError(
            f"the events of a webhook are some of {', '.join(EVENTS)}, not {list(wanted)!r}."
        )
    return tuple(event for event in EVENTS if event in wanted)


def new_secret() -> str:
    """Make a secret, as Standard Webhooks writes it."""
    return _SECRET + base64.b64encode(secrets.token_bytes(32)).decode()


def checked_secret(secret: str) -> str:
    """Return a secret that was given.

    Raises:
        ConfigurationError: it is not `whsec_` and the base64 of 24 to 64 bytes.
    """
    try:
        size = len(secret_bytes(secret))
    except (ValueError, binascii.Error):
        size = 0
    if not secret.startswith(_SECRET) or not 24 <= size <= 64:
        raise ConfigurationError(
            "the secret of a webhook is 'whsec_' and the base64 of 24 to 64 random bytes; without "
            "one, put makes it and returns it."
        )
    return secret


def secret_bytes(secret: str) -> bytes:
    """Return the bytes of a secret, which signatures are made with."""
    return base64.b64decode(secret.removeprefix(_SECRET), validate=True)
