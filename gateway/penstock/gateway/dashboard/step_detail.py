"""What is shown of one step when somebody opens its row: arguments, outcome, words."""

from __future__ import annotations

__all__ = ["StepDetail", "Word", "finished_before", "read_details"]

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.publisher.codec.codec import Codec
from penstock.runtime.diagnostics.plain import plain
from penstock.runtime.diagnostics.run_events import RunEvent
from penstock.runtime.diagnostics.run_report import RunReport
from penstock.runtime.diagnostics.values import read_values
from penstock.runtime.redis.plans.requests import Plan, RequestPlans

WORDS: Final = 200
"""Things that a step has streamed, the last ones."""


@dataclass(frozen=True, slots=True)
class Word:
    """Something that a step has streamed."""

    text: str
    is_void: bool
    """Whether it is of a try that was done again."""


@dataclass(frozen=True, slots=True)
class StepDetail:
    """What is known of a step beside its times."""

    arguments: Any
    """None if they are not kept: they are long, or the step comes from a graph."""
    outcome: Mapping[str, Any]
    """`value`, if it has one."""
    words: Sequence[Word]


def read_details(
    plans: RequestPlans, report: RunReport, step_ids: Sequence[str]
) -> Plan[dict[str, StepDetail]]:
    """Read what is shown of steps, by their ids.

    Raises:
        EncryptionError: a value is encrypted under a key that is not set here.
    """
    known = {step.step_id for step in report.steps}
    wanted = [step_id for step_id in step_ids if step_id in known]
    values = yield from read_values(plans, report.run, wanted)
    codec = plans.codec.at("run", report.run.run_id)
    return {
        step_id: StepDetail(
            _arguments(report.events, step_id, codec),
            {"value": values[step_id]} if step_id in values else {},
            list(_words(report.events, step_id, codec))[-WORDS:],
        )
        for step_id in wanted
    }


def finished_before(events: Iterable[RunEvent], step_id: str) -> list[str]:
    """Return the steps that a fork after a step reuses, in the order of their end."""
    found: dict[str, None] = {}
    for event in events:
        if event["mode"] == "step.finished":
            found[str(event["data"]["id"])] = None
            if event["data"]["id"] == step_id:
                return list(found)
    return []


def _arguments(events: Iterable[RunEvent], step_id: str, codec: Codec) -> Any:
    """Return the arguments of a step: a list, or an object if they have names."""
    for event in events:
        if event["mode"] == "step.started" and event["data"]["id"] == step_id:
            given: Any = codec.fact(event["mode"], event["data"]).get("input")
            if given is None:
                return None
            positional: list[Any] = list(given[0])
            named: dict[Any, Any] = given[1]
            return {**dict(enumerate(positional)), **named} if named else positional
    return None


def _words(events: Sequence[RunEvent], step_id: str, codec: Codec) -> Iterator[Word]:
    """Give what a step has streamed: values one by one, the chunks of a message together."""
    voids = [
        (int(event["data"]["void_from"]), int(event["seq"]))
        for event in events
        if event["mode"] == "step.retry" and _is_in(step_id, event["data"]["id"])
    ]
    joined = ""
    last: tuple[str, bool] | None = None
    for event in events:
        if event["mode"] not in ("custom", "message"):
            continue
        if "/".join(event.get("ns") or ()) != step_id:
            continue
        is_void = any(since <= event["seq"] < to for since, to in voids)
        data = codec.fact(event["mode"], event["data"])
        of = (str(data["id"]), is_void) if event["mode"] == "message" else None
        if last is not None and of != last:
            yield Word(joined, last[1])
            joined = ""
        last = of
        if of is None:
            yield Word(_text(data), is_void)
        else:
            joined += _text(data["chunk"])
    if last is not None:
        yield Word(joined, last[1])


def _is_in(step_id: str, outer: str) -> bool:
    return not outer or step_id == outer or step_id.startswith(f"{outer}/")


def _text(value: Any) -> str:
    value = plain(value)
    if isinstance(value, dict) and "content" in value:
        value = value["content"]  # pyright: ignore[reportUnknownVariableType]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
