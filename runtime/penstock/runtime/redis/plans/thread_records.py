"""The records of threads: made, changed and read, as plans without IO."""

from __future__ import annotations

__all__ = ["ThreadRecords"]

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from penstock.publisher.codec.codec import Codec
from penstock.runtime.errors import ConfigurationError, ThreadExistsError, ThreadNotFoundError
from penstock.runtime.redis.keys import Keys, thread_bytes, thread_key
from penstock.runtime.redis.plans.requests import Plan, ReadingCommand, Reads
from penstock.runtime.redis.record_calls import FIELDS, Keeping, RecordCalls
from penstock.runtime.redis.thread_pairs import pairs_of
from penstock.runtime.settings import Settings
from penstock.runtime.types.moment import moment_of
from penstock.runtime.types.thread_record import ThreadRecord, ThreadStatus

LARGEST: Final = 255
"""Bytes of the id of a thread that is given a record."""


class ThreadRecords:
    """The plans for one Redis and one way to write values."""

    def __init__(self, keys: Keys, codec: Codec, settings: Settings) -> None:
        self.keys = keys
        self.codec = codec
        self.calls = RecordCalls(keys)
        self._retention = round(settings.thread_retention * 1000)

    def create(
        self,
        thread_id: str,
        metadata: Mapping[str, Any],
        *,
        if_exists: Literal["raise", "do_nothing"] = "raise",
        ttl: float | None = None,
    ) -> Plan[bool]:
        """Make the record of a thread; tells whether there was none.

        With `do_nothing`, a thread that has one keeps it, and one that has none is given one. `ttl`
        is for how many seconds it is kept after its last run; None as the settings say.

        Raises:
            ThreadExistsError: there is such a thread.
        """
        checked_thread_id(thread_id)
        wanted: Literal["new", "any"] = "new" if if_exists == "raise" else "any"
        keeping = self._keeping(thread_id, wanted, b"", metadata, ttl)
        word = (yield self.calls.keep(keeping)).decode()
        if word == "OK":
            return True
        if if_exists == "raise":
            raise ThreadExistsError(
                f"there is a thread {thread_id!r}: give another id, or if_exists='do_nothing'."
            )
        return False

    def merge(
        self, thread_id: str, metadata: Mapping[str, Any], ttl: float | None = None
    ) -> Plan[None]:
        """Add to the metadata of a thread; one that has no record is given one.

        Raises:
            ThreadNotFoundError: nobody knows the thread.
        """
        word, place = "MOVED", ("HGET", self.keys.thread(thread_key(thread_id)), "record")
        nonce = uuid.uuid4().hex
        while word == "MOVED":
            before: bytes = (yield place) or b""
            known = self._metadata(thread_id, before)
            if (
                before
                and ttl is None
                and all(name in known and known[name] == value for name, value in metadata.items())
            ):
                return
            merged = {**known, **metadata}
            keeping = self._keeping(thread_id, "known", before, merged, ttl, nonce)
            word = (yield self.calls.keep(keeping)).decode()
        if word == "UNKNOWN":
            raise ThreadNotFoundError(f"no thread {thread_id!r}.")

    def relist(self, thread_id: str) -> Plan[None]:
        """Put a thread that has a record into the lists that it belongs in.

        Raises:
            ThreadNotFoundError: there is no such thread, or it has no record.
        """
        word, place = "MOVED", ("HGET", self.keys.thread(thread_key(thread_id)), "record")
        while word == "MOVED":
            before: bytes = (yield place) or b""
            if not before:
                raise ThreadNotFoundError(f"thread {thread_id!r} has no record.")
            metadata = self._metadata(thread_id, before)
            keeping = self._keeping(thread_id, "known", before, metadata, None)
            word = (yield self.calls.keep(keeping)).decode()

    def find(self, thread_id: str) -> Plan[ThreadRecord | None]:
        """Read the record of a thread; None if it has none."""
        found = yield from self.read([thread_id])
        return found[0]

    def read(self, thread_ids: Sequence[str]) -> Plan[list[ThreadRecord | None]]:
        """Read records; None where a thread has none."""
        commands: list[ReadingCommand] = []
        for each in thread_ids:
            name, member = thread_key(each), thread_bytes(each)
            commands.append(("HMGET", self.keys.thread(name), *FIELDS))
            commands.append(("ZSCORE", self.keys.threads, member))
            commands.append(("ZSCORE", self.keys.threads_of("ending"), member))
        if not commands:
            return []
        replies = yield Reads(commands)
        return [
            self._record(each, *replies[3 * at : 3 * at + 3]) for at, each in enumerate(thread_ids)
        ]

    def _record(
        self, thread_id: str, fields: Sequence[bytes | None], changed: Any, ending: Any
    ) -> ThreadRecord | None:
        listed, created, record, ttl, run = fields
        if listed is None or created is None:
            return None
        return ThreadRecord(
            thread_id,
            ThreadStatus(listed.decode()),
            moment_of(created),
            moment_of(created if changed is None else changed),
            self._metadata(thread_id, record or b""),
            float(ttl) / 1000 if ttl and float(ttl) else None,
            None if ending is None else moment_of(ending),
            (run or b"").decode(),
        )

    def _keeping(
        self,
        thread_id: str,
        wanted: Literal["new", "any", "known"],
        before: bytes,
        metadata: Mapping[str, Any],
        ttl: float | None,
        nonce: str = "",
    ) -> Keeping:
        return Keeping(
            thread_id,
            nonce or uuid.uuid4().hex,
            wanted,
            before,
            self._at(thread_id).dumps(dict(metadata), f"metadata of thread {thread_id!r}"),
            pairs_of(metadata, self.codec),
            None if ttl is None else max(1, round(ttl * 1000)),
            self._retention,
        )

    def _metadata(self, thread_id: str, record: bytes) -> dict[str, Any]:
        found: dict[str, Any] = self._at(thread_id).loads(record or b"{}")
        return found

    def _at(self, thread_id: str) -> Codec:
        return self.codec.at("thread", thread_id, "record")


def checked_thread_id(thread_id: str) -> str:
    """Return the id of a thread that is to be given a record.

    Raises:
        ConfigurationError: it is empty or too long.
    """
    if not 0 < len(thread_bytes(thread_id)) <= LARGEST:
        raise ConfigurationError(f"the id of a thread has 1 to {LARGEST} bytes.")
    return thread_id
