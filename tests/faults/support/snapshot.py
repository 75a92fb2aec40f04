"""All keys of Penstock and of RQ as they are at one moment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import redis

from penstock.publisher.stored import event_of
from penstock.runtime.redis.run_record import whole

# One script, so that no change comes between two reads.
_DUMP: Final = """
local found = {}
for _, prefix in ipairs(ARGV) do
  for _, key in ipairs(redis.call('KEYS', prefix .. ':*')) do
    local kind = redis.call('TYPE', key).ok
    local value
    if kind == 'hash' then value = redis.call('HGETALL', key)
    elseif kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1)
    elseif kind == 'set' then value = redis.call('SMEMBERS', key)
    elseif key == prefix .. ':feed' or key == prefix .. ':hooks' then
      value = redis.call('XRANGE', key, '-', '+')
    elseif kind == 'stream' then value = {} -- results of RQ's ordinary jobs
    else value = redis.call('GET', key) end
    found[#found + 1] = { key, kind, redis.call('PTTL', key), value }
  end
end
return found
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored event, unread but for its JSON."""

    seq: int
    tree: Mapping[str, Any]

    @property
    def mode(self) -> str:
        return str(self.tree["mode"])

    @property
    def attempt(self) -> int:
        return int(self.tree.get("attempt", 1))


@dataclass(slots=True)
class Snapshot:
    """Keys by name: hashes as dicts, sorted sets as dicts of scores, events as entries."""

    prefix: str
    rq: str
    hashes: dict[str, dict[str, bytes]] = field(default_factory=dict[str, "dict[str, bytes]"])
    scores: dict[str, dict[str, float]] = field(default_factory=dict[str, "dict[str, float]"])
    members: dict[str, list[str]] = field(default_factory=dict[str, "list[str]"])
    logs: dict[str, list[Entry]] = field(default_factory=dict[str, "list[Entry]"])
    feed: list[dict[str, str]] = field(default_factory=list["dict[str, str]"])
    """The entries of the feed, the oldest first."""
    hooks: list[dict[str, str]] = field(default_factory=list["dict[str, str]"])
    """The changes that webhooks are not told of yet, the oldest first."""
    histories: dict[str, list[int]] = field(default_factory=dict[str, "list[int]"])
    """The numbers of a thread's checkpoints, by its key."""
    ttls: dict[str, int] = field(default_factory=dict[str, int])
    """Milliseconds, -1 for none."""
    _runs: dict[str, dict[str, str]] = field(default_factory=dict[str, "dict[str, str]"])
    _remotes: dict[str, dict[str, str]] = field(default_factory=dict[str, "dict[str, str]"])

    @classmethod
    def take(cls, client: redis.Redis, prefix: str = "penstock", rq: str = "rq") -> Snapshot:
        """Read all keys."""
        snapshot = cls(prefix, rq)
        rows = cast("Sequence[Any]", client.eval(_DUMP, 0, prefix, rq))
        for key, kind, ttl, value in rows:
            snapshot.ttls[_text(key)] = ttl
            snapshot._keep(_text(key), _text(kind), value)
        snapshot._sort()
        return snapshot

    def _keep(self, key: str, kind: str, value: Any) -> None:
        if kind == "hash":
            self.hashes[key] = {_text(name): text for name, text in _pairs(value)}
        elif kind == "zset":
            self.scores[key] = {_text(name): float(score) for name, score in _pairs(value)}
        elif key.startswith(f"{self.prefix}:history:"):
            name = key.removeprefix(f"{self.prefix}:history:")
            self.histories[name] = [int(text.partition(b" ")[0]) for text in value]
        elif key.startswith(f"{self.prefix}:events:"):
            self.logs[key] = [Entry(seq, json.loads(text)) for seq, text in map(event_of, value)]
        elif key == f"{self.prefix}:feed":
            self.feed = _entries(value)
        elif key == f"{self.prefix}:hooks":
            self.hooks = _entries(value)
        elif kind in ("list", "set"):
            self.members[key] = [_text(item) for item in value]

    def runs(self) -> dict[str, dict[str, str]]:
        """The fields of all runs by id, as text; without those that perform a remote step."""
        return self._runs

    def remotes(self) -> dict[str, dict[str, str]]:
        """The hashes of the runs that perform remote steps, by id, as text."""
        return self._remotes

    def _sort(self) -> None:
        start = f"{self.prefix}:run:"
        for key, fields in self.hashes.items():
            if key.startswith(start) and "status" in fields:
                run_id = key.removeprefix(start)
                run = whole(run_id, {name: _text(text) for name, text in fields.items()})
                (self._remotes if "home" in run else self._runs)[run_id] = run

    def remote(self, run_id: str) -> dict[str, str]:
        """Who performs the remote steps of a run, by step id."""
        fields = self.hashes.get(f"{self.prefix}:remote:{run_id}", {})
        return {name: _text(text) for name, text in fields.items()}

    def events(self, run_id: str) -> list[Entry]:
        """The stored events of a run."""
        return self.logs.get(f"{self.prefix}:events:{run_id}", [])

    def checkpoints(self, run_id: str) -> dict[str, bytes]:
        """What is recorded of a run."""
        return self.hashes.get(f"{self.prefix}:checkpoints:{run_id}", {})

    def index(self, name: str) -> dict[str, float]:
        """A sorted set of run ids."""
        return self.scores.get(f"{self.prefix}:{name}", {})

    def threads(self) -> dict[str, dict[str, str]]:
        """The hashes of all threads by key, as text."""
        start = f"{self.prefix}:thread:"
        return {
            key.removeprefix(start): {name: _text(text) for name, text in fields.items()}
            for key, fields in self.hashes.items()
            if key.startswith(start)
        }

    def waiting(self, thread_key: str) -> list[str]:
        """The runs that wait for their turn on a thread."""
        return self.members.get(f"{self.prefix}:waiting:{thread_key}", [])


def _entries(stream: Any) -> list[dict[str, str]]:
    pairs = (_pairs(fields) for _, fields in stream)
    return [{_text(name): _text(text) for name, text in each} for each in pairs]


def _pairs(flat: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
