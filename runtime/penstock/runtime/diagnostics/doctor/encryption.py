"""Check of the encryption keys: whether there are any, and whether they decrypt the runs."""

from __future__ import annotations

__all__ = ["CHECKS", "read_encryption"]

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, cast

from redis import Redis

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.encrypted import key_of
from penstock.publisher.codec.keyring import ENVIRONMENT
from penstock.publisher.errors import CodecError
from penstock.runtime.diagnostics.doctor.finding import Encryption, Finding, Level, Reading
from penstock.runtime.diagnostics.doctor.listed import newest_runs
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.run_record import CONFIG
from penstock.runtime.types.run import RunStatus

RUNS_READ: Final = 100
"""Runs of each status, the newest, that are looked at."""


def read_encryption(connection: Redis, keys: Keys, codec: Codec) -> Encryption:
    """Look at the newest runs of each status.

    Raises:
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    codec = codec.at(keys.prefix)
    runs: Counter[str] = Counter()
    unreadable: list[str] = []
    why = ""
    for status in RunStatus:
        for run_id in newest_runs(connection, keys, status, RUNS_READ):
            reply = connection.hmget(keys.run(run_id), "entrypoint", "config")
            entrypoint, text = cast("list[bytes | None]", reply)
            if entrypoint is None:
                continue
            text = text or CONFIG.encode()
            runs[key_of(text)] += 1
            try:
                codec.at("run", run_id, "config").loads(text)
            except CodecError as error:
                unreadable.append(run_id)
                why = why or str(error)
    return Encryption(codec.plain is not codec, runs, tuple(unreadable), why)


def _encryption(reading: Reading) -> Iterator[Finding]:
    seen = reading.encryption
    if unread := reading.unread("encryption", encryption="the newest runs"):
        yield unread
        return
    read = sum(seen.runs.values())
    if seen.unreadable:
        yield Finding(
            "encryption",
            Level.PROBLEM,
            f"{len(seen.unreadable)} of the {read} newest runs cannot be read here, such as "
            f"{seen.unreadable[0]}: {seen.why}",
            "On a worker with these settings such runs fail; with the right keys they continue.",
            f"give all apps and workers the same keys, new ones first: {ENVIRONMENT}",
        )
    elif seen.is_on:
        under = ", ".join(f"{count} under {key!r}" for key, count in seen.runs.items())
        yield Finding("encryption", Level.OK, f"on; newest runs: {under or 'none'}")
    else:
        yield Finding("encryption", Level.OK, "off: values are stored as they are")


CHECKS: Final[Sequence[Callable[[Reading], Iterator[Finding]]]] = (_encryption,)
