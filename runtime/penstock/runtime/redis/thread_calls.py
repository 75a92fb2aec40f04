"""The script calls that read and change threads between their runs. No IO."""

from __future__ import annotations

__all__ = ["Amendment", "Change", "Copy", "Record", "ThreadCalls"]

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from penstock.publisher.redis.script import Call, Reply, load
from penstock.runtime.journal.graph_host import GraphHost
from penstock.runtime.redis.keys import Keys, first_arguments, thread_bytes, thread_key
from penstock.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Change:
    """A checkpoint to be added: on which thread, from which other one ("" for the head), by whom.

    A change with the same nonce is made once.
    """

    thread_id: str
    checkpoint_id: str
    nonce: str
    entrypoint: str = ""
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class Amendment:
    """Values for a thread as encoded text, as `Kept` writes them; empty to cancel what is pending.

    `run_id` is the run that the thread is at, as far as the caller knows, and `result` the outcome
    that completes it if it is pending.
    """

    saved: str = ""
    value: str = ""
    run_id: str = ""
    result: str = ""


@dataclass(frozen=True, slots=True)
class Copy:
    """A thread's history and the fields of its hash, written again for another thread."""

    source: str
    target: str
    state: Mapping[str, str | bytes]
    entries: Sequence[str | bytes]


@dataclass(frozen=True, slots=True)
class Record:
    """A checkpoint as it is stored, with what its run has recorded if it is an input."""

    number: str
    source: str
    step: int
    parent: str
    run_id: str
    time: int
    """Milliseconds since 1970."""
    entrypoint: str
    metadata: bytes
    saved: bytes
    """What the next run gets; empty before the first result."""
    value: bytes
    """The result, where that is another."""
    status: str
    """Of its run; "" if it has none, or that is no longer kept."""
    checkpoints: Mapping[str, bytes]
    questions: Sequence[str]
    standing: str
    """`head` if the thread is at this run, `past` if it has gone on, "" if the run was dropped."""


class ThreadCalls:
    """Builds the calls for one set of settings, and reads their replies."""

    def __init__(self, keys: Keys, settings: Settings) -> None:
        self.keys = keys
        self._history = settings.history
        self._retention = round(settings.thread_retention * 1000)

    def _call(self, name: str, *args: str | bytes | int) -> Call:
        script = load("penstock.runtime.redis.scripts", name)
        return Call(script, (), (*first_arguments(self.keys), *args))

    def state(self, thread_id: str, first: str = "", count: int = 1, *, whole: bool = True) -> Call:
        """Read checkpoints, from the first backwards; with `whole`, what runs have recorded."""
        name = thread_bytes(thread_id)
        return self._call("state", thread_key(thread_id), first, count, int(whole), name)

    def own(self, thread_id: str) -> Call:
        """Make the keys of a thread that is a run's own, for what is about to read them."""
        return self._call("own", thread_key(thread_id), thread_bytes(thread_id))

    @staticmethod
    def host(reply: Reply) -> GraphHost | None:
        """Read of `state` whether a graph is executed on the thread, and which."""
        return GraphHost.parse(reply) if isinstance(reply, bytes) else None

    @staticmethod
    def records(reply: Reply) -> list[Record]:
        """Read `state`, of the thread of an entrypoint."""
        return [_record(*item) for item in cast("list[Any]", reply)]

    def update(self, change: Change, amendment: Amendment) -> Call:
        """Give a thread values."""
        return self._call(
            "update",
            thread_key(change.thread_id),
            thread_bytes(change.thread_id),
            change.nonce,
            change.checkpoint_id,
            amendment.saved,
            amendment.value,
            change.entrypoint,
            change.metadata,
            self._history,
            self._retention,
            amendment.run_id,
            amendment.result,
        )

    def fork(self, change: Change) -> Call:
        """Make a copy of a checkpoint the thread's head."""
        return self._call(
            "fork",
            thread_key(change.thread_id),
            change.nonce,
            change.checkpoint_id,
            change.entrypoint,
            change.metadata,
            self._history,
            self._retention,
            thread_bytes(change.thread_id),
        )

    def copy(self, copied: Copy, nonce: str) -> Call:
        """Give a new thread the history of another, but not the run that it is at."""
        own = ("id", "run", "ttl", "listed", "created", "record")
        state = {name: text for name, text in copied.state.items() if name not in own}
        return self._call(
            "copy",
            thread_key(copied.source),
            thread_key(copied.target),
            thread_bytes(copied.target),
            nonce,
            self._retention,
            copied.state.get("head", ""),
            len(state),
            *(part for pair in state.items() for part in pair),
            *copied.entries,
        )

    def expire(self, thread_id: str, seconds: float | None, *, stays: bool = False) -> Call:
        """Say how long a thread is kept after its last run; None for ever.

        A time that it has `stays`.
        """
        ms = round((seconds or 0) * 1000)
        given = (thread_key(thread_id), ms, thread_bytes(thread_id), int(stays))
        return self._call("expire", *given)

    def trim(self, thread_id: str) -> Call:
        """Forget the checkpoints of a thread but its newest."""
        return self._call("trim", thread_key(thread_id))

    def delete(self, thread_id: str, run_ids: Iterable[str] = ()) -> Call:
        """Forget a thread, or runs of it."""
        return self._call("delete", thread_key(thread_id), thread_bytes(thread_id), *run_ids)

    def thread_runs(self, thread_id: str, name: str, start: str) -> Call:
        """Look through a part of a list of runs that are over for those of a thread."""
        return self._call("thread_runs", thread_key(thread_id), name, start)

    @staticmethod
    def answer(reply: Reply) -> tuple[str, str]:
        """Read a reply of a word and what belongs to it."""
        word, other = (_text(item) for item in cast("list[bytes]", reply))
        return word, other

    @staticmethod
    def found(reply: Reply) -> tuple[str, list[str]]:
        """Read `thread_runs`: where to go on, "" at the end, and ids."""
        start, ids = cast("tuple[bytes, list[bytes]]", reply)
        return _text(start), [_text(item) for item in ids]


def _record(
    number: bytes,
    entry: bytes,
    status: bytes,
    checkpoints: Sequence[bytes],
    questions: Sequence[bytes],
    standing: bytes,
) -> Record:
    head, entrypoint, metadata, *own = entry.split(b"\n")
    _, source, step, parent, run_id, time, _ = _text(head).split(" ")
    recorded = zip(checkpoints[::2], checkpoints[1::2], strict=True)
    return Record(
        number=_text(number),
        source=source,
        step=int(step),
        parent=parent,
        run_id=run_id,
        time=int(time),
        entrypoint=json.loads(entrypoint),
        metadata=metadata,
        saved=own[0] if own else b"",
        value=own[1] if len(own) > 1 else b"",
        status=_text(status),
        checkpoints={_text(name): text for name, text in recorded},
        questions=[_text(item) for item in questions],
        standing=_text(standing),
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")
