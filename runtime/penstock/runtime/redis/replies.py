"""The replies of the run protocol's scripts, read into values. No IO."""

from __future__ import annotations

__all__ = ["Claim", "Enqueued", "Lease", "Recovered", "Taken", "scored", "word", "words"]

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from penstock.publisher.redis.script import Reply
from penstock.runtime.redis.run_record import whole


@dataclass(frozen=True, slots=True)
class Lease:
    """Temporary ownership of a run, as each write of an attempt proves it."""

    run_id: str
    fence: str
    home: str = ""
    """The run whose remote step it performs, and writes for; "" for none."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A run taken for an attempt, with all that is recorded of it."""

    lease: Lease
    fields: Mapping[str, str]
    """The fields of the run's hash that an attempt needs."""
    checkpoints: Mapping[str, bytes]
    saved: bytes
    seq: int
    """The seq of its newest event."""
    value: bytes = b""
    """What the thread's last run returned, where that is another than what it saved."""

    @classmethod
    def read(cls, reply: Reply) -> Claim | str:
        """Read `acquire`: the claim, or in words what keeps the run from being claimed."""
        return word(reply) if isinstance(reply, bytes) else cls.of(reply)

    @classmethod
    def of(cls, reply: Reply) -> Claim:
        """Read what a script says of a run that it claimed."""
        name, fence, fields, checkpoints, saved, seq, value = cast("tuple[Any, ...]", reply)
        run_id = word(name)
        texts = {
            str(name, "utf-8", "replace"): str(value, "utf-8", "replace")
            for name, value in _pairs(fields)
        }
        return cls(
            Lease(run_id, word(fence), texts.get("home", "")),
            whole(run_id, texts),
            {word(name): value for name, value in _pairs(checkpoints)},
            saved,
            int(seq),
            value,
        )


@dataclass(frozen=True, slots=True)
class Taken:
    """What a look at the queues brought: claimed runs, and perhaps an ordinary RQ job."""

    claims: Sequence[Claim]
    job: tuple[str, str] | None
    corrupt: Sequence[str] = ()
    """Ids of runs whose keys cannot be used."""
    suspect: tuple[str, str] | None = None
    """Queue and ticket of a suspect that the worker is to take by itself."""
    is_unknown: bool = False
    """Whether nobody knows the worker's app any more: it is to announce it."""
    parked: int = 0
    """How many runs were set aside, as the worker lacks their code."""

    @classmethod
    def read(cls, reply: Reply) -> Taken:
        """Read `take`."""
        runs, job, corrupt, suspect, unknown, parked = cast("tuple[Any, ...]", reply)
        return cls(
            [Claim.of(run) for run in runs],
            (word(job[0]), word(job[1])) if job else None,
            words(corrupt),
            (word(suspect[0]), word(suspect[1])) if suspect else None,
            bool(unknown),
            int(parked),
        )

    def __bool__(self) -> bool:
        return bool(self.claims) or self.job is not None


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What came of an enqueue: `created`, `exists`, `conflict` or `busy`.

    `other` is the thread of the run that exists, or the run that the thread is busy with.
    """

    word: str
    other: str
    announced: bool

    @classmethod
    def read(cls, reply: Reply) -> Enqueued:
        """Read `enqueue`."""
        word, other, announced = words(reply)
        return cls(word, other, bool(announced))


@dataclass(frozen=True, slots=True)
class Recovered:
    """What came of a recovery: run ids, and names of workers."""

    queued: Sequence[str]
    given_up: Sequence[str]
    requeued: Sequence[str]
    corrupt: Sequence[str]
    woken: Sequence[str]
    silent: Sequence[str]
    """Workers that do not listen to their channel, by name."""

    @classmethod
    def read(cls, reply: Reply) -> Recovered:
        """Read `recover`."""
        return cls(*(words(ids) for ids in cast("list[Reply]", reply)))


def word(reply: Reply) -> str:
    """Read a reply that is one word."""
    return reply.decode(errors="replace") if isinstance(reply, bytes) else str(reply)


def words(reply: Reply) -> list[str]:
    """Read a reply that is a list of words."""
    return [word(item) for item in cast("list[bytes]", reply)]


def _pairs(flat: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def scored(reply: Any) -> list[tuple[bytes, Any]]:
    """Return members with their scores, which come as pairs or one after the other."""
    if reply and not isinstance(reply[0], (tuple, list)):
        return list(zip(reply[::2], reply[1::2], strict=True))
    return [cast("tuple[bytes, Any]", tuple(row)) for row in reply]
