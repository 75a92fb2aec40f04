"""What a graph streams, told as events of its run: each chunk once, together with its records.

LangGraph calls the teller as it streams, in the loop of the graph or in a thread. What belongs
together becomes one write of the journal, so that no death comes between: what a task has written
and the chunks of its end; a point and the chunks that speak of it.
"""

from __future__ import annotations

__all__ = ["Teller"]

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from langgraph.checkpoint.base import CheckpointTuple
from langgraph.config import get_config

from penstock.langgraph.hosting.chunk_texts import ChunkTexts
from penstock.langgraph.hosting.records import POINT, TOLD
from penstock.langgraph.hosting.under_way import (
    Held,
    Namespace,
    SpaceUnderWay,
    Told,
    Write,
    finished_in,
    whole,
)
from penstock.langgraph.redis.channels import INTERRUPT
from penstock.langgraph.redis.snapshot import Snapshot
from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.journal.fact import Fact
from penstock.runtime.journal.put import Put
from penstock.runtime.redis.journal.journal import RedisJournal
from penstock.runtime.streaming.graph_chunks import GRAPH


class Teller:
    """Takes the chunks of one attempt's graph, and what its checkpointer is told to store."""

    def __init__(
        self,
        attempt: Attempt,
        journal: RedisJournal,
        modes: Sequence[str],
        later: Callable[[Callable[[], None]], object],
    ) -> None:
        """Take what calls a function on the loop soon."""
        self._texts = ChunkTexts(attempt.codec.at("event", GRAPH))
        self._journal = journal
        self._modes = frozenset(modes)
        self._later = later
        self._snapshot: Callable[[str, str, Snapshot], Put] | None = None
        self._told_point = (journal.recorded(TOLD) or b"").decode()
        self._goes_on = bool(self._told_point) or journal.recorded(POINT) is not None
        self._pairs = journal.durability != "exit"
        self._spaces: defaultdict[str, SpaceUnderWay] = defaultdict(SpaceUnderWay)
        self._lock = threading.RLock()

    # -- what LangGraph streams -----------------------------------------------------------------

    def take(self, chunk: tuple[Namespace, str, Any]) -> None:
        """Take a chunk of any mode; from any thread.

        Raises:
            LeaseLostError: another attempt owns the run.
            Fenced: the attempt is over.
        """
        namespace, mode, payload = chunk
        with self._lock:
            space = self._spaces["|".join(namespace)]
            if mode == "messages":
                self._say(tuple(payload[1]["langgraph_checkpoint_ns"].split("|")), mode, payload)
            elif mode == "values":
                self._values(space, namespace, payload)
            elif mode == "updates":
                self._update(space, namespace, payload)
            elif payload["type"] == "checkpoint":
                self._checkpoint(space, namespace, payload)
            elif payload["type"] == "task":
                self._begin(space, namespace, payload)
            else:
                self._end(space, namespace, payload)

    def store_snapshots(self, snapshot: Callable[[str, str, Snapshot], Put]) -> None:
        """Store what chunks tell of points by a function of namespace, id, and what is told."""
        self._snapshot = snapshot

    def tells(self, mode: str) -> bool:
        """Tell whether the chunks of a mode become events."""
        return mode in self._modes

    def write(self, value: Any) -> None:
        """Say something in mode `custom`, as the running task; from any thread."""
        path: str = get_config().get("configurable", {})["checkpoint_ns"]
        with self._lock:
            self._say(tuple(path.split("|")), "custom", value)

    def _say(self, path: Namespace, mode: str, chunk: Any) -> None:
        if mode in self._modes:
            space = self._spaces["|".join(path[:-1])]
            self._write(space, Write(facts=[self._told(path, mode, chunk)]))

    def _values(self, space: SpaceUnderWay, namespace: Namespace, payload: Any) -> None:
        facts = [self._told(namespace, "values", payload)] if "values" in self._modes else []
        if isinstance(payload, Mapping) and INTERRUPT in payload:
            space.chunks += facts
            return
        if space.is_kept:
            space.held.append(Held())
        self._write(space, Write(facts=facts))

    def _update(self, space: SpaceUnderWay, namespace: Namespace, payload: Any) -> None:
        given = cast("Mapping[str, Any]", payload if isinstance(payload, Mapping) else {})
        told = self._told(namespace, "updates", payload)
        about: Any = given.get("__metadata__")
        if not given.get(INTERRUPT, True):  # it stops at a breakpoint, and no task does
            self._write(space, Write(facts=[told]))
            return
        if not (isinstance(about, Mapping) and cast("Mapping[str, Any]", about).get("cached")):
            space.chunks.append(told)
        elif space.writes:  # out of a cache: its writes have just come, and no result will
            name, write = next(iter(space.writes.items()))
            del space.writes[name]
            write.facts.append(told)
            self._write(space, write)

    def _checkpoint(
        self, space: SpaceUnderWay, namespace: Namespace, wrapped: Mapping[str, Any]
    ) -> None:
        configurable = wrapped["payload"]["config"]["configurable"]
        point_id = str(configurable["checkpoint_id"])
        self._note(space, namespace, point_id, wrapped["payload"])
        if point_id in space.stored:
            if self._goes_on:
                space.held.clear()  # it was told, and its values
                return
            self._write(space, Write(checkpoints={TOLD: point_id}))
            self._release(space)
        elif point_id in space.put or not self._pairs:
            self._release(space)
        elif space.is_kept:
            space.await_point(point_id)
        if "checkpoints" in self._modes:
            told = self._wrapped(namespace, "checkpoints", wrapped)
            self._write(space, Write(facts=[told]))

    def _note(
        self, space: SpaceUnderWay, namespace: Namespace, point_id: str, payload: Any
    ) -> None:
        """Have what is told of a point stored with it, or at once where it is stored."""
        if self._snapshot is None or point_id in space.stored:
            return
        put = self._snapshot("|".join(namespace), point_id, Snapshot.told(payload))
        if point_id in space.put:
            self._put(Write([put]))
        else:
            space.told[point_id] = put

    def step_id(self, path: str) -> str | None:
        """Return the stable id of a task, of its checkpoint namespace.

        None is that of a task of which no chunk has told that it begins: it, or one around it, is
        hidden.
        """
        parts = path.split("|")
        with self._lock:
            spaces = ("|".join(parts[:count]) for count in range(len(parts)))
            ids = [part.rpartition(":")[2] for part in parts]
            found = [
                self._spaces[space].ids.get(task_id)
                for space, task_id in zip(spaces, ids, strict=True)
            ]
        return None if None in found else "/".join(filter(None, found))

    def _begin(
        self, space: SpaceUnderWay, namespace: Namespace, wrapped: Mapping[str, Any]
    ) -> None:
        space.number(wrapped["step"], wrapped["payload"])
        if wrapped["payload"]["id"] not in space.finished:
            told = self._wrapped(namespace, "tasks", wrapped)
            self._write(space, Write(facts=[told]))

    def _end(self, space: SpaceUnderWay, namespace: Namespace, wrapped: Mapping[str, Any]) -> None:
        result = wrapped["payload"]
        is_over = result["error"] is None and not result["interrupts"]
        ended = f"{result['name']}:{result['id']}" if is_over else ""
        facts = [*space.chunks, self._wrapped(namespace, "tasks", wrapped, ended)]
        space.chunks = []
        write = space.writes.pop(result["id"], None)
        if write is not None:
            write.facts += facts
            self._write(space, write)
        elif self._pairs and space.is_kept and result["id"] not in space.alone:
            space.ends[result["id"]] = facts
        else:
            self._write(space, Write(facts=facts))

    # -- what the checkpointer is told ----------------------------------------------------------

    def begins(self, namespace: str, found: CheckpointTuple | None) -> None:
        """Take note of the newest point of a namespace, as its loop begins."""
        with self._lock:
            space = self._spaces[namespace]
            space.is_kept = True
            if found is not None:
                point_id = found.checkpoint["id"]
                if point_id not in space.put:
                    space.stored.add(point_id)
                    space.finished |= finished_in(found) if self._goes_on else set()

    def writes(
        self,
        namespace: str,
        task_id: str,
        puts: Sequence[Put],
        checkpoints: Mapping[str, str],
        *,
        is_sync: bool,
    ) -> None:
        """Store what a task has written, with the chunks of its end.

        On a loop they come before anything else, unless the task is a hidden one. Sync code stores
        it in a thread beside the one that streams: there they have come when the next point does.
        """
        write = Write(puts, checkpoints)
        with self._lock:
            space = self._spaces[namespace]
            facts = space.ends.pop(task_id, None)
            if facts is not None or not self._pairs or task_id in space.ended:
                write.facts += facts or ()
                self._write(space, write)
                return
            earlier = space.writes.pop(task_id, None)
            if earlier is not None:
                self._write(space, earlier)
            space.writes[task_id] = write
        if not is_sync:
            self._later(lambda: self._give_up_pairing(namespace, task_id, write))

    def point(
        self, namespace: str, point_id: str, puts: Sequence[Put], checkpoints: Mapping[str, str]
    ) -> None:
        """Store a point, with the chunks that speak of it."""
        with self._lock:
            space = self._spaces[namespace]
            self._give_up_all(space)
            space.put.add(point_id)
            ends, held = space.all_ends(), space.taken(point_id)
            puts = [*puts, *space.told_of(point_id)]
            # After what is held: the words of a task must not come after its end.
            self._put(whole([*held, Write(facts=[*ends]), Write(puts, checkpoints)]))

    def settle(self, namespace: str | None = None) -> None:
        """Store what has come so far of a namespace, or of all, before it is read."""
        with self._lock:
            for name, space in self._spaces.items():
                if namespace is not None and name != namespace:
                    continue
                self._give_up_all(space)
                if any(write.puts for held in space.held for write in held.writes):
                    self._release(space)

    def finish(self) -> None:
        """Tell what still waits for points: none come any more."""
        with self._lock:
            for space in self._spaces.values():
                self._give_up_all(space)
                self._release(space)

    def _give_up_pairing(self, namespace: str, task_id: str, write: Write) -> None:
        """Store what a task has written of whose end no chunk has come: it is a hidden one."""
        with self._lock:
            space = self._spaces[namespace]
            if space.writes.get(task_id) is write and not self._journal.is_ending:
                del space.writes[task_id]
                space.alone.add(task_id)
                self._write(space, write)

    def _give_up_all(self, space: SpaceUnderWay) -> None:
        writes, space.writes = space.writes, {}
        for task_id, write in writes.items():
            space.alone.add(task_id)
            self._write(space, write)

    # -- what is written ------------------------------------------------------------------------

    def _release(self, space: SpaceUnderWay) -> None:
        self._put(whole(space.all_held()))

    def _write(self, space: SpaceUnderWay, write: Write) -> None:
        if not space.add(write):
            self._put(write)

    def _put(self, write: Write) -> None:
        if write.puts or write.checkpoints or write.facts:
            self._journal.put(write.puts, write.checkpoints, write.facts)

    def _wrapped(
        self, namespace: Namespace, mode: str, wrapped: Mapping[str, Any], ended: str = ""
    ) -> Told:
        return self._fact(namespace), self._texts.wrapped(mode, wrapped, ended)

    def _told(self, namespace: Namespace, mode: str, chunk: Any) -> Told:
        return self._fact(namespace), self._texts.of(mode, chunk)

    @staticmethod
    def _fact(namespace: Namespace) -> Fact:
        return Fact(GRAPH, None, namespace, time.time())
