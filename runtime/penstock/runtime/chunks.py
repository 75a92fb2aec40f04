"""What one fact looks like in each stream mode."""

from __future__ import annotations

__all__ = ["INTERRUPT", "PARTS", "Namespace"]

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from penstock.publisher.failure import load_error
from penstock.runtime.interrupt import Interrupt
from penstock.runtime.lineage import step_name
from penstock.runtime.position import chunk

if TYPE_CHECKING:
    from penstock.runtime.view import View

INTERRUPT: Final = "__interrupt__"

Namespace: TypeAlias = tuple[str, ...]

_Maker: TypeAlias = "Callable[[View, Mapping[str, Any], Namespace], Iterator[Any]]"


def _interrupts(data: Mapping[str, Any]) -> tuple[Interrupt, ...]:
    return tuple(
        Interrupt(item["value"], item["id"], item.get("response_schema"))
        for item in data["interrupts"]
    )


def _name(data: Mapping[str, Any]) -> str:
    return step_name(data["id"]) if "id" in data else data["name"]


def _custom(view: View, data: Any, namespace: Namespace) -> Iterator[Any]:
    yield data


def _message(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    yield view.messages.chunk(data)


def _found(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    value, error = view.outcome(data)
    if error is None:
        yield from view.messages.found(value, data.get("id", ""))


def _retry(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    payload = {**data, "name": step_name(data["id"]) or view.entrypoint}
    if "error" in payload:
        payload["error"] = load_error(payload["error"])
    yield payload


def _update(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    value, error = view.outcome(data)
    # A step that is to be done again has no outcome any more.
    if error is None and "outcome" in data and data.get("status", "completed") == "completed":
        update = {_name(data): value}
        yield update | {"__metadata__": {"cached": True}} if data.get("cached") else update


def _value(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    if data["status"] == "completed":
        yield view.outcome(data)[0]


def _interrupted(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    yield {INTERRUPT: _interrupts(data)}


def _body_started(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    yield {
        "id": "",
        "name": data["name"],
        "input": data.get("input"),
        "triggers": ("__start__",),
        **view.told,
    }


def _step_started(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    given = data.get("input")
    if given is not None:
        given = (tuple(given[0]), dict(given[1]))
    yield {
        "id": data["id"],
        "name": step_name(data["id"]),
        "input": given,
        "triggers": ("__pregel_push",),
        **view.told,
    }


def _step_finished(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    value, error = view.outcome(data)
    yield {
        "id": data["id"],
        "name": step_name(data["id"]),
        "error": error,
        "result": {"__return__": value} if error is None else {},
        "interrupts": [],
    }


def _step_interrupted(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    yield {
        "id": data["id"],
        "name": step_name(data["id"]),
        "error": None,
        "result": {},
        "interrupts": list(data["interrupts"]),
    }


def _body_finished(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    value, error = view.outcome(data)
    ended = data["status"] == "completed"
    yield {
        "id": "",
        "name": data.get("name", view.entrypoint),
        "error": error,
        "result": {"__end__": value} if ended else {},
        "interrupts": [],
    }


def _body_interrupted(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    yield {
        "id": "",
        "name": view.entrypoint,
        "error": None,
        "result": {},
        "interrupts": list(data["interrupts"]),
    }


_TASKS: Final[dict[str, _Maker]] = {
    "run.started": _body_started,
    "step.started": _step_started,
    "step.finished": _step_finished,
    "step.interrupted": _step_interrupted,
    "run.interrupted": _body_interrupted,
    "run.finished": _body_finished,
}


def _input(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    told = data.get("checkpoint")
    if told is not None:
        yield chunk(told, view.thread_id, "input", told["values"], view.entrypoint)


def _result(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    told = data.get("checkpoint")
    if told is not None:
        yield chunk(told, view.thread_id, "loop", view.outcome(data)[0])


_INPUT: Final[dict[str, _Maker]] = {"run.started": _input}
_RESULT: Final[dict[str, _Maker]] = {"run.finished": _result}


def _debug(makers: Mapping[str, _Maker]) -> dict[str, _Maker]:
    return {mode: _wrapped(mode, make) for mode, make in makers.items()}


def _wrapped(mode: str, make: _Maker) -> _Maker:
    kind = "task" if mode.endswith("started") else "task_result"
    if make in (_input, _result):
        kind = "checkpoint"

    def wrap(view: View, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
        for payload in make(view, data, namespace):
            step = payload["metadata"]["step"] if kind == "checkpoint" else view.messages.step
            yield {"step": step, "type": kind, "payload": payload}

    return wrap


PARTS: Final[tuple[tuple[str, dict[str, _Maker]], ...]] = (
    ("checkpoints", _INPUT),
    ("debug", _debug(_INPUT)),
    ("retry", {"step.retry": _retry}),
    ("custom", {"custom": _custom}),
    ("messages", {"message": _message, "step.finished": _found, "run.finished": _found}),
    (
        "updates",
        {
            "step.finished": _update,
            "run.finished": _update,
            "run.interrupted": _interrupted,
        },
    ),
    ("tasks", _TASKS),
    ("debug", _debug(_TASKS)),
    ("values", {"run.finished": _value, "run.interrupted": _interrupted}),
    ("checkpoints", _RESULT),
    ("debug", _debug(_RESULT)),
)
"""The makers of each mode, in the order of what one fact looks like in several.

What happened comes first, then what came of it; a checkpoint comes before the run that begins with
it, and after the one that ends with it.
"""
