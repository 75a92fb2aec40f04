"""The promises of the agent's demo, checked against what happened. Pure."""

from __future__ import annotations

__all__ = ["AgentEvidence", "judge_agent"]

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from penstock.publisher.event import Event
from penstock.publisher.fold import fold
from penstock.worker.demo.promises import Promise, judge_events, judge_outlived

ONCE = ("look_up_order", "look_up_rules", "pay")
"""What is recorded and must not be executed twice."""

TURNS = 3
"""Calls of the model that the conversation takes, if none is repeated."""


@dataclass(frozen=True)
class AgentEvidence:
    """All that happened, when the demo is over."""

    status: str
    messages: Sequence[Mapping[str, Any]]
    """The conversation, as the run returned it."""
    expected: Sequence[str] | None
    """What LangGraph by itself has said in it; None where that failed."""
    live: Sequence[Event]
    late: Sequence[Event]
    returning: Sequence[Event]
    returns: int
    executions: Sequence[tuple[int, str]]
    """What was executed, by which process, as the nodes and tools themselves noted."""
    killed_pid: int
    asked: str
    """The run's status while it waited for the answer."""

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each node and tool was executed."""
        return Counter(name for _, name in self.executions)

    @property
    def read(self) -> str:
        """What a reader has of the agent's words, without void ones."""
        return _words(fold(self.live))

    @property
    def void(self) -> int:
        """Letters that were void."""
        return len(_words(self.live)) - len(self.read)


def judge_agent(evidence: AgentEvidence) -> list[Promise]:
    """Check each promise against the evidence."""
    return list(_verdicts(evidence))


def _verdicts(found: AgentEvidence) -> Iterator[Promise]:
    yield judge_outlived(found.status, found.live, found.killed_pid)
    yield _as_alone(found)
    yield _whole_sentences(found)
    yield _no_process(found)
    yield _once(found)
    yield _only_in_flight(found)
    yield from judge_events(found.live, found.late, found.returning, found.returns)


def _as_alone(found: AgentEvidence) -> Promise:
    said = [message["content"] for message in found.messages]
    kept = bool(said) and said == found.expected
    detail = f"{len(said)} messages, {'equal in every word' if kept else 'not the same'}"
    return Promise("it says what LangGraph alone says", kept, detail)


def _whole_sentences(found: AgentEvidence) -> Promise:
    said = "".join(each["content"] for each in found.messages if each["type"] == "ai")
    kept = bool(said) and found.read == said and found.void > 0
    detail = f"{found.void} letters were void" if kept else f"a reader has {found.read!r}"
    return Promise("a reader has each sentence once", kept, detail)


def _no_process(found: AgentEvidence) -> Promise:
    kept = found.asked == "suspended"
    return Promise("no process waited for the answer", kept, f"the run was {found.asked}")


def _once(found: AgentEvidence) -> Promise:
    again = [f"{name}: {found.counts[name]} times" for name in ONCE if found.counts[name] != 1]
    detail = ", ".join(again) or "the tools and the payment: once each"
    return Promise("nothing recorded was executed again", not again, detail)


def _only_in_flight(found: AgentEvidence) -> Promise:
    pids = [pid for pid, name in found.executions if name == "think"]
    twice = len(pids) - TURNS
    return Promise(
        "only the node in flight ran twice",
        twice == 1 and found.killed_pid in pids and len(set(pids)) > 1,
        f"the model was asked {len(pids)} times for {TURNS} answers",
    )


def _words(events: Sequence[Event]) -> str:
    return "".join(
        event.data["chunk"][0]["content"]
        for event in events
        if event.mode == "graph"
        and event.data["mode"] == "messages"
        and event.data["chunk"][0]["type"] == "AIMessageChunk"
    )
