"""Changing a thread between its runs, as plans without IO: each change is a new checkpoint."""

from __future__ import annotations

__all__ = ["ChangePlans", "is_number", "made"]

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.runtime.errors import (
    ConfigurationError,
    InvalidUpdateError,
    ThreadBusyError,
)
from penstock.runtime.journal.graph_host import GraphHost
from penstock.runtime.journal.outcome import Outcome, encode_outcome
from penstock.runtime.journal.thread_values import Kept
from penstock.runtime.redis.calls import ForkPoint
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.redis.plans.creation import Wanted
from penstock.runtime.redis.plans.requests import Plan, RequestPlans, no_checkpoint
from penstock.runtime.redis.thread_calls import Amendment, Change, ThreadCalls
from penstock.runtime.types.final import Final as FinalValue
from penstock.runtime.types.state import CheckpointRef, Update, checkpoint_id_of

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,14}")


class ChangePlans:
    """The plans for one Redis and one way to write values."""

    def __init__(self, plans: RequestPlans, calls: ThreadCalls) -> None:
        self._plans = plans
        self._calls = calls
        self._codec = plans.codec

    def bulk(self, updates: Sequence[Update]) -> Plan[str]:
        """Change a thread's state, one checkpoint an update; returns the last one's id.

        Raises:
            InvalidUpdateError: an `as_node` names nothing that can be changed; nothing was.
            UnknownCheckpointError: the thread has no such checkpoint.
            ThreadBusyError: a run is at work on the thread.
        """
        for update in updates:
            _check_node(update)
        checkpoint_id = ""
        for number, update in enumerate(updates):
            ref = update.ref if number == 0 else CheckpointRef(update.ref.thread_id)
            checkpoint_id = yield from self._amend(update, ref)
        return checkpoint_id

    def _amend(self, update: Update, ref: CheckpointRef) -> Plan[str]:
        node = update.as_node
        if node == "__input__":
            return (yield from self._give_input(update, ref))
        config = {"metadata": update.metadata}
        change = self.change(ref, update.entrypoint, config)
        if node == "__copy__":
            return (yield from self.fork(change))
        if node == "__end__":
            return made(change, self._calls.answer((yield self._calls.update(change, Amendment()))))
        return _of_entrypoint(change, (yield from self.update(change, update.values)))

    def change(
        self, ref: CheckpointRef, entrypoint: str = "", config: Mapping[str, Any] | None = None
    ) -> Change:
        """Describe a change that is made once, however often it is sent."""
        kept = Kept(self._codec, ref.thread_id)
        metadata = kept.write_metadata((config or {}).get("metadata"))
        return Change(ref.thread_id, ref.checkpoint_id, uuid.uuid4().hex, entrypoint, metadata)

    def update(
        self, change: Change, returned: Any, as_node: str | None = None
    ) -> Plan[str | GraphHost]:
        """Give a thread what an entrypoint could have returned; returns the new checkpoint's id.

        What is pending on it ends: with these values, if they go on from the newest checkpoint.
        Of a thread that a graph is executed on, only that is returned.
        """
        if as_node is not None and not (yield from self._is_of_graph(change.thread_id)):
            raise InvalidUpdateError(
                f"thread {change.thread_id!r} is not one of a graph, and has no node {as_node!r}: "
                "leave out as_node."
            )
        value, save = FinalValue.split(returned)
        kept = Kept(self._codec, change.thread_id).write(value, save, "the update")
        while True:
            found = yield ("HGET", self._plans.keys.thread(thread_key(change.thread_id)), "run")
            run_id = (found or b"").decode()
            codec = self._codec.at("run", run_id)
            result = encode_outcome(Outcome(value), codec, "result", "result of the update")
            amendment = Amendment(**kept, run_id=run_id, result=result)
            answer = self._calls.answer((yield self._calls.update(change, amendment)))
            if answer[0] == "GRAPH":
                return GraphHost.parse(answer[1])
            if answer[0] != "MOVED":  # else the thread is at another run than it was just before
                return made(change, answer)

    def graph_host(self, thread_id: str) -> Plan[GraphHost]:
        """Return which graph workers execute on a thread.

        Raises:
            InvalidUpdateError: none.
        """
        found = yield ("HGET", self._plans.keys.graph(thread_key(thread_id)), "hosted")
        if found is None:
            raise InvalidUpdateError(
                f"thread {thread_id!r} is not one of a graph, and has no supersteps: update it by "
                "update(values)."
            )
        return GraphHost.parse(found)

    def fork(self, change: Change) -> Plan[str]:
        """Make a copy of a checkpoint the thread's head; returns its id."""
        _check(change)
        return made(change, self._calls.answer((yield self._calls.fork(change))))

    def enqueue(self, wanted: Wanted) -> Plan[tuple[str, str]]:
        """Create a run, from the checkpoint that its config names if that is not the newest.

        Raises:
            UnknownCheckpointError: the thread has no such checkpoint.
        """
        checkpoint = checkpoint_id_of(wanted.config)
        if not checkpoint or wanted.thread_id is None:
            return (yield from self._plans.enqueue(wanted))
        if not is_number(checkpoint):
            if (yield from self._is_of_graph(wanted.thread_id)):
                return (yield from self._plans.enqueue(wanted))  # which knows its points itself
            raise no_checkpoint(wanted.thread_id, checkpoint)
        return (yield from self._plans.enqueue(wanted, ForkPoint(checkpoint)))

    def _is_of_graph(self, thread_id: str) -> Plan[bool]:
        """Tell whether a thread has the state of a LangGraph graph, with points of its own."""
        return bool((yield ("EXISTS", self._plans.keys.graph(thread_key(thread_id)))))

    def _give_input(self, update: Update, ref: CheckpointRef) -> Plan[str]:
        config: dict[str, Any] = {"metadata": update.metadata}
        if ref.checkpoint_id:
            config["configurable"] = {"checkpoint_id": ref.checkpoint_id}
        wanted = Wanted(
            update.entrypoint,
            update.values,
            thread_id=ref.thread_id,
            queue="",
            on_busy="reject",
            config=config,
            is_accepted=update.is_accepted,
        )
        run_id, _ = yield from self.enqueue(wanted)
        number = yield ("HGET", self._plans.keys.run(run_id), "checkpoint")
        return str(number.decode())


