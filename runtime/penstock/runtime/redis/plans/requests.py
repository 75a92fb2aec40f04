"""What clients ask of Redis, as plans without IO: each yields requests and is sent the replies.

A request is a script call, or a reading command as a tuple. All of them may be sent twice.
"""

from __future__ import annotations

__all__ = [
    "Plan",
    "Reads",
    "Request",
    "RequestPlans",
    "found_fields",
    "is_open",
    "missing_run",
    "no_checkpoint",
    "resumed_event",
    "run_id_taken",
]

import dataclasses
import json
import time
import warnings
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar, cast

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.failure import load_error
from penstock.publisher.event import encode
from penstock.publisher.redis.script import Call
from penstock.publisher.stored import event_of
from penstock.runtime.errors import (
    PoisonRunError,
    ResumeError,
    RunCancelledError,
    RunConflictError,
    RunError,
    RunFailedError,
    RunGoesOnError,
    RunNotFoundError,
    ThreadBusyError,
    UnknownCheckpointError,
)
from penstock.runtime.redis.calls import SCHEMA, Calls, Creation, ForkPoint
from penstock.runtime.redis.facets import check_index
from penstock.runtime.redis.keys import Keys, thread_key
from penstock.runtime.redis.plans.creation import Wanted, checked_run_id, create, write_config
from penstock.runtime.redis.replies import Enqueued
from penstock.runtime.redis.run_record import read_run, texts, whole
from penstock.runtime.settings import Settings
from penstock.runtime.types.answers import check_answers
from penstock.runtime.types.interrupt import NOTHING, Command, Interrupt
from penstock.runtime.types.run import OPEN, Run, RunStatus

T = TypeVar("T")

ReadingCommand: TypeAlias = "tuple[str | bytes | int, ...]"


@dataclass(frozen=True, slots=True)
class Reads:
    """Reading commands that are sent in one round trip; the reply is the list of their replies."""

    commands: Sequence[ReadingCommand]


Request: TypeAlias = "Call | ReadingCommand | Reads"
Plan: TypeAlias = Generator[Request, Any, T]

ANNOUNCED: Final = 10.0
"""Seconds for which an entrypoint that was announced is taken to be so."""


class UnannouncedEntrypointWarning(UserWarning):
    """No live worker has announced the entrypoint that a run was enqueued for."""


