"""The script calls of the run protocol: what is sent. No IO."""

from __future__ import annotations

__all__ = ["AT_ONCE", "FOR_NOW", "SCHEMA", "Calls", "Creation", "Death", "ForkPoint", "Write"]

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, Protocol

from penstock.publisher.redis.script import Call, Script, load
from penstock.runtime.journal.endings import Ending, HandedOver, Suspended
from penstock.runtime.journal.put import Put
from penstock.runtime.journal.remote_call import RemoteCall
from penstock.runtime.redis.keys import Keys, first_arguments, thread_key
from penstock.runtime.redis.replies import Claim, Enqueued, Lease, Recovered, Taken, word, words
from penstock.runtime.redis.run_record import shortened

SCHEMA = "/schema"
"""What follows an interrupt's id in the name of the field with the JSON schema of its answer."""

OnBusy = Literal["queue", "reject", "interrupt", "rollback"]
TakeMode = Literal["", "alone", "parked"]

FOR_NOW: Final = "parked for now"
"""What keeps a run from being claimed whose code another live worker has: it may come back."""

AT_ONCE: Final = 100
"""Runs that one recovery looks at, of each kind: the script is to take a few milliseconds."""


@dataclass(frozen=True, slots=True)
class ForkPoint:
    """The checkpoint of a thread to which that goes back for a new run."""

    checkpoint: str
    is_of_run: bool = False
    """Whether a run is forked; else the thread stays where it is if it is there."""
    as_read: tuple[str, str, str] | None = None
    """The other run's id, status and epoch, if it must be as it was read."""

    def text(self, on_busy: OnBusy) -> str:
        """Return what `enqueue` is given in the place of `on_busy`."""
        word = "fork" if self.is_of_run else on_busy
        return " ".join((word, self.checkpoint, *(self.as_read or ())))


@dataclass(frozen=True, slots=True)
class Creation:
    """A run to be created."""

    run_id: str
    thread_id: str
    queue: str
    digest: str
    input: str
    event: str
    context: str = ""
    on_busy: OnBusy = "queue"
    fields: Mapping[str, str | int] = field(default_factory=dict[str, "str | int"])
    is_new: bool = False
    """Whether the id was made for this run just now, so that nobody else can know it."""
    recorded: Mapping[str, str | bytes] = field(default_factory=dict[str, "str | bytes"])
    """Checkpoints that it begins with, of the run that it forks."""
    fork: ForkPoint | None = None
    """Where it begins if not at the head of its thread; it then does only if that is free."""


@dataclass(frozen=True, slots=True)
class Death:
    """What is known of a worker that died: how, and the runs it may have had."""

    worker: str
    reason: str
    run_ids: tuple[str, ...] = ()
    presence: str = ""
    """What it had noted of its presence, where its silence is all that is known."""


class Announced(Protocol):
    """What a worker announces of its app."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its entrypoints and tasks."""
        ...

    @property
    def digest(self) -> str:
        """What stands for all its names."""
        ...


@dataclass(slots=True)
class Write:
    """One write of an attempt: numbered, with checkpoints and events, and perhaps its ending."""

    number: int
    checkpoints: dict[str, str] = field(default_factory=dict[str, str])
    events: list[str] = field(default_factory=list[str])
    ending: Ending | None = None
    questions: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    """What its code asks meanwhile: id -> encoded question; None where that is open no more."""
    puts: list[Put] = field(default_factory=list[Put])
    """What it stores of a graph."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it to store."""
        return not (self.events or self.checkpoints or self.ending or self.questions or self.puts)


