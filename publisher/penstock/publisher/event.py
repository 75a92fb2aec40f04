"""One immutable fact about a run, and its form on the wire."""

from __future__ import annotations

__all__ = ["FETCH", "LARGE", "TERMINAL", "Event", "build", "decode", "encode", "parse", "texts"]

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any, cast

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.registry import register_type
from penstock.publisher.errors import CodecError

TERMINAL = "run.finished"
"""The mode of the last event of every run."""

LARGE = 64 * 1024
"""Bytes past which an event travels on the channel as a reference, not as itself."""

_SMALL = LARGE // 4
"""Characters that are surely no more than `LARGE` bytes."""

FETCH = b"*"
"""The line of a frame that stands for an event to be fetched from the stored list."""


@register_type
@dataclass(frozen=True, slots=True)
class Event:
    """One immutable fact about a run, ordered by `seq`.

    `seq` counts from 1 without gaps and is the cursor to resume a subscription from. `mode` is the
    kind of fact (`custom`, `step.finished`, ...), `namespace` the path of the step that wrote it
    (empty: the entrypoint's body), `time` is in epoch seconds.

    An event unpacks as `mode, data`, so that `for mode, chunk in run.stream(...)` reads as it does
    in process.
    """

    seq: int
    run_id: str
    thread_id: str
    mode: str
    namespace: tuple[str, ...]
    data: Any
    attempt: int
    time: float

    def __iter__(self) -> Iterator[Any]:
        yield self.mode
        yield self.data

    @property
    def terminal(self) -> bool:
        """Whether this is the last event of its run."""
        return self.mode == TERMINAL


def encode(
    mode: str,
    data: str,
    *,
    namespace: tuple[str, ...] = (),
    attempt: int = 1,
    thread: str = "",
    time: float,
    ref: str = "",
) -> str:
    """Write an event as the JSON object that is stored and published.

    Its members: `mode`; `data`, JSON text that the codec wrote; `time`, epoch seconds; and unless
    they have the usual value: `ns` (namespace, empty), `attempt` (1), `thread` (the run's own id),
    `ref`: the field of the checkpoints hash whose JSON is the member `outcome` of `data`.

    In the list, an item is the seq, a space and the object. On the channel, a message
    is a frame: the first seq, then one line an event with consecutive seqs, each the object with
    its `ref` resolved, or `*` where the event is over 64 KiB and has to be fetched.
    """
    extra = _origin(namespace, attempt, thread)
    if ref:
        extra += f',"ref":{_quote(ref)}'
    return f'{{"mode":{_quote(mode)},"data":{data}{extra},"time":{time:.3f}}}'


def texts(
    mode: str,
    data: str,
    *,
    namespace: tuple[str, ...] = (),
    attempt: int = 1,
    thread: str = "",
    time: float,
    ref: str = "",
    outcome: str = "",
    op: str = "",
) -> tuple[str, str]:
    """Write an event as the two texts that the scripts take: to store, and to publish.

    The second text is empty if it is the same, and `*` if it is over `LARGE`. With `ref`, the event
    is stored with the reference and published with `outcome`, the referenced JSON text; `data` is
    then the text of a JSON object. `op` is the id of a publisher's call; a repeated call finds it
    near the end of the text.
    """
    extra = _origin(namespace, attempt, thread)
    sent = f',"op":{_quote(op)}' if op else ""
    head, tail = f'{{"mode":{_quote(mode)},"data":{data}', f'{sent},"time":{time:.3f}}}'
    if not ref:
        stored = f"{head}{extra}{tail}"
        return stored, "*" if len(stored) > _SMALL and _large(stored) else ""
    stored = f'{head}{extra},"ref":{_quote(ref)}{tail}'
    if len(stored) + len(outcome) > LARGE:
        return stored, "*"
    separator = "" if data == "{}" or data[1:-1].isspace() else ","
    published = f'{head[:-1]}{separator}"outcome":{outcome}}}{extra}{tail}'
    return stored, "*" if len(published) > _SMALL and _large(published) else published


@lru_cache(maxsize=256)
def _origin(namespace: tuple[str, ...], attempt: int, thread: str) -> str:
    """Write where an event comes from: most events of an attempt come from the same place."""
    text = f',"ns":[{",".join(map(_quote, namespace))}]' if namespace else ""
    if attempt != 1:
        text += f',"attempt":{attempt}'
    return f'{text},"thread":{_quote(thread)}' if thread else text


def parse(line: str | bytes, seq: int, run_id: str) -> dict[str, Any]:
    """Read the JSON object of an event without building it.

    Raises:
        CodecError: the line is not a JSON object.
    """
    try:
        tree: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _not_an_event(seq, run_id, error) from error
    if not isinstance(tree, dict):
        raise _not_an_event(seq, run_id, "no JSON object")
    return cast("dict[str, Any]", tree)


def build(
    tree: dict[str, Any],
    seq: int,
    run_id: str,
    codec: Codec,
    outcome: str | bytes | None = None,
) -> Event:
    """Make an event of its parsed JSON object, with `outcome` the text its `ref` stands for.

    Raises:
        CodecError: the object is not an event.
    """
    try:
        codec = codec.at("run", run_id)
        data = codec.fact(tree["mode"], tree["data"])
        if outcome is not None:
            data["outcome"] = codec.outcome(outcome, tree["ref"])
        namespace = tree.get("ns")
        return Event(
            seq,
            run_id,
            tree.get("thread", run_id),
            tree["mode"],
            tuple(namespace) if namespace else (),
            data,
            tree.get("attempt", 1),
            tree["time"],
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _not_an_event(seq, run_id, error) from error


def decode(
    line: str | bytes, seq: int, run_id: str, codec: Codec, outcome: str | bytes | None = None
) -> Event:
    """Read an event from its JSON object: `parse`, then `build`."""
    return build(parse(line, seq, run_id), seq, run_id, codec, outcome)


_quote = encode_basestring_ascii


def _large(text: str) -> bool:
    return len(text) > LARGE or (not text.isascii() and len(text.encode()) > LARGE)


def _not_an_event(seq: int, run_id: str, why: object) -> CodecError:
    return CodecError(f"event {seq} of run {run_id!r} is not an event: {why}", what=f"event {seq}")