class RequestPlans:
    """The plans for one Redis and one way to write values.

    Raises:
        ConfigurationError: the setting `index` names something else than queues and tags.
    """

    def __init__(self, settings: Settings, codec: Codec, connection: object) -> None:
        check_index(settings.index)
        self.keys = Keys.of(settings, connection)
        self.calls = Calls(self.keys)
        self._settings = settings
        self._warned: set[str] = set()
        self._announced: dict[str, float] = {}
        self.codec = codec.at(settings.prefix)

    # -- create ---------------------------------------------------------------------------------

    def enqueue(self, wanted: Wanted, fork: ForkPoint | None = None) -> Plan[tuple[str, str]]:
        """Create a run; returns its id and its thread's. With `fork`, it begins there.

        Raises:
            RunConflictError: the run id is taken by another input.
            ThreadBusyError: the thread is busy, and on_busy is "reject".
            UnknownCheckpointError: the thread has no such checkpoint.
        """
        creation = create(wanted, self._settings, self.codec)
        return (yield from self.create(dataclasses.replace(creation, fork=fork)))

    def create(self, creation: Creation) -> Plan[tuple[str, str]]:
        """Create a run that is written down; returns its id and its thread's.

        Raises:
            RunConflictError: the run id is taken by another input.
            ThreadBusyError: the thread is busy, which this run does not wait for.
            UnknownCheckpointError: the thread has no checkpoint where it could begin.
        """
        name, asked = str(creation.fields["entrypoint"]), time.monotonic()
        asks = name not in self._warned and asked > self._announced.get(name, 0.0)
        asks = asks and bool(creation.queue)
        call = self.calls.enqueue(creation, asks=asks)
        enqueued: Enqueued = self.calls.enqueued((yield call))
        if enqueued.word == "conflict":
            raise run_id_taken(creation.run_id)
        if enqueued.word == "busy":
            raise _busy(creation, enqueued.other)
        if enqueued.word == "unknown" and creation.fork is not None:
            raise no_checkpoint(creation.thread_id, creation.fork.checkpoint)
        if enqueued.announced:
            self._announced[name] = asked + ANNOUNCED
        elif asks:
            self._warn(creation)
        return creation.run_id, creation.thread_id

    def _warn(self, creation: Creation) -> None:
        """Warn of a name that no worker has, once: not for each of a thousand runs.

        The text is the same for all of them, so that Python shows it once in a process.
        """
        name = str(creation.fields["entrypoint"])
        if name in self._warned:
            return
        self._warned.add(name)
        warnings.warn(
            f"no live worker has announced entrypoint {name!r}; its runs wait on queue "
            f"{creation.queue!r} for a worker that has it: "
            "penstock worker <module that defines it>",
            UnannouncedEntrypointWarning,
            stacklevel=8,
        )

    # -- look -----------------------------------------------------------------------------------

    def info(self, run_id: str) -> Plan[Run]:
        """Read a run.

        Raises:
            RunNotFoundError: there is none.
        """
        return read_run(run_id, (yield from self.fields(run_id)), self.codec)

    def fields(self, run_id: str) -> Plan[dict[str, str]]:
        """Read the whole hash of a run.

        Raises:
            RunNotFoundError: there is none.
        """
        return found_fields(run_id, (yield self.record(run_id)))

    def record(self, run_id: str) -> ReadingCommand:
        """Return the command that reads the whole hash of a run."""
        return ("HGETALL", self.keys.run(checked_run_id(run_id)))

    def config(self, run_id: str) -> Plan[Mapping[str, Any]]:
        """Read the config that a run was enqueued with."""
        text = yield ("HGET", self.keys.run(run_id), "config")
        codec = self.codec.at("run", run_id, "config")
        return cast("Mapping[str, Any]", codec.loads(text)) if text is not None else {}

    def last_seq(self, run_id: str) -> Plan[int]:
        """Read the seq of a run's newest event, 0 if it has none."""
        newest = yield ("LINDEX", self.keys.events(run_id), -1)
        return event_of(newest)[0] if newest else 0

    def waits(self, run_id: str, seq: int) -> Plan[bool]:
        """Tell whether a run waits for an answer to what it asked in the event `seq`."""
        if (yield from self.last_seq(run_id)) != seq:
            return False
        run = yield from self.info(run_id)
        return run.status is RunStatus.SUSPENDED and run.asks

    def interrupts(self, run_id: str) -> Plan[list[Interrupt]]:
        """Read the questions that a run waits on."""
        return self._questions(run_id, (yield ("HGETALL", self.keys.questions(run_id))))

    def _questions(self, run_id: str, reply: Any) -> list[Interrupt]:
        fields = texts(reply)
        return [
            self._question(run_id, name, text, fields.get(f"{name}{SCHEMA}"))
            for name, text in fields.items()
            if not name.endswith(SCHEMA)
        ]

    def _question(self, run_id: str, name: str, text: str, schema: str | None) -> Interrupt:
        codec = self.codec.at("run", run_id, "question", name)
        wanted = None if schema is None else codec.at("schema").loads(schema)
        return Interrupt(codec.loads(text), name, wanted)

    def outcome(self, run: Run) -> Plan[Any]:
        """Read what came of a run that is over or waits.

        Raises:
            RunFailedError, RunCancelledError: it ended so; with its error as the cause.
        """
        if run.status is RunStatus.SUSPENDED:
            return {"__interrupt__": (yield from self.interrupts(run.run_id))}
        if run.status is RunStatus.CANCELLED:
            why = f": {run.reason}" if run.reason not in ("", "cancelled") else ""
            raise RunCancelledError(run.run_id, f"run {run.run_id!r} was cancelled{why}.")
        text = yield ("HGET", self.keys.checkpoints(run.run_id), "result")
        tree: dict[str, Any] = {}
        if text is not None:
            tree = self.codec.at("run", run.run_id).outcome(text, "result")
        if run.status is RunStatus.COMPLETED:
            return tree.get("value")
        kind: type[RunError] = RunFailedError
        if run.reason.startswith("PoisonRunError"):
            kind = PoisonRunError
        failure = kind(run.run_id, f"run {run.run_id!r} failed: {run.reason}")
        raise failure from (load_error(tree["error"]) if "error" in tree else None)

    # -- change ---------------------------------------------------------------------------------

    def cancel(self, run_id: str, reason: str = "cancelled") -> Plan[RunStatus]:
        """Cancel a run; returns its status after the call.

        Raises:
            RunNotFoundError: there is none.
        """
        word = self.calls.word((yield self.calls.cancel(checked_run_id(run_id), reason)))
        if not word:
            raise RunNotFoundError(run_id, f"no run {run_id!r} to cancel.")
        return RunStatus(word)

    def resume(
        self,
        run_id: str,
        answer: Any = NOTHING,
        request: str = "",
        config: Mapping[str, Any] | None = None,
    ) -> Plan[int]:
        """Answer the questions of a run that waits, or let one that failed go on.

        Returns the number of the leg that begins, if a `request` is kept with it; else 0. With a
        `config` the run goes on with that one, unless it goes on already with its own.

        Raises:
            RunNotFoundError: there is none.
            ResumeError: it waits for no such answer.
            AnswerError: an answer does not fit the schema of its question.
        """
        record, questions = yield Reads(
            [self.record(run_id), ("HGETALL", self.keys.questions(run_id))]
        )
        fields = found_fields(run_id, record)
        answers: Mapping[str, Any] = {}
        if answer is not NOTHING:
            pending = self._questions(run_id, questions)
            if not pending:
                raise ResumeError(f"run {run_id!r} waits for no answer: it is {fields['status']}.")
            answers = Command(resume=answer).answers(pending, run_id)
            check_answers(pending, answers)
            if not answers:
                yield from self.wake(run_id)
                return 0
        codec = self.codec.at("run", run_id, "answer")
        encoded = {
            name: codec.at(name).dumps(value, f"answer to interrupt {name}")
            for name, value in answers.items()
        }
        event = resumed_event(run_id, fields, {"interrupts": list(encoded)})
        epoch = fields.get("epoch", "")
        told = "" if config is None else write_config(self.codec.at("run", run_id), config)
        word = self.calls.word(
            (yield self.calls.resume(run_id, event, epoch, encoded, request, told))
        )
        if request and word.isdigit():
            return int(word)
        if word == "queued" and not request:
            return 0
        if word == "going":
            raise RunGoesOnError(f"run {run_id!r} goes on already, as the run of somebody else.")
        said = {
            "answered": "another answer came first",
            "unknown": "it asks no such question",
            "moved": "newer input came on its thread",
        }.get(word, f"it is {word or 'gone'}")
        raise ResumeError(f"run {run_id!r} cannot be resumed: {said}.")

    def wake(self, run_id: str) -> Plan[None]:
        """Let a run that waits look again for its answers, though none came."""
        yield self.calls.wake(run_id)

    def unpin(self, run_id: str) -> Plan[None]:
        """Let workers with any version of its code execute a run.

        Raises:
            RunNotFoundError: there is none.
        """
        if not self.calls.word((yield self.calls.unpin(checked_run_id(run_id)))):
            raise RunNotFoundError(run_id, f"no run {run_id!r} to unpin.")

    def last_run(self, thread_id: str) -> Plan[str | None]:
        """Read the id of the run that a thread is at; a run without one is at its own."""
        name = yield ("HGET", self.keys.thread(thread_key(thread_id)), "run")
        if name is None:
            lone = yield ("HGET", self.keys.run(thread_id), "lone")
            return thread_id if lone == b"1" else None
        return str(name.decode())


