"""The script calls that keep the records of threads, and read their replies. No IO."""

from __future__ import annotations

__all__ = ["FIELDS", "Keeping", "RecordCalls"]

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from penstock.publisher.redis.script import Call, load
from penstock.runtime.redis.keys import Keys, first_arguments, thread_bytes, thread_key, thread_text

FIELDS: Final = ("listed", "created", "record", "ttl", "run")
"""What is read of a thread's hash for its record."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """A record to be kept; the same nonce is kept once."""

    thread_id: str
    nonce: str
    wanted: Literal["new", "any", "known"]
    """That there is no such thread yet, that it has no record yet, or that there is one."""
    before: bytes
    """The record as far as the caller knows, empty for none."""
    record: str
    pairs: Sequence[str]
    """Digests by which it is found."""
    ttl: int | None = None
    """Milliseconds, 0 for ever, None as before."""
    retention: int = 0
    """The same for a thread that is made now."""


class RecordCalls:
    """Builds the calls for one prefix."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys

    def keep(self, kept: Keeping) -> Call:
        """Keep a record; the reply is OK, TAKEN, UNKNOWN or MOVED."""
        return self._call(
            "keep_thread",
            thread_key(kept.thread_id),
            thread_bytes(kept.thread_id),
            kept.nonce,
            kept.wanted,
            kept.before,
            kept.record,
            " ".join(kept.pairs),
            "" if kept.ttl is None else kept.ttl,
            kept.retention,
        )

    def unlist(self, thread_ids: Iterable[bytes]) -> Call:
        """Take threads that are gone out of the lists."""
        names = ((thread_key(thread_text(each)), each) for each in thread_ids)
        return self._call("unlist_threads", *(part for pair in names for part in pair))

    def _call(self, name: str, *args: str | bytes | int) -> Call:
        script = load("penstock.runtime.redis.scripts", name)
        return Call(script, (), (*first_arguments(self.keys), *args))
