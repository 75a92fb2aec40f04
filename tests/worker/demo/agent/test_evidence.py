"""The judgement of the agent's demo: what happened decides, and each kind of breach is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock.publisher.event import Event
from penstock.worker.demo.agent.evidence import AgentEvidence, judge_agent

KILLED, OTHER = 100, 200
TASK = ("think:1",)


def event(seq: int, mode: str, data: Any = None, attempt: int = 1) -> Event:
    return Event(seq, "r", "r", mode, TASK if mode == "graph" else (), data, attempt, float(seq))


def word(seq: int, text: str, attempt: int = 1) -> Event:
    chunk = [{"type": "AIMessageChunk", "content": text}, {}]
    return event(seq, "graph", {"mode": "messages", "chunk": chunk}, attempt)


EVENTS = (
    event(1, "run.queued"),
    word(2, "I am "),
    event(3, "step.retry", {"id": "think:1", "name": "think", "void_from": 2}, 2),
    word(4, "I am ", 2),
    word(5, "sorry.", 2),
    event(6, "run.finished", {}, 2),
)
MESSAGES = ({"type": "human", "content": "Broken."}, {"type": "ai", "content": "I am sorry."})
GOOD = AgentEvidence(
    status="completed",
    messages=MESSAGES,
    expected=["Broken.", "I am sorry."],
    live=EVENTS,
    late=EVENTS,
    returning=EVENTS,
    returns=2,
    executions=(
        *((KILLED, name) for name in ("think", "look_up_order", "look_up_rules", "think")),
        *((OTHER, name) for name in ("think", "approve", "approve", "pay", "think")),
    ),
    killed_pid=KILLED,
    asked="suspended",
)


def broken(evidence: AgentEvidence) -> set[str]:
    return {promise.text for promise in judge_agent(evidence) if not promise.kept}


def test_all_promises_are_kept() -> None:
    assert broken(GOOD) == set()
    assert (GOOD.read, GOOD.void) == ("I am sorry.", len("I am "))


OUTLIVED = "the run outlived its worker"
ALONE = "it says what LangGraph alone says"
WHOLE = "a reader has each sentence once"
NO_PROCESS = "no process waited for the answer"
ONCE = "nothing recorded was executed again"
IN_FLIGHT = "only the node in flight ran twice"
IN_ORDER = "each event once, in order"
LATE = "a late subscriber got the same"
LEAVING = "a subscriber that kept leaving too"

UNMARKED = tuple(each for each in EVENTS if each.mode != "step.retry")
CALM = tuple(replace(each, attempt=1) for each in EVENTS)


@pytest.mark.parametrize(
    ("changes", "breach"),
    [
        ({"status": "cancelled"}, {OUTLIVED}),
        ({"killed_pid": 0}, {OUTLIVED, IN_FLIGHT}),
        ({"live": CALM, "late": CALM, "returning": CALM}, {OUTLIVED}),
        ({"expected": None}, {ALONE}),
        ({"expected": ["Broken.", "I am sorry. I am sorry."]}, {ALONE}),
        ({"messages": ()}, {ALONE, WHOLE}),
        ({"live": UNMARKED}, {WHOLE, IN_ORDER, LATE, LEAVING}),
        ({"asked": "running"}, {NO_PROCESS}),
        ({"executions": (*GOOD.executions, (OTHER, "pay"))}, {ONCE}),
        ({"executions": GOOD.executions[1:]}, {IN_FLIGHT}),
        ({"executions": (*GOOD.executions, (OTHER, "think"))}, {IN_FLIGHT}),
        ({"executions": ()}, {ONCE, IN_FLIGHT}),
        ({"late": EVENTS[:-1]}, {LATE}),
        ({"returning": (*EVENTS, EVENTS[-1])}, {LEAVING}),
    ],
)
def test_a_breach_is_seen(changes: dict[str, Any], breach: set[str]) -> None:
    assert broken(replace(GOOD, **changes)) == breach
