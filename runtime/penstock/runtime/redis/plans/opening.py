"""Which run an order of this process is about, as a plan without IO."""

from __future__ import annotations

__all__ = ["Openings", "Settled"]

import dataclasses
from dataclasses import dataclass
from typing import Any

from penstock.publisher.errors import CodecError
from penstock.runtime.errors import (
    ConfigurationError,
    EmptyInputError,
    ResumeError,
    UnknownCheckpointError,
)
from penstock.runtime.journal.checkpointer import Order
from penstock.runtime.journal.result import Result
from penstock.runtime.journal.run_input import ACCEPTED, ACCEPTED_CONTEXT, Given, given_of
from penstock.runtime.journal.thread_values import Kept
from penstock.runtime.redis.plans.creation import Wanted
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.redis.plans.threads import ThreadPlans
from penstock.runtime.redis.thread_calls import Record
from penstock.runtime.types.final import Final
from penstock.runtime.types.interrupt import NOTHING, Command
from penstock.runtime.types.run import RunStatus
from penstock.runtime.types.state import CheckpointRef, checkpoint_id_of


@dataclass(frozen=True, slots=True)
class Settled:
    """There is nothing to run: the thread's value is there already."""

    run_id: str
    result: Result


class Openings:
    """Finds or creates the run that is to be executed here."""

    def __init__(self, threads: ThreadPlans) -> None:
        self._threads = threads
        self._codec = threads.codec

    def run_for(self, order: Order) -> Plan[str | Settled]:
        """Return the id of the run to execute, or what the thread has already.

        A checkpoint that the config names is gone on from, unless it is the newest.

        Raises:
            EmptyInputError: nothing to run and nothing to resume.
            ResumeError: the Command answers nothing that is asked.
            ThreadBusyError: the thread's run is at work elsewhere.
        """
        checkpoint = checkpoint_id_of(order.config)
        if not (order.argument is None or isinstance(order.argument, Command)):
            given = Given(order.argument, order.context, order.is_accepted)
            run_id = yield from self._create(order, given)
            return Settled(run_id, Result("suspended")) if order.hold else run_id
        head = yield from self._record(order, "")
        if checkpoint and (head is None or head.number != checkpoint):
            return (yield from self._replay(order, checkpoint))
        return (yield from self._go_on(order, head))

    def _create(self, order: Order, given: Given) -> Plan[str]:
        config: dict[str, Any] = {"metadata": order.config.get("metadata")}
        if checkpoint := checkpoint_id_of(order.config):
            config["configurable"] = {"checkpoint_id": checkpoint}
        wanted = Wanted(
            order.entrypoint,
            given.argument,
            thread_id=order.thread_id,
            queue="",
            on_busy="reject",
            context=self._storable(given.context),
            config=config,
            durability=order.durability,
            is_accepted=given.is_accepted,
        )
        return (yield from self._threads.changes.enqueue(wanted))[0]

    def _record(self, order: Order, checkpoint: str) -> Plan[Record | None]:
        calls = self._threads.calls
        reply = yield calls.state(order.thread_id, checkpoint, whole=False)
        host = calls.host(reply)
        if host is not None:
            raise ConfigurationError(
                f"thread {order.thread_id!r} holds the state of the graph {host.entrypoint!r}: use "
                f"another thread_id for entrypoint {order.entrypoint!r}."
            )
        records = calls.records(reply)
        if not records or checkpoint not in ("", records[0].number):
            return None
        entrypoint = records[0].entrypoint
        if entrypoint not in ("", order.entrypoint):
            raise ResumeError(
                f"the last run of thread {order.thread_id!r} is one of entrypoint {entrypoint!r}, "
                f"not of {order.entrypoint!r}: resume it there."
            )
        return records[0]

    def _replay(self, order: Order, checkpoint: str) -> Plan[str | Settled]:
        """Go on from an older checkpoint: run its input again, or give its value again."""
        if isinstance(order.argument, Command):
            raise ResumeError(
                f"checkpoint {checkpoint!r} is not the newest of thread {order.thread_id!r}, and "
                "only the newest can wait for an answer: leave checkpoint_id out of the config, or "
                "go on from there with invoke(None, config) or a new input."
            )
        record = None
        if checkpoint.isdecimal() and checkpoint.isascii():
            record = yield from self._record(order, checkpoint)
        if record is None:
            raise UnknownCheckpointError(
                f"the input is None and thread {order.thread_id!r} has no checkpoint "
                f"{checkpoint!r}; get_state_history lists those there are."
            )
        if record.source == "input":
            return (yield from self._create(order, (yield from self._given(order, record.run_id))))
        ref = CheckpointRef(order.thread_id, checkpoint)
        change = self._threads.changes.change(ref, order.entrypoint, order.config)
        yield from self._threads.changes.fork(change)
        return self._settled(order, record)

    def _given(self, order: Order, run_id: str) -> Plan[Given]:
        """Read what an older run was given, as it was validated then."""
        names = ("input", "context", ACCEPTED, ACCEPTED_CONTEXT)
        reply = yield ("HMGET", self._threads.keys.checkpoints(run_id), *names)
        found = {name: text for name, text in zip(names, reply, strict=True) if text is not None}
        if "input" not in found:
            raise EmptyInputError(
                f"run {run_id!r}, which began at checkpoint {checkpoint_id_of(order.config)!r}, is "
                "no longer kept (setting retention): give new input."
            )
        given = given_of(found, self._codec.at("run", run_id))
        return given if order.context is None else dataclasses.replace(given, context=order.context)

    def _go_on(self, order: Order, head: Record | None) -> Plan[str | Settled]:
        """Go on with the run that the thread is at."""
        if head is None:
            raise self._nothing(order)
        if isinstance(order.argument, Command):
            return (yield from self._answer(order, head, order.argument))
        if head.source != "input" and head.saved:
            return self._settled(order, head)
        run_id, status = head.run_id, head.status
        if status == RunStatus.CANCELLED:
            raise EmptyInputError(
                f"the last run of thread {order.thread_id!r} was cancelled: give new input."
            )
        if head.standing != "head" or not status:
            raise self._nothing(order)
        yield from self._wake(run_id, status)
        return run_id

    def _answer(self, order: Order, head: Record, command: Command) -> Plan[str]:
        """Answer the run that the thread is at; a run that is over asks nothing."""
        run_id, status = head.run_id, head.status
        at_work = head.source == "input" and head.standing == "head"
        if not at_work or status in ("", RunStatus.CANCELLED):
            raise self._nothing(order)
        if command.resume is NOTHING:
            if status == RunStatus.SUSPENDED:
                command.answers((), run_id)
            raise self._nothing(order)
        yield from self._threads.plans.resume(run_id, command.resume)
        return run_id

    def _wake(self, run_id: str, status: str) -> Plan[None]:
        if status == RunStatus.FAILED:
            yield from self._threads.plans.resume(run_id)
        elif status == RunStatus.SUSPENDED:
            yield from self._threads.plans.wake(run_id)

    def _settled(self, order: Order, record: Record) -> Settled:
        kept = Kept(self._codec, order.thread_id)
        value, save = kept.value(record.saved, record.value), kept.saved(record.saved)
        return Settled(record.run_id, Result("completed", Final(value=value, save=save)))

    def _storable(self, context: Any) -> Any:
        """Return a context as it is stored for a resume: None if it cannot be, as a connection."""
        try:
            self._codec.dumps(context)
        except CodecError:
            return None
        return context

    @staticmethod
    def _nothing(order: Order) -> EmptyInputError | ResumeError:
        if order.argument is None:
            return EmptyInputError(
                f"the input is None and thread {order.thread_id!r} has no run to resume."
            )
        return ResumeError(f"thread {order.thread_id!r} has no run that waits for an answer.")
