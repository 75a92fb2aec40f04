"""The questions that a graph waits on: which are open, and how many of a task's were before."""

from __future__ import annotations

__all__ = ["Asker", "OpenQuestion", "answers_of", "open_questions"]

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langgraph.checkpoint.base import CheckpointTuple
from langgraph.types import Interrupt

from penstock.langgraph.hosting.run_saver import RunSaver
from penstock.langgraph.redis.channels import CONTROL_WRITES, INTERRUPT, RESUME
from penstock.langgraph.redis.namespace import place_of


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks a question, and which of its questions it is."""

    namespace: str
    """The innermost checkpoint namespace that knows the question."""
    task_id: str
    number: int
    """How many of the task's questions were answered before."""

    @property
    def path(self) -> str:
        """As records have it."""
        return f"{self.namespace} {self.task_id}"

    @staticmethod
    def parse(record: Mapping[str, Any]) -> Asker | None:
        """Read the record of a question; None for that of a breakpoint, which no task asks."""
        namespace, _, task_id = record.get("branch", "").rpartition(" ")
        return Asker(namespace, task_id, record["number"]) if task_id else None


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question of a task that has not finished."""

    interrupt: Interrupt[Any]
    asker: Asker

    @property
    def place(self) -> str:
        """The names of the subgraphs that lead to the task, for people; "" for the graph's own."""
        return place_of(self.asker.namespace)


async def open_questions(saver: RunSaver, thread_id: str) -> Mapping[str, OpenQuestion]:
    """Return the open questions of a thread by their ids, in the order of their tasks."""
    found = dict(_of_space("", await _head(saver, thread_id, "")))
    if not found:
        return found
    for namespace in await _inner(saver, {each.asker.task_id for each in found.values()}):
        for name, question in _of_space(namespace, await _head(saver, thread_id, namespace)):
            if name in found and len(namespace) > len(found[name].asker.namespace):
                found[name] = question
    return found


async def answers_of(
    saver: RunSaver, thread_id: str, askers: Collection[Asker]
) -> Mapping[Asker, int]:
    """Return how many answers of tasks are recorded; without those that wait for no more."""
    waiting = {
        namespace: _asking(await _head(saver, thread_id, namespace))
        for namespace in {asker.namespace for asker in askers}
    }
    return {
        asker: len(_listed(waiting[asker.namespace][asker.task_id].get(RESUME, [])))
        for asker in askers
        if asker.task_id in waiting[asker.namespace]
    }


async def _inner(saver: RunSaver, asking: Container[str]) -> Sequence[str]:
    """Return the namespaces below tasks of the graph; one without an id is of any of them."""
    found: list[str] = []
    for namespace in await saver.anamespaces():
        _, _, task_id = namespace.partition("|")[0].partition(":")
        if namespace and (not task_id or task_id in asking):
            found.append(namespace)
    return found


async def _head(saver: RunSaver, thread_id: str, namespace: str) -> CheckpointTuple | None:
    configurable = {"thread_id": thread_id, "checkpoint_ns": namespace}
    return await saver.aget_tuple({"configurable": configurable})


def _of_space(namespace: str, head: CheckpointTuple | None) -> Iterator[tuple[str, OpenQuestion]]:
    for task_id, writes in _asking(head).items():
        asker = Asker(namespace, task_id, len(_listed(writes.get(RESUME, []))))
        for each in _listed(writes[INTERRUPT]):
            yield each.id, OpenQuestion(each, asker)


def _asking(head: CheckpointTuple | None) -> Mapping[str, Mapping[str, Any]]:
    """Return what tasks have written that ask and have not finished, by channel."""
    tasks: dict[str, dict[str, Any]] = {}
    finished = set[str]()
    for task_id, channel, value in (head.pending_writes or ()) if head is not None else ():
        tasks.setdefault(task_id, {})[channel] = value
        if channel not in CONTROL_WRITES:
            finished.add(task_id)
    return {
        task_id: writes
        for task_id, writes in tasks.items()
        if task_id not in finished and INTERRUPT in writes
    }


def _listed(value: Any) -> list[Any]:
    found: Any = value
    return list(found) if isinstance(value, list | tuple) else [found]
