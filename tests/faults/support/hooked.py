"""The deliveries of webhooks, as all their keys have them: I38 of `invariants`."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.support.snapshot import Snapshot


def hooked_wrongly(now: Snapshot) -> Iterator[str]:
    """Name the webhooks whose keys do not agree."""
    start = f"{now.prefix}:webhook:"
    named = now.hashes.get(f"{now.prefix}:webhooks", {})
    ids = {key.removeprefix(start).partition(":")[0] for key in now.ttls if key.startswith(start)}
    for webhook_id in sorted(ids):
        if webhook_id not in named and webhook_id[0] != "~":
            yield f"I38 webhook {webhook_id} was deleted, and has keys"
        yield from _deliveries(webhook_id, now)
        yield from _times(webhook_id, now, is_named=webhook_id in named)


def _deliveries(webhook_id: str, now: Snapshot) -> Iterator[str]:
    key = f"{now.prefix}:webhook:{webhook_id}"
    waiting = now.hashes.get(f"{key}:waiting", {})
    stored = {name for name in waiting if "/" not in name}
    due, sending = now.scores.get(f"{key}:due", {}), now.scores.get(f"{key}:sending", {})
    if stored != {*due}:
        yield f"I38 webhook {webhook_id}: {stored} are stored, {sorted(due)} are due"
    if counted := {name.partition("/")[0] for name in waiting} - stored:
        yield f"I38 webhook {webhook_id}: claims of {counted} are left"
    if lost := {*sending} - {*due}:
        yield f"I38 webhook {webhook_id}: {lost} are being sent, and do not wait"
    is_disabled = "disabled" in now.hashes.get(key, {})
    if due and not is_disabled and webhook_id not in now.index("webhooks:due"):
        yield f"I38 webhook {webhook_id}: nobody sends {sorted(due)}"


def _times(webhook_id: str, now: Snapshot, *, is_named: bool) -> Iterator[str]:
    key = f"{now.prefix}:webhook:{webhook_id}"
    is_disabled = "disabled" in now.hashes.get(key, {})
    for part in ("", ":waiting", ":due"):
        ends = now.ttls.get(f"{key}{part}")
        is_kept = is_named and (part == "" or not is_disabled)
        if ends is not None and (ends == -1) != is_kept:
            yield f"I38 webhook {webhook_id}: {key}{part} has the TTL {ends}"