def is_number(checkpoint_id: str) -> bool:
    """Tell whether an id could be one of a checkpoint."""
    return _NUMBER.fullmatch(checkpoint_id) is not None


def made(change: Change, answer: tuple[str, str]) -> str:
    """Return the id of the checkpoint that a change has made.

    Raises:
        ThreadBusyError: a run is at work on the thread.
        UnknownCheckpointError: the thread has no such checkpoint.
    """
    word, other = answer
    if word == "BUSY":
        raise ThreadBusyError(
            other,
            f"thread {change.thread_id!r} is busy: run {other!r} is at work on it. "
            "Wait for its result, or cancel it.",
        )
    if word == "UNKNOWN":
        raise no_checkpoint(change.thread_id, change.checkpoint_id)
    return other


def _of_entrypoint(change: Change, made: str | GraphHost) -> str:
    if isinstance(made, GraphHost):
        raise ConfigurationError(
            f"thread {change.thread_id!r} holds the state of the graph {made.entrypoint!r}, which "
            f"entrypoint {change.entrypoint!r} cannot change."
        )
    return made


def _check_node(update: Update) -> None:
    node, values = update.as_node, update.values
    if node == "__input__" and values is None:
        raise InvalidUpdateError('as_node="__input__" stores an input, which None is not.')
    if node == "__end__" and values is not None:
        raise InvalidUpdateError('as_node="__end__" takes None: it cancels what is pending.')
    if node not in (None, update.entrypoint, "__input__", "__copy__", "__end__"):
        raise InvalidUpdateError(
            f"as_node={node!r} names nothing of entrypoint {update.entrypoint!r}: leave it out, "
            'or give "__input__", "__copy__", or "__end__" with None.'
        )


def _check(change: Change) -> None:
    if change.checkpoint_id and not is_number(change.checkpoint_id):
        raise no_checkpoint(change.thread_id, change.checkpoint_id)
