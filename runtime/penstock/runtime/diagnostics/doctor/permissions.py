"""What a Redis user may do, against what an app, a worker or a reader needs to do.

Nothing is changed to find out: each command is queued in a transaction that is discarded, as Redis
checks rights when it queues.
"""

from __future__ import annotations

__all__ = ["ROLES", "Rights", "require", "rights"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from penstock.publisher.errors import RedisUnavailableError
from penstock.runtime.diagnostics.doctor.finding import Finding, Level
from penstock.runtime.redis.keys import Keys


@dataclass(frozen=True, slots=True)
class Role:
    """What a kind of process needs: commands, and patterns of keys and channels, by their ends."""

    commands: str
    keys: str
    channels: str


_READ: Final = (
    "hget hgetall hkeys hmget lindex llen lpos lrange ping subscribe time unsubscribe "
    "xlen xrange xread xrevrange zcard zinter zmscore zrange zrangebyscore zrevrange "
    "zrevrangebyscore zscore"
)
_RUNS: Final = (
    "{p}:run:* {p}:open:* {p}:over:* {p}:causes {p}:cause:* {p}:feed {p}:checkpoints:* "
    "{p}:questions:* {p}:legs:* {p}:events:* {p}:remote:* "
    "{p}:thread:* {p}:threads {p}:threads:* {p}:history:* "
    "{p}:waiting:* {p}:leases {p}:ready {p}:entrypoints {rq}:queue:*"
)
_ASK: Final = (
    f"{_READ} eval evalsha exists get hdel hexists hlen hset hsetnx hvals lpop lpush lrem "
    "ltrim persist pexpire pttl publish rpush sadd set srem xadd zadd zincrby zrem"
)

_ASKED: Final = (
    f"{_RUNS} {{p}}:made:* {{p}}:graph:* {{p}}:parked:* {{p}}:timers "
    "{p}:hooks {p}:hooks:lost {p}:webhooks {p}:webhooks:due {p}:webhook:* "
    "{rq}:queues {rq}:job:* {rq}:finished:* {rq}:failed:*"
)

ROLES: Final[Mapping[str, Role]] = {
    "app": Role(
        _ASK,
        _ASKED,
        "{p}:channel{d}:* {p}:control{d}",
    ),
    "gateway": Role(
        f"{_ASK} del pubsub scard sismember smembers zcount zrangebylex",
        f"{_ASKED} {{p}}:api_keys {{p}}:session_secret {{p}}:store:* {{p}}:assistants "
        "{p}:assistant:* {p}:entrypoint:* {p}:app:* {rq}:workers "
        "{rq}:workers:* "
        "{rq}:worker:* {rq}:executions:* {rq}:suspended",
        "{p}:channel{d}:* {p}:control{d}",
    ),
    "worker": Role(
        f"{_ASK} blmove blpop del exec expire hincrby hrandfield lmove scard sinter "
        "sismember smembers type unwatch watch xdel zcount zpopmin zrandmember "
        "zremrangebyscore zrevrangebylex",
        "{p}:* {rq}:*",
        "{p}:* {rq}:pubsub:*",
    ),
    "reader": Role(_READ, _RUNS, "{p}:channel{d}:*"),
}
"""Kinds of users; `docs/acl` has a file with these rights for each."""

_KEY: Final = "<key>"
_CHANNEL: Final = "<channel>"
_ARGUMENTS: Final[Mapping[str, Sequence[str]]] = {
    "blmove": (_KEY, _KEY, "LEFT", "LEFT", "1"),
    "blpop": (_KEY, "1"),
    "discard": (),
    "eval": ("return 1", "0"),
    "evalsha": ("0" * 40, "0"),
    "exec": (),
    "expire": (_KEY, "1"),
    "hdel": (_KEY, "f"),
    "hexists": (_KEY, "f"),
    "hget": (_KEY, "f"),
    "hincrby": (_KEY, "f", "1"),
    "hmget": (_KEY, "f"),
    "hset": (_KEY, "f", "v"),
    "hsetnx": (_KEY, "f", "v"),
    "lindex": (_KEY, "0"),
    "lmove": (_KEY, _KEY, "LEFT", "LEFT"),
    "lpos": (_KEY, "v"),
    "lpush": (_KEY, "v"),
    "lrange": (_KEY, "0", "1"),
    "ltrim": (_KEY, "0", "1"),
    "lrem": (_KEY, "0", "v"),
    "multi": (),
    "pexpire": (_KEY, "1"),
    "ping": (),
    "publish": (_CHANNEL, ""),
    "pubsub": ("NUMSUB",),
    "rpush": (_KEY, "v"),
    "sadd": (_KEY, "v"),
    "set": (_KEY, "v"),
    "sismember": (_KEY, "v"),
    "srem": (_KEY, "v"),
    "subscribe": (_CHANNEL,),
    "time": (),
    "unsubscribe": (_CHANNEL,),
    "unwatch": (),
    "xadd": (_KEY, "*", "f", "v"),
    "xdel": (_KEY, "1-1"),
    "xrange": (_KEY, "-", "+"),
    "xread": ("STREAMS", _KEY, "0"),
    "xrevrange": (_KEY, "+", "-"),
    "zadd": (_KEY, "1", "v"),
    "zcount": (_KEY, "0", "1"),
    "zrange": (_KEY, "0", "1"),
    "zrangebylex": (_KEY, "-", "+"),
    "zrangebyscore": (_KEY, "0", "1"),
    "zincrby": (_KEY, "1", "v"),
    "zinter": ("1", _KEY),
    "zrem": (_KEY, "v"),
    "zremrangebyscore": (_KEY, "0", "1"),
    "zrevrange": (_KEY, "0", "1"),
    "zrevrangebyscore": (_KEY, "0", "1"),
    "zmscore": (_KEY, "v"),
    "zscore": (_KEY, "v"),
}
"""What follows a command, where that is not just a key."""

_UNQUEUED: Final = ("watch", "unwatch", "exec", "subscribe", "unsubscribe")
"""Commands that cannot be queued, and do no harm by themselves."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user lacks for a role, as rules of `ACL SETUSER`."""

    user: str
    role: str
    missing: Sequence[str]

    @property
    def fix(self) -> str:
        """The command that grants it."""
        return f"ACL SETUSER {self.user} {' '.join(self.missing)}"

    def finding(self, cli: str) -> Finding:
        """Say what is missing, as the doctor does."""
        if not self.missing:
            may = f"Redis user {self.user!r} has the rights of role {self.role!r}"
            return Finding("rights", Level.OK, may)
        return Finding(
            "rights",
            Level.PROBLEM,
            f"Redis user {self.user!r} lacks rights of role {self.role!r}: "
            f"{' '.join(self.missing)}",
            "Redis refuses the commands that need it, in the middle of a run.",
            f"{cli} {self.fix}, as an administrator; add it to the server's ACL file too",
        )


def require(connection: Redis, keys: Keys, role: str) -> None:
    """Make sure that the user of a connection may do what a role does.

    Raises:
        RedisUnavailableError: something is missing; names it all, and the fix.
    """
    found = rights(connection, keys, role)
    if found.missing:
        raise RedisUnavailableError(
            f"Redis user {found.user!r} lacks rights of role {role!r}: {found.fix}"
        )


def rights(connection: Redis, keys: Keys, role: str) -> Rights:
    """Find out what the user of a connection lacks.

    Raises:
        redis.exceptions.RedisError: Redis does not answer.
    """
    settings: Any = connection.connection_pool.connection_kwargs
    line: Any = connection.connection_pool.get_connection()
    try:
        found = dict.fromkeys(_missing(line, *_probes(ROLES[role], keys)))
        missing = sorted(found, key=lambda rule: "+~&".index(rule[0]))
    finally:
        line.disconnect()  # in whatever state it is
        connection.connection_pool.release(line)
    return Rights(str(settings.get("username") or "default"), role, missing)


@dataclass(frozen=True, slots=True)
class _Probe:
    """A command, and the pattern of the key or channel that it names."""

    words: tuple[str, ...]
    pattern: str = ""

    def rule(self, refusal: str) -> str:
        """Return the rule whose lack Redis's refusal tells of."""
        if "run the" in refusal:
            return f"+{self.words[0]}"
        return f"&{self.pattern}" if "channel" in refusal else f"~{self.pattern}"


def _probes(role: Role, keys: Keys) -> tuple[list[_Probe], list[_Probe]]:
    """Give what is to be queued, and what is not."""
    database = f"@{keys.database}" if keys.database else ""
    patterns, channels = (
        [text.format(p=keys.prefix, rq=keys.rq, d=database) for text in texts.split()]
        for texts in (role.keys, role.channels)
    )
    commands = role.commands.split()
    probes = [_probe(command, patterns[0], channels[0]) for command in commands]
    probes += [_probe("hget", pattern, "") for pattern in patterns]
    queued = [probe for probe in probes if probe.words[0] not in _UNQUEUED]
    unqueued = [_probe(command, patterns[0], channels[0]) for command in _UNQUEUED[:3]]
    unqueued = [probe for probe in unqueued if probe.words[0] in commands]
    unqueued += [_probe("subscribe", "", channel) for channel in channels]
    return queued, [*unqueued, _probe("unsubscribe", "", channels[0])]


def _probe(command: str, pattern: str, channel: str) -> _Probe:
    template = _ARGUMENTS.get(command, (_KEY,))
    filled = {_KEY: _sample(pattern), _CHANNEL: _sample(channel)}
    words = (command, *(filled.get(word, word) for word in template))
    return _Probe(words, channel if _CHANNEL in template else pattern)


def _sample(pattern: str) -> str:
    return pattern.replace("*", "penstock-doctor")


def _missing(line: Any, queued: Sequence[_Probe], unqueued: Sequence[_Probe]) -> Iterator[str]:
    if list(_refused(line, [_Probe(("multi",))])):  # nothing can be looked at: all is asked for
        yield from ("+multi", "+discard")
        for probe in (*queued, *unqueued):
            yield f"+{probe.words[0]}"
            mark = "&" if _ARGUMENTS.get(probe.words[0], ())[:1] == (_CHANNEL,) else "~"
            if probe.pattern:
                yield f"{mark}{probe.pattern}"
        return
    yield from _refused(line, [*queued, _Probe(("discard",))])
    line.disconnect()
    yield from _refused(line, unqueued)


def _refused(line: Any, probes: Sequence[_Probe]) -> Iterator[str]:
    line.connect()
    line.send_packed_command(line.pack_commands([probe.words for probe in probes]))
    for probe in probes:
        try:
            line.read_response()
        except NoPermissionError as refusal:
            yield probe.rule(str(refusal))
        except ResponseError:
            pass  # it may, and it made no sense
