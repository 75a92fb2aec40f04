"""Stream modes: the chunks that a reader gets of a run's facts, in process and over Redis."""

from __future__ import annotations

__all__ = ["CONFIGURED", "INTERRUPT", "MODES", "Chunk", "ModeView", "check_modes"]

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from penstock.runtime.journal.step_id import namespace as step_path
from penstock.runtime.streaming.chunks import INTERRUPT, PARTS, Namespace
from penstock.runtime.streaming.graph_chunks import GRAPH, graph_chunks
from penstock.runtime.streaming.run_reader import RunReader

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
"""The modes whose chunks name the step that writes them; they always show nested entrypoints."""

CONFIGURED: Final = frozenset({"messages", "tasks", "debug"})
"""The modes whose chunks have something of the run's config."""

Chunk: TypeAlias = tuple[Namespace, str, Any]
"""Namespace, stream mode and payload."""


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


class ModeView:
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
        self._modes = frozenset(modes)
        self._parts = [(mode, makers) for mode, makers in PARTS if mode in modes]
        self._subgraphs = subgraphs
        self._reader = RunReader(entrypoint, thread_id, config or {})

    @property
    def entrypoint(self) -> str:
        """The name of the run's entrypoint."""
        return self._reader.entrypoint

    def chunks(self, mode: str, data: Any, namespace: Namespace, time: float) -> Iterator[Chunk]:
        """Yield the chunks of one fact: none or more for each wanted mode."""
        if mode == GRAPH:
            return self._of_graph(data, namespace, time)
        if mode.startswith("run.") and data.get("graph"):
            return iter(())  # what the graph has streamed says it
        return self._of_engine(mode, data, namespace, time)

    def _of_engine(
        self, mode: str, data: Any, namespace: Namespace, time: float
    ) -> Iterator[Chunk]:
        if mode == "run.started":
            self._reader.begin(data)
        speaker = step_path(data["id"]) if mode.startswith("step.") else namespace
        path = _entrypoints(speaker)
        for wanted, makers in self._parts:
            if path and not self._subgraphs and wanted not in WORDS:
                continue
            make = makers.get(mode)
            if make is None:
                continue
            for payload in make(self._reader, data, namespace):
                if wanted == "debug":
                    payload |= {"timestamp": _text_of(time)}
                yield speaker if wanted in WORDS else path, wanted, payload

    def _of_graph(self, data: Any, namespace: Namespace, time: float) -> Iterator[Chunk]:
        for is_below, wanted, payload in graph_chunks(data, namespace):
            if wanted not in self._modes or (is_below and not self._subgraphs):
                continue
            if wanted == "debug":
                payload |= {"timestamp": _text_of(time)}
            yield namespace, wanted, payload


def _text_of(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat()


def _entrypoints(namespace: Namespace) -> Namespace:
    """Return the part of a path that nested entrypoints make up."""
    return tuple(part for part in namespace if part[0] == "^")
