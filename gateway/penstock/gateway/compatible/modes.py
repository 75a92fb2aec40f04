"""The stream modes of LangGraph's clients: what their names are, and the events of each chunk."""

from __future__ import annotations

__all__ = ["ModeEvents", "StreamMode", "WireEvent"]

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from penstock.gateway.compatible.chunks import NumberedChunk, RunChunks
from penstock.gateway.compatible.legs import FoundLeg
from penstock.gateway.compatible.messages import StreamedMessages, wire_message
from penstock.gateway.compatible.run_view import assistant_of
from penstock.gateway.compatible.task_ids import body_id
from penstock.publisher.event import Event
from penstock.runtime.streaming.graph_chunks import WORDS
from penstock.runtime.streaming.messages import place

StreamMode: TypeAlias = Literal[
    "values",
    "updates",
    "messages",
    "messages-tuple",
    "custom",
    "tasks",
    "checkpoints",
    "debug",
    "retry",
    "facts",
]
"""The names that readers ask by; the last two are Penstock's own."""

_TUPLE, _WHOLE, _FACTS = "messages-tuple", "messages", "facts"

_FOLDED: Final = frozenset({_TUPLE, _WHOLE, "debug"})
"""The modes whose events depend on what came before in the leg."""

_TAKEN_BACK: Final = 1000
"""The number of the first message that a fact takes back: behind the chunks of all modes."""

_FACT: Final = 1_000_000
"""The number of the chunk that is the fact itself: behind all others."""


class WireEvent(NamedTuple):
    """One event of the stream of a leg."""

    number: int
    name: str
    data: Any


class ModeEvents:
    """Turns the facts of a leg into the events that one reader has asked for."""

    def __init__(self, found: FoundLeg, modes: Sequence[str], *, subgraphs: bool) -> None:
        self._chunks = RunChunks(found.legs)
        self._modes = frozenset(modes)
        self._subgraphs = subgraphs
        self._streamed = StreamedMessages()
        self._run_id = found.run.run_id
        self._about = {
            "run_id": found.leg.leg_id,
            "thread_id": found.run.thread_id,
            "graph_id": found.run.entrypoint,
            "assistant_id": found.leg.request.get("assistant_id")
            or assistant_of(found.run.entrypoint),
        }

    @property
    def is_folded(self) -> bool:
        """Whether all facts of the leg have to be seen, not only those that are shown."""
        return not _FOLDED.isdisjoint(self._modes)

    @property
    def shows_messages(self) -> bool:
        """Whether messages are among what is shown."""
        return _TUPLE in self._modes or _WHOLE in self._modes

    def of(self, event: Event) -> Iterator[WireEvent]:
        """Give the events of a fact."""
        for chunk in self._chunks.of(event):
            if chunk.mode == "messages":
                if self.shows_messages:
                    yield from self._message(event, chunk)
                continue
            if chunk.mode not in self._modes or not self._is_shown(event, chunk):
                continue
            show = _SHOWN.get(chunk.mode)
            data = chunk.payload if show is None else show(self._run_id, chunk.payload)
            yield WireEvent(chunk.number, self._named(chunk.mode, chunk), data)
        if event.mode == "step.retry" and self.shows_messages:
            yield from self._taken_back(event)
        if _FACTS in self._modes:
            yield WireEvent(_FACT, _FACTS, event)

    def remember(self, event: Event) -> None:
        """Take the messages of a fact of an earlier leg, which may be void."""
        for chunk in self._chunks.of(event):
            if chunk.mode == "messages" and self._is_piece(event):
                self._take(event, chunk)

    def _is_shown(self, event: Event, chunk: NumberedChunk) -> bool:
        if not chunk.namespace or self._subgraphs:
            return True
        return event.mode != "graph" and (chunk.mode in WORDS or chunk.mode == "retry")

    def _named(self, name: str, chunk: NumberedChunk) -> str:
        return "|".join((name, *chunk.namespace)) if self._subgraphs else name

    # -- messages ---------------------------------------------------------------------------------

    def _message(self, event: Event, chunk: NumberedChunk) -> Iterator[WireEvent]:
        if not self._is_shown(event, chunk):
            return
        message, metadata = self._read(event, chunk)
        is_piece = self._is_piece(event) and message["type"].endswith("Chunk")
        if event.mode != "message" and str(message["id"]) in self._streamed.ids and not is_piece:
            if event.mode != "graph":
                return  # its chunks have come already
        streamed, is_new = self._streamed.take(chunk.speaker, event.seq, message, metadata)
        if _TUPLE in self._modes:
            yield WireEvent(chunk.number, self._named("messages", chunk), [message, metadata])
        if _WHOLE not in self._modes:
            return
        if is_new:
            about = {str(message["id"]): {"metadata": metadata}}
            yield WireEvent(chunk.number + 1, "messages/metadata", about)
        name = "messages/partial" if is_piece else "messages/complete"
        whole = streamed.message if is_piece else message
        yield WireEvent(chunk.number + 2, name, [dict(whole)])

    def _take(self, event: Event, chunk: NumberedChunk) -> None:
        message, metadata = self._read(event, chunk)
        self._streamed.take(chunk.speaker, event.seq, message, metadata)

    def _is_piece(self, event: Event) -> bool:
        return event.mode in ("message", "graph")

    def _read(self, event: Event, chunk: NumberedChunk) -> tuple[dict[str, Any], Mapping[str, Any]]:
        given, about = chunk.payload
        own: dict[str, Any] = dict(about)
        name = own.pop("id", None) if event.mode != "graph" else None
        is_piece = event.mode == "message"
        for unknown in ("whole", "step") if event.mode != "graph" else ():
            own.pop(unknown, None)
        message = wire_message(given, name, whole=not is_piece)
        return message, {**own, **self._about}

    def _taken_back(self, event: Event) -> Iterator[WireEvent]:
        """Take back the words of a step that is executed again; see `docs/reference/events.md`."""
        step_id: str = event.data["id"]
        number = _TAKEN_BACK
        for each in self._streamed.take_back(step_id, event.data["void_from"]):
            gone = {"type": "remove", "id": each.message["id"], "content": ""}
            if _TUPLE in self._modes:
                metadata = {**place(step_id, self._about["graph_id"], 0), **each.metadata}
                yield WireEvent(number, "messages", [gone, metadata])
            number += 1


def _task(run_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    found = {**payload, "id": payload["id"] or body_id(run_id)}
    error = found.get("error")
    if isinstance(error, BaseException):
        found["error"] = repr(error)
    return found


def _debug(run_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    if payload["type"] == "checkpoint":
        return dict(payload)
    return {**payload, "payload": _task(run_id, payload["payload"])}


def _checkpoint(run_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    tasks = [_task(run_id, each) for each in payload.get("tasks", ())]
    return {**payload, "tasks": tasks}


_SHOWN: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]]] = {
    "tasks": _task,
    "debug": _debug,
    "checkpoints": _checkpoint,
}
"""How a chunk is shown, where not as it is."""