def no_checkpoint(thread_id: str, checkpoint_id: str) -> UnknownCheckpointError:
    """Say that a thread has no such checkpoint; "" stands for its newest."""
    if not checkpoint_id:
        return UnknownCheckpointError(
            f"thread {thread_id!r} has no checkpoint yet: nothing ever ran on it."
        )
    return UnknownCheckpointError(
        f"thread {thread_id!r} has no checkpoint {checkpoint_id!r}: it never had, "
        "or it is no longer kept (setting history); get_state_history lists those there are."
    )


def _busy(creation: Creation, run_id: str) -> ThreadBusyError:
    advice = 'Enqueue with on_busy="queue" to wait for it, or "interrupt" to replace it.'
    if creation.fork is not None:
        advice = "Wait for its result, or cancel it."
    return ThreadBusyError(
        run_id,
        f"thread {creation.thread_id!r} is busy: run {run_id!r} is at work on it. {advice}",
    )


def found_fields(run_id: str, reply: Any) -> dict[str, str]:
    """Return the whole hash of a run, given the reply of Redis.

    Raises:
        RunNotFoundError: there is no such run.
    """
    fields = whole(run_id, texts(reply))
    if "status" not in fields:
        raise missing_run(run_id)
    return fields


def missing_run(run_id: str) -> RunNotFoundError:
    """Return what a request is refused with that names a run which is none."""
    return RunNotFoundError(
        run_id, f"no run {run_id!r}: it never existed, or its retention is over."
    )


def run_id_taken(run_id: str) -> RunConflictError:
    """Return what a new run is refused with whose id another one has."""
    return RunConflictError(
        run_id,
        f"run id {run_id!r} is taken by a run with another entrypoint, input or thread; give each "
        "request an id of its own.",
    )


def resumed_event(run_id: str, fields: Mapping[str, str], data: Mapping[str, Any]) -> str:
    """Return the event that a run goes on; `fields` is its whole hash."""
    thread = "" if fields["thread"] == run_id else fields["thread"]
    return encode("run.resumed", json.dumps(data), thread=thread, time=time.time())


def is_open(run: Run) -> bool:
    """Tell whether a run gets on without anybody's answer."""
    return run.status in OPEN and not (run.status is RunStatus.SUSPENDED and run.asks)
