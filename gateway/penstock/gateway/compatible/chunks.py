"""All chunks of a run's events, each with a number that does not depend on who reads them.

A cursor `<seq>-<number>` is one place in a stream, whatever modes its reader asks for. So each fact
is turned into the chunks of all modes, and none is left out for what came before.
"""

from __future__ import annotations

__all__ = ["NumberedChunk", "RunChunks"]

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from penstock.publisher.event import Event
from penstock.runtime.journal.step_id import namespace as step_path
from penstock.runtime.streaming.chunks import PARTS, Namespace
from penstock.runtime.streaming.graph_chunks import GRAPH, WORDS, graph_chunks
from penstock.runtime.streaming.messages import Messages
from penstock.runtime.streaming.run_reader import RunReader
from penstock.runtime.types.leg import RunLegs

PLACES: Final = 3
"""Numbers that a chunk of a message takes: two modes show it, one of them in up to two frames."""


class NumberedChunk(NamedTuple):
    """One chunk of a fact."""

    number: int
    mode: str
    namespace: Namespace
    """The nested entrypoints, or subgraphs, that it is of."""
    payload: Any
    speaker: str = ""
    """Of a message: the id of the step that says it."""


class RunChunks:
    """Turns the facts of one run into chunks."""

    def __init__(self, legs: RunLegs) -> None:
        run = legs.run
        self.reader = RunReader(run.entrypoint, run.thread_id, legs.config)
        self.reader.messages = _EachMessage(run.entrypoint, legs.config)

    def of(self, event: Event) -> Iterator[NumberedChunk]:
        """Give the chunks of a fact, in the order of their numbers."""
        if event.mode == GRAPH:
            return self._of_graph(event)
        if event.mode.startswith("run.") and event.data.get("graph"):
            return iter(())  # what the graph has streamed says it
        return self._of_engine(event)

    def _of_engine(self, event: Event) -> Iterator[NumberedChunk]:
        mode, data = event.mode, event.data
        if mode == "run.started":
            self.reader.begin(data)
        speaker = step_path(data["id"]) if mode.startswith("step.") else event.namespace
        path = tuple(part for part in speaker if part[0] == "^")
        step_id = "/".join(speaker)
        number = 0
        for wanted, makers in PARTS:
            make = makers.get(mode)
            if make is None:
                continue
            for payload in make(self.reader, data, event.namespace):
                yield NumberedChunk(number, wanted, path, payload, step_id)
                number += PLACES if wanted == "messages" else 1

    def _of_graph(self, event: Event) -> Iterator[NumberedChunk]:
        number = 0
        speaker = "/".join(event.namespace)
        for _, wanted, payload in graph_chunks(event.data, event.namespace):
            path = event.namespace[:-1] if wanted in WORDS else event.namespace
            yield NumberedChunk(number, wanted, path, payload, speaker)
            number += PLACES if wanted == "messages" else 1


class _EachMessage(Messages):
    """Gives messages again that were given before, so that their numbers stay the same."""

    def chunk(self, data: Any) -> tuple[Any, dict[str, Any]]:
        given = super().chunk(data)
        self._seen.clear()
        return given

    def found(self, value: Any, step_id: str) -> Iterator[tuple[Any, dict[str, Any]]]:
        yield from super().found(value, step_id)
        self._seen.clear()
