"""Checks of the server: what it keeps, what it deletes, and when it refuses writes."""

from __future__ import annotations

__all__ = ["KEEPING", "checks", "version"]

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from penstock.runtime.diagnostics.doctor.cluster import WHY, is_cluster
from penstock.runtime.diagnostics.doctor.finding import Finding, Level, Reading

OLDEST: Final = (6, 2)
CLOCK_WARNING: Final = 2.0
"""Seconds that the clocks of Redis and of this machine may differ."""

FULL: Final = 0.9
LAG: Final = 5
SMALLEST_BUFFER: Final = 1024 * 1024


def version(reading: Reading) -> Iterator[Finding]:
    """Check whether Penstock can work with such a server at all."""
    info = reading.info
    is_valkey = "valkey_version" in info
    name = "Valkey" if is_valkey else "Redis"
    number = str(info.get("valkey_version" if is_valkey else "redis_version", "0"))
    numbers = tuple(int(part) for part in number.split(".")[:2] if part.isdigit())
    if not is_valkey and numbers < OLDEST:
        yield Finding(
            "version",
            Level.PROBLEM,
            f"{name} {number}",
            "Penstock's scripts need Redis 6.2 or newer, or Valkey.",
            "upgrade the server",
        )
    elif is_cluster(info):
        yield Finding(
            "version",
            Level.PROBLEM,
            f"{name} {number} in cluster mode",
            "No run can be enqueued or executed; workers end when they start.",
            WHY,
        )
    else:
        yield Finding("version", Level.OK, f"{name} {number}")


def _persistence(reading: Reading) -> Iterator[Finding]:
    info, cli = reading.info, reading.cli
    turn_on = f"{cli} CONFIG SET appendonly yes; {cli} CONFIG REWRITE"
    if not info.get("aof_enabled"):
        if reading.config.get("save"):
            yield Finding(
                "persistence",
                Level.WARNING,
                f"snapshots only (save {reading.config['save']})",
                "A crash of the server loses all steps since the last snapshot; they run again.",
                turn_on,
            )
        else:
            yield Finding(
                "persistence",
                Level.PROBLEM,
                "nothing is written to disk, as far as this user can see",
                "A restart of the server loses all runs.",
                turn_on,
            )
        return
    yield _fsync(reading.config.get("appendfsync", "unknown"), cli)
    if info.get("aof_last_write_status", "ok") != "ok":
        yield Finding(
            "persistence",
            Level.PROBLEM,
            "the last write to the append-only file failed",
            "The server refuses writes until it can write to the file again.",
            "free space on the server's disk, and see its log",
        )


def _fsync(fsync: str, cli: str) -> Finding:
    if fsync == "no":
        return Finding(
            "persistence",
            Level.WARNING,
            "append-only file, synced when the system chooses (appendfsync no)",
            "A power cut loses the steps of the last half minute or so.",
            f"{cli} CONFIG SET appendfsync everysec; {cli} CONFIG REWRITE",
        )
    promise = {
        "everysec": "a power cut loses up to a second, a crash of the server nothing",
        "always": "no acknowledged write is lost",
    }.get(fsync, "CONFIG GET is not allowed here, so how often the file is synced is unknown")
    return Finding("persistence", Level.OK, f"append-only file, appendfsync {fsync}: {promise}")


def _memory(reading: Reading) -> Iterator[Finding]:
    info, cli = reading.info, reading.cli
    policy = str(info.get("maxmemory_policy", "noeviction"))
    limit, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
    fix = f"{cli} CONFIG SET maxmemory-policy noeviction; {cli} CONFIG REWRITE"
    if policy.startswith("allkeys"):
        yield Finding(
            "memory",
            Level.PROBLEM if limit else Level.WARNING,
            f"maxmemory-policy {policy}" + ("" if limit else ", with no maxmemory set"),
            "At maxmemory the server deletes any key: runs, steps and tickets get lost silently.",
            fix,
        )
    elif policy.startswith("volatile"):
        yield Finding(
            "memory",
            Level.WARNING,
            f"maxmemory-policy {policy}",
            "At maxmemory the server deletes runs that are over before their retention ends.",
            fix,
        )
    else:
        most = f" of {_bytes(limit)}" if limit else ", no limit"
        yield Finding("memory", Level.OK, f"maxmemory-policy {policy}, {_bytes(used)} used{most}")
    if limit and used > FULL * limit:
        yield Finding(
            "memory",
            Level.WARNING,
            f"{used / limit:.0%} of {_bytes(limit)} used",
            "When its memory is full, the server refuses new runs and steps.",
            f"{cli} CONFIG SET maxmemory {2 * limit}; or a shorter retention: PENSTOCK_RETENTION",
        )


