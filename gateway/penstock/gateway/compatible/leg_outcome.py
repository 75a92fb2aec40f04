"""What came of a leg: its values, its questions, or its error, as LangGraph's clients read them."""

from __future__ import annotations

__all__ = ["failure_of", "is_breakpoint", "read_outcome"]

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from penstock.gateway.compatible.leg_events import newest_facts, read_last
from penstock.gateway.compatible.legs import FoundLeg
from penstock.gateway.compatible.thread_reading import ThreadReader
from penstock.publisher.event import Event
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.diagnostics.plain import plain
from penstock.runtime.types.run import RunStatus

_ASKED: Final = "__interrupt__"

TAIL: Final = 50
"""Facts of an earlier leg among which the last values of a graph are looked for."""


async def read_outcome(client: AsyncClient, found: FoundLeg) -> Any:
    """Return what `wait` and `join` answer of a leg that is over."""
    last = None if found.is_newest else await read_last(client, found)
    if (failure := failure_of(found, last)) is not None:
        return {"__error__": failure}
    if found.is_newest and found.run.status is RunStatus.COMPLETED:
        return await client.do(client.plans.outcome(found.run))
    values = await _values(client, found)
    return {**values, **await _questions(client, found, last)}


async def _values(client: AsyncClient, found: FoundLeg) -> Mapping[str, Any]:
    """Read what a thread shows of its values after a leg; nothing where that is no object."""
    values: Any = {}
    if found.is_newest:
        values = (await ThreadReader(client).newest(found.run.thread_id)).values
    else:
        async for event in newest_facts(client, found, TAIL):
            if event.mode == "graph" and event.data["mode"] == "values":
                values = event.data["chunk"]
    return cast("Mapping[str, Any]", values) if isinstance(values, Mapping) else {}


def failure_of(found: FoundLeg, last: Event | None) -> dict[str, str] | None:
    """Return the error of a leg that has failed, None of any other."""
    if found.status not in ("error", "timeout"):
        return None
    if not found.is_newest:
        return {"error": "RunFailedError", "message": ""} if last is None else _error_in(last)
    name, _, message = found.run.reason.partition(": ")
    return {"error": name, "message": message}


def _error_in(last: Event) -> dict[str, str]:
    """Return the error that a terminal event tells of."""
    outcome: Mapping[str, Any] = last.data.get("outcome") or {}
    error = outcome.get("error")
    if isinstance(error, Mapping):  # as it is described where it is stored
        stored = cast("Mapping[str, Any]", error)
        return {"error": str(stored["type"]).rpartition(".")[2], "message": str(stored["message"])}
    if isinstance(error, BaseException):
        return {"error": type(error).__name__, "message": str(error)}
    name, _, message = str(last.data.get("reason", "")).partition(": ")
    return {"error": name, "message": message}


async def _questions(client: AsyncClient, found: FoundLeg, last: Event | None) -> Mapping[str, Any]:
    asked: Sequence[Any] = ()
    if not found.is_newest:
        asked = [] if last is None else last.data.get("interrupts") or []
    elif found.run.status is RunStatus.SUSPENDED:
        asked = await client.do(client.plans.interrupts(found.run.run_id))
    asked = [each for each in asked if not is_breakpoint(plain(each))]
    return {_ASKED: asked} if asked else {}


def is_breakpoint(question: Mapping[str, Any]) -> bool:
    """Tell whether a question is the breakpoint of a graph: clients answer it with no input."""
    value: Any = question.get("value")
    if not isinstance(value, Mapping) or not value:
        return False
    fields = cast("Mapping[str, Any]", value)
    return fields.keys() <= {"before", "after"} and all(
        isinstance(v, list) for v in fields.values()
    )