class Calls:
    """Builds the calls for one pair of key prefixes, and has the readers of their replies."""

    enqueued = staticmethod(Enqueued.read)
    taken = staticmethod(Taken.read)
    acquired = staticmethod(Claim.read)
    recovered = staticmethod(Recovered.read)
    word = staticmethod(word)
    words = staticmethod(words)

    def __init__(self, keys: Keys) -> None:
        self.keys = keys

    def _call(self, name: str, *args: str | bytes | int | float) -> Call:
        return Call(_script(name), (), (*first_arguments(self.keys), *args))

    def enqueue(self, creation: Creation, *, asks: bool = True) -> Call:
        """Create a run and queue it; with `asks`, look whether its entrypoint is announced."""
        fields = {"queue": creation.queue, "created_at": _now(), **shortened(creation.fields)}
        if creation.thread_id != creation.run_id:
            fields["thread"] = creation.thread_id
        return self._call(
            "enqueue",
            creation.run_id,
            thread_key(creation.thread_id),
            creation.on_busy if creation.fork is None else creation.fork.text(creation.on_busy),
            ("n" if creation.is_new else "") + ("" if asks else "a"),
            creation.digest,
            creation.input,
            creation.context,
            creation.event,
            len(creation.recorded),
            *(part for pair in creation.recorded.items() for part in pair),
            *(part for pair in fields.items() for part in pair),
        )

    def take(
        self,
        worker: str,
        nonce: str,
        lease: float,
        room: int,
        queues: Sequence[str],
        popped: tuple[str, str] = ("", ""),
        *,
        busy: int = 0,
        crashes: int = 3,
        app: str = "",
        mode: TakeMode = "",
    ) -> Call:
        """Claim up to `room` runs off queues; `popped` is a queue and a ticket off it already.

        The worker has `busy` runs and jobs at work, and what `app` stands for; "" is everything.
        """
        queue, ticket = popped
        common = (worker, nonce, _ms(lease), room, busy, crashes, app)
        return self._call("take", *common, ticket, queue, mode, *queues)

    def acquire(
        self,
        run_id: str,
        worker: str,
        nonce: str,
        lease: float,
        *,
        alone: bool = False,
        app: str = "",
    ) -> Call:
        """Claim one run by its id, for a process that performs all its steps itself if `alone`.

        A process that has a ticket names its `app`.
        """
        return self._call("acquire", run_id, worker, nonce, _ms(lease), int(alone), app)

    def write(self, lease: Lease, write: Write, keep: int) -> Call:
        """Store what an attempt has done and said since its last write."""
        common: list[str | int | bytes] = [lease.run_id, lease.fence, write.number, lease.home]
        common += (keep, len(write.checkpoints))
        for pair in write.checkpoints.items():
            common += pair
        common.append(len(write.events) // 2)
        common += write.events
        common.append(len(write.puts))
        common += (part for put in write.puts for part in put)
        ending = write.ending
        if ending is None and write.questions:
            return self._call("ask", *common, *_listed(write.questions))
        if ending is None:
            return self._call("record", *common)
        if isinstance(ending, HandedOver):
            return self._call("handover", *common)
        if isinstance(ending, Suspended):
            fields = {**ending.questions}
            fields |= {f"{name}{SCHEMA}": text for name, text in ending.schemas.items()}
            pairs = [part for pair in fields.items() for part in pair]
            wakes = "" if ending.wakes is None else f"{ending.wakes:.0f}"
            away = len(ending.remote)
            return self._call("suspend", *common, wakes, away, *ending.remote, *pairs)
        common += (ending.status, ending.reason, len(ending.reopen), *ending.reopen)
        if cause := ending.cause:
            common += (cause.digest, cause.task, cause.error, cause.place)
        return self._call("finish", *common)

    def send(self, lease: Lease, call: RemoteCall) -> Call:
        """Have a step of an attempt performed by workers of another queue."""
        return self._call(
            "send",
            lease.run_id,
            lease.fence,
            uuid.uuid4().hex,
            call.step_id,
            call.queue,
            call.arguments,
            call.digest,
            *("task", call.task),
            *("created_at", _now()),
        )

    def resume(
        self,
        run_id: str,
        event: str,
        epoch: str,
        answers: Mapping[str, str],
        request: str = "",
        config: str = "",
    ) -> Call:
        """Answer a run's interrupts, or let one go on that failed at `epoch`.

        `request` is what is kept of it, a text that no other request has; `config` is stored in the
        place of the run's own.
        """
        pairs = [part for pair in answers.items() for part in pair]
        return self._call("resume", run_id, event, epoch, request, config, *pairs)

    def amend(
        self,
        run_id: str,
        event: str,
        epoch: str,
        kept: Mapping[str, str],
        dropped: Iterable[str],
    ) -> Call:
        """Set and delete checkpoints of a run that failed at `epoch`, and let it go on."""
        pairs = [part for pair in kept.items() for part in pair]
        nonce = uuid.uuid4().hex
        return self._call("amend", run_id, event, epoch, nonce, len(kept), *pairs, *dropped)

    def wake(self, run_id: str) -> Call:
        """Queue a suspended run again, without an answer."""
        return self._call("wake", run_id)

    def requestion(self, run_id: str, name: str, question: str, record: str) -> Call:
        """Let a run that waits ask one thing, in the place of all that it asks."""
        return self._call("requestion", run_id, name, question, record)

    def unpin(self, run_id: str) -> Call:
        """Let workers with any version of its code execute a run."""
        return self._call("unpin", run_id)

    def cancel(self, run_id: str, reason: str) -> Call:
        """Cancel a run."""
        return self._call("cancel", run_id, reason)

    def bulk(self, action: str, runs: Iterable[tuple[str, str, str]]) -> Call:
        """Cancel, resume, delete or unpin runs, given by id, status and epoch as they were read."""
        return self._call("bulk", action, *(part for run in runs for part in run))

    def renew(self, leases: Iterable[Lease], seconds: float) -> Call:
        """Extend leases."""
        pairs = [part for lease in leases for part in (lease.run_id, lease.fence)]
        return self._call("renew", _ms(seconds), *pairs)

    def recover(
        self, crashes: int, patience: float, death: Death | None = None, *, listens: bool = False
    ) -> Call:
        """Give back runs whose leases are over, at once those of a worker that died.

        With `listens`, workers that do not listen are named.
        """
        death = death or Death("", "")
        told = (death.worker, death.reason, death.presence, int(listens))
        return self._call("recover", AT_ONCE, crashes, _ms(patience), *told, *death.run_ids)

    def announce(self, app: Announced, seconds: float) -> Call:
        """Say for a while what a live worker can execute."""
        return self._call("announce", _ms(seconds), app.digest, *app.names)

    def describe(self, name: str, since: float, text: str, seconds: float) -> Call:
        """Say what clients may know of an entrypoint, unless a worker that began later has."""
        return self._call("describe", name, since, text, _ms(seconds))

    def backlog(self, queues: Iterable[str]) -> Call:
        """Count what the workers of some queues have to do."""
        return self._call("backlog", *queues)

    def forgo(self, leases: Iterable[Lease]) -> Call:
        """Tell that this process lives, and has given leases up."""
        return self._call("forgo", *(part for each in leases for part in (each.run_id, each.fence)))


def _listed(questions: Mapping[str, str | None]) -> list[str | int]:
    """Give the arguments of `ask`: what is not open any more, and what is."""
    closed = [name for name, text in questions.items() if text is None]
    opened = [part for name, text in questions.items() if text is not None for part in (name, text)]
    return [len(closed), *closed, *opened]


def _script(name: str) -> Script:
    return load("penstock.runtime.redis.scripts", name)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
