"""The chunks of one fact in each stream mode."""

from __future__ import annotations

__all__ = ["INTERRUPT", "PARTS", "Namespace"]

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias, cast

from penstock.publisher.codec.failure import load_error
from penstock.runtime.journal.position import chunk
from penstock.runtime.journal.step_id import step_name
from penstock.runtime.streaming.run_reader import RunReader
from penstock.runtime.types.interrupt import Interrupt

INTERRUPT: Final = "__interrupt__"

Namespace: TypeAlias = tuple[str, ...]

_Maker: TypeAlias = "Callable[[RunReader, Mapping[str, Any], Namespace], Iterator[Any]]"


def _interrupts(data: Mapping[str, Any]) -> tuple[Interrupt, ...]:
    return tuple(
        Interrupt(item["value"], item["id"], item.get("response_schema"))
        for item in data["interrupts"]
    )


def _name(data: Mapping[str, Any]) -> str:
    return step_name(data["id"]) if "id" in data else data["name"]


def _custom(reader: RunReader, data: Any, namespace: Namespace) -> Iterator[Any]:
    yield data


def _message(reader: RunReader, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    yield reader.messages.chunk(data)


def _found(reader: RunReader, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    value, error = outcome_of(data)
    if error is None:
        yield from reader.messages.found(value, data.get("id", ""))


def _retry(reader: RunReader, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    payload = {**data, "name": step_name(data["id"]) or reader.entrypoint}
    if "error" in payload:
        payload["error"] = load_error(payload["error"])
    yield payload


def _update(reader: RunReader, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    value, error = outcome_of(data)
    # A step that is to be done again has no outcome any more.
    if error is None and "outcome" in data and data.get("status", "completed") == "completed":
        update = {_name(data): value}
        yield update | {"__metadata__": {"cached": True}} if data.get("cached") else update


def _value(reader: RunReader, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    if data["status"] == "completed":
        yield outcome_of(data)[0]


def _interrupted(reader: RunReader, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    yield {INTERRUPT: _interrupts(data)}


def _body_started(
    reader: RunReader, data: Mapping[str, Any], namespace: Namespace
) -> Iterator[Any]:
    yield {
        "id": "",
        "name": data["name"],
        "input": data.get("input"),
        "triggers": ("__start__",),
        **reader.given,
    }


def _step_started(
    reader: RunReader, data: Mapping[str, Any], namespace: Namespace
) -> Iterator[Any]:
    given = data.get("input")
    if given is not None:
        given = (tuple(given[0]), dict(given[1]))
    yield {
        "id": data["id"],
        "name": step_name(data["id"]),
        "input": given,
        "triggers": ("__pregel_push",),
        **reader.given,
    }


def _step_finished(
    reader: RunReader, data: Mapping[str, Any], namespace: Namespace
) -> Iterator[Any]:
    value, error = outcome_of(data)
    yield {
        "id": data["id"],
        "name": step_name(data["id"]),
        "error": error,
        "result": {"__return__": value} if error is None else {},
        "interrupts": [],
    }


def _step_interrupted(
    reader: RunReader, data: Mapping[str, Any], namespace: Namespace
) -> Iterator[Any]:
    yield {
        "id": data["id"],
        "name": step_name(data["id"]),
        "error": None,
        "result": {},
        "interrupts": list(data["interrupts"]),
    }


def _body_finished(
    reader: RunReader, data: Mapping[str, Any], namespace: Namespace
) -> Iterator[Any]:
    value, error = outcome_of(data)
    ended = data["status"] == "completed"
    yield {
        "id": "",
        "name": data.get("name", reader.entrypoint),
        "error": error,
        "result": {"__end__": value} if ended else {},
        "interrupts": [],
    }


def _body_interrupted(
    reader: RunReader, data: Mapping[str, Any], namespace: Namespace
) -> Iterator[Any]:
    yield {
        "id": "",
        "name": reader.entrypoint,
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


def _input(reader: RunReader, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    checkpoint = data.get("checkpoint")
    if checkpoint is not None:
        yield chunk(checkpoint, reader.thread_id, "input", checkpoint["values"], reader.entrypoint)


def _result(reader: RunReader, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
    checkpoint = data.get("checkpoint")
    if checkpoint is not None:
        yield chunk(checkpoint, reader.thread_id, "loop", outcome_of(data)[0])


_INPUT: Final[dict[str, _Maker]] = {"run.started": _input}
_RESULT: Final[dict[str, _Maker]] = {"run.finished": _result}


def _debug(makers: Mapping[str, _Maker]) -> dict[str, _Maker]:
    return {mode: _wrapped(mode, make) for mode, make in makers.items()}


def _wrapped(mode: str, make: _Maker) -> _Maker:
    kind = "task" if mode.endswith("started") else "task_result"
    if make in (_input, _result):
        kind = "checkpoint"

    def wrap(reader: RunReader, data: Mapping[str, Any], namespace: Namespace) -> Iterator[Any]:
        for payload in make(reader, data, namespace):
            step = payload["metadata"]["step"] if kind == "checkpoint" else reader.messages.step
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
"""The makers of each mode, in the order of the chunks of one fact in several modes.

The cause comes before its effect; a checkpoint comes before the run that begins with it, and after
the run that ends with it.
"""


def outcome_of(data: Mapping[str, Any]) -> tuple[Any, BaseException | None]:
    """Return the value and the error of an event that has an outcome."""
    outcome = cast("Mapping[str, Any]", data.get("outcome") or {})
    error = outcome.get("error")
    if error is not None and not isinstance(error, BaseException):
        error = load_error(error)
    return outcome.get("value"), error
