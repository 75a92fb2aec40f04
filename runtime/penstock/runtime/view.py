"""Stream modes: what a reader sees of the facts of a run, the same in process and over Redis."""

from __future__ import annotations

__all__ = ["CONFIGURED", "INTERRUPT", "MODES", "Chunk", "View", "check_modes"]

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, cast

from penstock.publisher.failure import load_error
from penstock.runtime.interrupt import Interrupt
from penstock.runtime.lineage import namespace as step_path
from penstock.runtime.lineage import step_name
from penstock.runtime.messages import Messages
from penstock.runtime.position import chunk

MODES: Final = (
    "values",
    "updates",
    "custom",
    "messages",
    "tasks",
    "checkpoints",
    "debug",
    "retry",
)
WORDS: Final = ("custom", "messages", "retry")
"""The modes whose chunks say which step speaks, nested entrypoints' steps always included."""

INTERRUPT: Final = "__interrupt__"

CONFIGURED: Final = frozenset({"messages", "tasks", "debug"})
"""The modes whose chunks have something of the run's config."""

Namespace: TypeAlias = tuple[str, ...]
Chunk: TypeAlias = tuple[Namespace, str, Any]
"""Namespace, stream mode and payload."""

_Maker: TypeAlias = "Callable[[View, Mapping[str, Any], Namespace], Iterator[Any]]"


def check_modes(modes: str | Sequence[str]) -> tuple[str, ...]:
    """Return stream modes as a tuple.

    Raises:
        ValueError: one of them does not exist.
    """
    wanted = (modes,) if isinstance(modes, str) else tuple(modes)
    for mode in wanted:
        if mode not in MODES:
            raise ValueError(f"unknown stream mode {mode!r}; there are {', '.join(MODES)}.")
    return wanted


class View:
    """Turns one run's facts into the chunks of the wanted modes."""

    def __init__(
        self,
        modes: Sequence[str],
        *,
        entrypoint: str = "",
        subgraphs: bool = False,
        config: Mapping[str, Any] | None = None,
        thread_id: str = "",
    ) -> None:
        self._parts = [(mode, makers) for mode, makers in _PARTS if mode in modes]
        self._subgraphs = subgraphs
        self.told = _told(config or {})
        self.messages = Messages(entrypoint, config or {})
        self.thread_id = thread_id

    @property
    def entrypoint(self) -> str:
        """The name of the run's entrypoint."""
        return self.messages.entrypoint

    def chunks(self, mode: str, data: Any, namespace: Namespace, time: float) -> Iterator[Chunk]:
        """Give what the reader sees of one fact: for each wanted mode nought or more chunks."""
        if mode == "run.started":
            self._begin(data)
        speaker = step_path(data["id"]) if mode.startswith("step.") else namespace
        path = _entrypoints(speaker)
        for wanted, makers in self._parts:
            if path and not self._subgraphs and wanted not in WORDS:
                continue
            make = makers.get(mode)
            if make is None:
                continue
            for payload in make(self, data, namespace):
                if wanted == "debug":
                    payload |= {"timestamp": datetime.fromtimestamp(time, UTC).isoformat()}
                yield speaker if wanted in WORDS else path, wanted, payload

    def _begin(self, data: Mapping[str, Any]) -> None:
        self.messages.entrypoint = data["name"]
        checkpoint = cast("Mapping[str, Any]", data.get("checkpoint") or {})
        self.messages.step = checkpoint.get("step", -1) + 1

    def outcome(self, data: Mapping[str, Any]) -> tuple[Any, BaseException | None]:
        """Return the value and the error of a fact that has an outcome."""
        outcome = cast("Mapping[str, Any]", data.get("outcome") or {})
        error = outcome.get("error")
        if error is not None and not isinstance(error, BaseException):
            error = load_error(error)
        return outcome.get("value"), error


def _entrypoints(namespace: Namespace) -> Namespace:
    """Return the part of a path that nested entrypoints make up."""
    return tuple(part for part in namespace if part[0] == "^")


def _interrupts(data: Mapping[str, Any]) -> tuple[Interrupt, ...]:
    return tuple(
        Interrupt(item["value"], item["id"], item.get("response_schema"))
        for item in data["interrupts"]
    )


def _name(data: Mapping[str, Any]) -> str:
    return step_name(data["id"]) if "id" in data else data["name"]


def _told(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the begin of a step tells of its run, for whoever gave it a config."""
    told = dict(config.get("metadata") or {})
    if config.get("tags"):
        told["tags"] = list(config["tags"])
    return {"metadata": told} if told else {}


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
            is_checkpoint = kind == "checkpoint"
            step = payload["metadata"]["step"] if is_checkpoint else view.messages.step
            yield {"step": step, "type": kind, "payload": payload}

    return wrap


_PARTS: Final[tuple[tuple[str, dict[str, _Maker]], ...]] = (
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
"""The order of what one fact looks like in several modes: what happened, then what came of it."""
