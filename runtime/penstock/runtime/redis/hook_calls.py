"""The script calls for webhooks: their records, the changes to be told, and deliveries. No IO."""

from __future__ import annotations

__all__ = ["HookCalls"]

from collections.abc import Iterable
from typing import Final

from penstock.publisher.redis.script import Call, load
from penstock.runtime.redis.keys import Keys, first_arguments

_AT_ONCE: Final = 4
"""Deliveries of one webhook that are sent at once."""

_WAITING: Final = 100_000
"""Deliveries of one webhook that may wait."""

_FAILING: Final = 5 * 24 * 3600 * 1000
"""Milliseconds of failures that disable a webhook."""

_KEPT: Final = 5 * 24 * 3600 * 1000
"""Milliseconds for which deliveries are kept of a webhook that is disabled, or of one run alone."""

_LOST: Final = 30 * 24 * 3600 * 1000
"""Milliseconds for which it is counted that changes were lost."""

_UNREAD: Final = 60_000
"""Milliseconds without a reader after which the others' time to read a change begins anew."""

_LOGGED: Final = 100
"""Tries that are remembered of a webhook."""


class HookCalls:
    """Builds the calls for one pair of key prefixes."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys

    def _call(self, name: str, *args: str | bytes | int) -> Call:
        script = load("penstock.runtime.redis.scripts", f"hook_{name}")
        return Call(script, (), (*first_arguments(self.keys), *args))

    def put(self, webhook_id: str, before: str | bytes, record: str, most: int) -> Call:
        """Write a webhook, or delete it, if its record is as it was read."""
        return self._call("put", webhook_id, before, record, most)

    def mark(self, until: str, count: int) -> Call:
        """Let webhooks be told of open runs that were created until then (ms)."""
        return self._call("mark", until, count)

    def switch(self, webhook_id: str, disabled: str) -> Call:
        """Disable a webhook for a reason, or enable it by '', perhaps in several calls."""
        return self._call("switch", webhook_id, disabled, _KEPT)

    def changes(
        self, reader: str, claim: int, after: str, count: int, *, left: int, patience: int
    ) -> Call:
        """Read the oldest changes behind one, unless another reads; count 0: read no more.

        The reader has left so many on its way; each is left to others for `patience` ms.
        """
        given = (reader, claim, after, count, left, patience, _UNREAD)
        return self._call("changes", *given)

    def lose_change(self, change: str, run_id: bytes, seq: bytes) -> Call:
        """Delete a change that no worker can read, and count it."""
        kept = (_WAITING, _KEPT, _LOST)
        return self._call("route", change, run_id, seq, *kept)

    def route_change(
        self, change: str, run_id: str, seq: str, targets: Iterable[tuple[str, str, str]]
    ) -> Call:
        """Make deliveries of a change: each its webhook, its id and its record.

        The record is '' where no worker can read the webhook.
        """
        parts = [part for target in targets for part in target]
        kept = (_WAITING, _KEPT, "")
        return self._call("route", change, run_id, seq, *kept, *parts)

    def take_deliveries(self, room: int, claim: int) -> Call:
        """Claim deliveries that are due, for so many ms."""
        return self._call("take", room, _AT_ONCE, claim)

    def note_delivery(
        self,
        webhook_id: str,
        delivery: str,
        number: int,
        word: str,
        delay: int | None,
        line: str,
        error: str,
    ) -> Call:
        """Note how a try to deliver went, and when the next one is, in ms."""
        after = "" if delay is None else delay
        told = (webhook_id, delivery, number, word, after, line, error)
        return self._call("sent", *told, _FAILING, _KEPT, _LOGGED)