def _pubsub(reading: Reading) -> Iterator[Finding]:
    words = reading.config.get("client-output-buffer-limit", "").split()
    if "pubsub" not in words:
        return
    hard = int(words[words.index("pubsub") + 1])
    fix = f'{reading.cli} CONFIG SET client-output-buffer-limit "pubsub 32mb 8mb 60"'
    if hard == 0:
        yield Finding(
            "pub/sub",
            Level.WARNING,
            "no limit to a subscriber's buffer",
            "A subscriber that does not read fills the server's memory.",
            fix,
        )
    elif hard < SMALLEST_BUFFER:
        yield Finding(
            "pub/sub",
            Level.WARNING,
            f"a subscriber is disconnected when it is {_bytes(hard)} behind",
            "No event is lost, but subscribers of fast runs keep reconnecting.",
            fix,
        )
    else:
        yield Finding("pub/sub", Level.OK, f"a subscriber may be {_bytes(hard)} behind")


def _replication(reading: Reading) -> Iterator[Finding]:
    info = reading.info
    if info.get("role") == "slave":
        yield Finding(
            "replication",
            Level.PROBLEM,
            f"this is a replica of {info.get('master_host')}:{info.get('master_port')}",
            "A replica takes no writes, so no run can be enqueued or executed.",
            f"use redis://{info.get('master_host')}:{info.get('master_port')}",
        )
        return
    count = int(info.get("connected_slaves", 0))
    replicas: list[dict[str, Any]] = [info.get(f"slave{number}") or {} for number in range(count)]
    lags = [int(one.get("lag", 0)) for one in replicas]
    if lags and max(lags) > LAG:
        yield Finding(
            "replication",
            Level.WARNING,
            f"a replica is {max(lags)} s behind",
            "A failover to it loses the steps since then; they run again.",
            "see the replica's log and its network",
        )
    elif lags:
        yield Finding("replication", Level.OK, f"{count} replicas, at most {max(lags)} s behind")


def _clock(reading: Reading) -> Iterator[Finding]:
    off = reading.clock_offset
    if unread := reading.unread("clock", clock_offset="the server's time"):
        yield unread
        return
    if abs(off) > CLOCK_WARNING:
        which = "ahead of" if off > 0 else "behind"
        yield Finding(
            "clock",
            Level.WARNING,
            f"Redis's clock is {abs(off):.1f} s {which} this machine's",
            "Leases follow Redis's clock and are safe; the times of events and steps look odd.",
            "let both machines follow a time server (chronyc tracking)",
        )
    else:
        yield Finding("clock", Level.OK, f"{abs(off) * 1000:.0f} ms off this machine's clock")


def _bytes(number: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"


def _unread(reading: Reading) -> Iterator[Finding]:
    what = "INFO: version, persistence, memory and replication"
    if unread := reading.unread("server", info=what):
        yield unread


Check: TypeAlias = "Callable[[Reading], Iterator[Finding]]"

_ALL: Final[Sequence[Check]] = (
    version,
    _persistence,
    _memory,
    _pubsub,
    _replication,
    _clock,
)

KEEPING: Final[Sequence[Check]] = (_persistence, _memory)
"""The checks of whether the server keeps its data."""


def checks(reading: Reading) -> Sequence[Check]:
    """Return the checks whose facts could be read."""
    return (_unread, _clock) if "info" in reading.refused else _ALL
