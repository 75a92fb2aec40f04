"""The form that `astream_events` gives: a run's facts as the events of nested units."""

from __future__ import annotations

__all__ = ["Events"]

import inspect
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from penstock.runtime.journal.assignment import Assignment
from penstock.runtime.journal.checkpointer import Opening
from penstock.runtime.journal.fact import Fact
from penstock.runtime.journal.step_id import ancestry, step_name
from penstock.runtime.streaming.chunk_format import Shape, chosen, output_of
from penstock.runtime.streaming.messages import place
from penstock.runtime.streaming.stream_event import EventFilter, StreamEvent, Unit
from penstock.runtime.types.call_options import Options
from penstock.runtime.types.config import Config


class Events:
    """Turns the facts of one call into events: of its root, its body and each step.

    The chunks that `astream` would give are those of the root. A body or step that fails or waits
    has no end; the root of a run that waits ends, with the output None.
    """

    def __init__(self, name: str, options: Options, input: Any, wanted: EventFilter) -> None:
        self._shape = Shape(name, options)
        self._options = options
        self._input = input
        self._wanted = wanted
        self._inputs: dict[str, Any] = {}
        self._output: Any = None
        self._units: _Units

    def first(self, opening: Opening, *, resumes: bool) -> Iterator[StreamEvent]:
        """Yield the root's start, and its stream and end if its run is already over."""
        self._units = _Units(opening.assignment, self._options.config)
        yield from self._event(self._units.root, "start", input=self._input)
        yield from self._chunks(self._shape.first(opening, resumes=resumes))
        if opening.result is not None:
            if opening.result.status == "completed":
                self._output = output_of(self._options, opening.result.value)
            yield from self._event(self._units.root, "end", output=self._output)

    def items(self, fact: Fact) -> Iterator[StreamEvent]:
        """Yield the events of the body or of a step for a fact, then the root's chunks of it."""
        data = fact.data
        match fact.mode:
            case "run.started":
                yield from self._start("", data["input"])
            case "step.started" if not data.get("replayed"):
                yield from self._start(data["id"], _given(data))
            case "step.finished" | "run.finished":
                yield from self._end(data.get("id", ""), data)
            case "message":
                yield from self._event(self._units.message(data), "stream", chunk=data["chunk"])
            case _:
                pass
        yield from self._chunks(self._shape.items(fact))

    def ended(self) -> Iterator[StreamEvent]:
        """Give the root's end: its output, None where the run waits."""
        yield from self._chunks(self._shape.ended())
        yield from self._event(self._units.root, "end", output=self._output)

    def _start(self, step_id: str, given: Any) -> Iterator[StreamEvent]:
        self._inputs[step_id] = given
        return self._event(self._units.step(step_id), "start", input=given)

    def _end(self, step_id: str, data: Mapping[str, Any]) -> Iterator[StreamEvent]:
        given = self._inputs.pop(step_id, None)
        outcome = cast("Mapping[str, Any]", data.get("outcome") or {})
        if "value" not in outcome:
            return
        unit, value = self._units.step(step_id), outcome["value"]
        yield from self._event(unit, "stream", chunk=value)
        yield from self._event(unit, "end", output=value, input=given)
        if not step_id:
            self._output = chosen(self._options, value, data.get("saved"))

    def _chunks(self, chunks: Iterator[Any]) -> Iterator[StreamEvent]:
        for chunk in chunks:
            yield from self._event(self._units.root, "stream", chunk=chunk)

    def _event(self, unit: Unit, what: str, **data: Any) -> Iterator[StreamEvent]:
        if self._wanted.wants(unit):
            yield unit.event(what, data)


@dataclass(frozen=True)
class _Units:
    """The units of one run, which have the same ids in each of its attempts."""

    run: Assignment
    config: Config

    @property
    def root(self) -> Unit:
        """The call as a whole, whose id is the run's own."""
        name = self.config.get("run_name") or self.run.entrypoint
        return Unit("chain", name, self.run.run_id, (), self._tags, self._metadata)

    def step(self, step_id: str) -> Unit:
        """Return the unit of a step, for "" of the body."""
        own = f"graph:step:{self._number}" if _is_body(step_id) else "seq:step:1"
        return Unit(
            "chain",
            step_name(step_id) or self.run.entrypoint,
            self._id(step_id),
            self._path(step_id)[:-1],
            (own, *self._tags),
            {**self._metadata, **place(step_id, self.run.entrypoint, self._number)},
        )

    def message(self, data: Mapping[str, Any]) -> Unit:
        """Return the unit of the message that a chunk is of; it is in the step that sends it."""
        step = self.step(data["step"])
        return Unit(
            "chat_model",
            step.name,
            self._id(f"!{data['id']}"),
            self._path(data["step"]),
            step.tags,
            {**step.metadata, "id": data["id"]},
        )

    @property
    def _tags(self) -> tuple[str, ...]:
        return tuple(self.config.get("tags") or ())

    @property
    def _metadata(self) -> dict[str, Any]:
        return {**(self.config.get("metadata") or {}), "thread_id": self.run.thread_id}

    @property
    def _number(self) -> int:
        return self.run.position.step + 1 if self.run.position is not None else 0

    def _path(self, step_id: str) -> tuple[str, ...]:
        return (self.run.run_id, *map(self._id, ("", *ancestry(step_id))))

    def _id(self, name: str) -> str:
        return str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_OID, self.run.run_id), name))


def _is_body(step_id: str) -> bool:
    """Return whether an entrypoint's body has the id: the run's own, or a nested one's."""
    return step_id.rpartition("/")[2][:1] in ("", "^")


def _given(data: Mapping[str, Any]) -> Any:
    """Return what a step was called with: a nested entrypoint its input, a task its arguments."""
    args, kwargs = data["input"]
    if _is_body(data["id"]):
        return args[0]
    return _named(data.get("function"), args, kwargs)


def _named(function: Any, args: Any, kwargs: Any) -> Any:
    """Return arguments by parameter, with defaults; unchanged if the parameters are unknown."""
    try:
        signature = inspect.signature(function)
        bound = signature.bind_partial(*args, **kwargs)
    except (TypeError, ValueError):
        return args, kwargs
    bound.apply_defaults()
    named = dict(bound.arguments)
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            named |= named.pop(parameter.name)
    return named
