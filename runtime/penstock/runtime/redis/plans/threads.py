"""What can be asked of threads, as plans without IO: their states, and what is kept of them."""

from __future__ import annotations

__all__ = ["PAGE", "ThreadPlans", "check_known"]

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from penstock.runtime.errors import ConfigurationError, ResumeError, ThreadNotFoundError
from penstock.runtime.redis.plans.graph_threads import GraphThreads, graph_threads
from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.redis.plans.snapshots import no_snapshot, snapshot
from penstock.runtime.redis.plans.updates import ChangePlans, is_number, made
from penstock.runtime.redis.thread_calls import Change, ThreadCalls
from penstock.runtime.settings import Settings
from penstock.runtime.types.interrupt import NOTHING
from penstock.runtime.types.state import CheckpointRef, StateSnapshot

PAGE: Final = 20
"""Checkpoints of a history read in one request."""


class ThreadPlans:
    """The plans for one Redis and one way to write values."""

    def __init__(self, plans: RequestPlans, settings: Settings) -> None:
        self.plans = plans
        self.keys = plans.keys
        self.calls = ThreadCalls(plans.keys, settings)
        self.changes = ChangePlans(plans, self.calls)
        self.codec = plans.codec
        self._settings = settings

    @cached_property
    def of_graphs(self) -> GraphThreads:
        """The plans for threads of LangGraph graphs.

        Raises:
            ConfigurationError: what reads them is not installed.
        """
        return graph_threads(self._settings)

    def state(self, ref: CheckpointRef, *, subgraphs: bool = False) -> Plan[StateSnapshot]:
        """Read a thread's state; an empty one if there is none.

        With `subgraphs`, the tasks of a LangGraph graph that are graphs have theirs.
        """
        wanted = ref.checkpoint_id
        first = wanted if is_number(wanted) else ""
        reply = yield self.calls.state(ref.thread_id, first)
        if self.calls.host(reply) is not None:
            found = yield from self.of_graphs.state(ref, subgraphs=subgraphs)
            return found or no_snapshot(ref)
        for record in self.calls.records(reply):
            if wanted in ("", record.number):
                return snapshot(record, ref.thread_id, self.codec)
        return no_snapshot(ref)

    def history(
        self, ref: CheckpointRef, wanted: Mapping[str, Any], limit: int | None = None
    ) -> Plan[tuple[list[StateSnapshot], str]]:
        """Read a page of a history: the states before a checkpoint ("" for all), newest first.

        Also returns before which one the next page is, "" for no more. More than `limit` may come.
        """
        thread_id, before = ref.thread_id, ref.checkpoint_id
        first = ""
        if before:
            first = str(int(before) - 1) if is_number(before) else "0"
        reply = yield self.calls.state(thread_id, first, PAGE)
        if self.calls.host(reply) is not None:
            return (yield from self.of_graphs.history(ref, wanted, limit))
        records = self.calls.records(reply)
        found = [snapshot(record, thread_id, self.codec) for record in records]
        following = records[-1].number if len(records) == PAGE else ""
        return [each for each in found if _has(each, wanted)], following

    def resume(self, thread_id: str, answer: Any = NOTHING) -> Plan[str]:
        """Answer what a thread's run asks, or let a failed one go on; returns the run's id.

        Raises:
            ResumeError: it waits for no such answer.
        """
        run_id = yield from self.plans.last_run(thread_id)
        if run_id is None:
            raise ResumeError(f"thread {thread_id!r} has no run that waits for an answer.")
        yield from self.plans.resume(run_id, answer)
        return run_id

    def expire(self, thread_id: str, seconds: float | None) -> Plan[None]:
        """Say how long a thread is kept after its last run; None for ever.

        Raises:
            ThreadNotFoundError: nobody knows the thread.
        """
        if seconds is not None and seconds <= 0:
            raise ConfigurationError(
                f"a thread is kept some seconds or, with None, for ever, not {seconds}."
            )
        word = self.plans.calls.word((yield self.calls.expire(thread_id, seconds)))
        check_known(thread_id, word)

    def keep_latest(self, thread_id: str) -> Plan[bool]:
        """Forget the states of a thread but its newest; tells whether no run is open on it.

        Nothing is forgotten where one is: it may have to be rolled back.
        """
        word = self.plans.calls.word((yield self.calls.trim(thread_id)))
        if word == "GRAPH":
            return (yield from self.of_graphs.keep_latest(thread_id))
        return word != "BUSY"

    def delete_run(self, thread_id: str, run_id: str) -> Plan[None]:
        """Forget a run that is over; nothing is done to any other."""
        yield self.calls.delete(thread_id, [run_id])

    def delete(self, thread_id: str) -> Plan[None]:
        """Forget a thread and all its runs; nothing is done where there is none.

        Raises:
            ThreadBusyError: a run is at work on the thread.
        """
        answer = self.calls.answer((yield self.calls.delete(thread_id)))
        made(Change(thread_id, "", ""), answer)
        # Runs that never began, or whose checkpoint was trimmed, are found by the indexes alone.
        for name in (yield ("ZRANGE", self.plans.keys.over("all"), 0, -1)):
            start = "0"
            while start:
                reply = yield self.calls.thread_runs(thread_id, name.decode(), start)
                start, ids = self.calls.found(reply)
                if ids:
                    yield self.calls.delete(thread_id, ids)


def _has(state: StateSnapshot, wanted: Mapping[str, Any]) -> bool:
    metadata = state.metadata or {}
    return all(metadata.get(name) == value for name, value in wanted.items())


def check_known(thread_id: str, word: str) -> None:
    """Refuse what a script has refused, as it knows no such thread.

    Raises:
        ThreadNotFoundError: it says UNKNOWN.
    """
    if word == "UNKNOWN":
        raise ThreadNotFoundError(
            f"no thread {thread_id!r}: nothing ever ran on it, or its retention is over."
        )
