"""The handle of a thread: read its states, change, fork, copy or delete it."""

from __future__ import annotations

__all__ = ["ThreadHandle", "ref_of", "run_id_of", "thread_name"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from penstock.runtime.client.run import AsyncRunHandle, RunHandle
from penstock.runtime.client.thread_stream import ThreadStream
from penstock.runtime.client.transport import Transport
from penstock.runtime.errors import ConfigurationError, RunFailedError
from penstock.runtime.journal.graph_host import GraphHost
from penstock.runtime.redis.plans.copy_thread import copy_thread
from penstock.runtime.redis.plans.fork_run import fork_run
from penstock.runtime.redis.plans.graph_updates import PATIENCE, call, no_worker, refused
from penstock.runtime.types.config import Config
from penstock.runtime.types.graph_update import GraphUpdate
from penstock.runtime.types.interrupt import NOTHING
from penstock.runtime.types.state import (
    CheckpointRef,
    StateSnapshot,
    StateUpdate,
    checkpoint_config,
    checkpoint_id_of,
    namespace_of,
)


class ThreadHandle:
    """A thread, from synchronous code: `client.thread("t")`."""

    def __init__(self, client: Transport, thread_id: str) -> None:
        self._client = client
        self._thread_id = thread_id

    @property
    def thread_id(self) -> str:
        """The thread's id."""
        return self._thread_id

    def state(self, checkpoint: Config | str = "", *, subgraphs: bool = False) -> StateSnapshot:
        """Read the thread's state, at a checkpoint or the newest; values `{}` if unknown.

        The state of a LangGraph graph has plain data for values. `checkpoint` may be a config that
        names a subgraph; with `subgraphs` the tasks that are graphs have their state.

        Raises:
            ConfigurationError: it is the state of a graph, and what reads it is not installed.
        """
        ref = ref_of(self._thread_id, checkpoint)
        return self._client.do(self._client.threads.state(ref, subgraphs=subgraphs))

    def stream(
        self,
        stream_mode: str | Sequence[str] = "updates",
        *,
        after: str | None = None,
        subgraphs: bool = False,
    ) -> ThreadStream:
        """Follow the runs of the thread in the given stream modes, one after the other, for ever.

        Events are those of `run.stream`: what happens from now on, or behind the cursor `after`,
        where "0" stands for the oldest entry of the feed. `stream.cursor` is where to go on later.

        Raises:
            ConfigurationError: there is no feed: the setting `feed` is off.
            RunNotFoundError, CursorExpiredError: events of a run are no longer kept; the cursor
                then leads on behind that run.
        """
        return ThreadStream(self._client, self._thread_id, stream_mode, after, subgraphs)

    def history(
        self,
        *,
        filter: Mapping[str, Any] | None = None,
        before: Config | str | None = None,
        limit: int | None = None,
    ) -> Iterator[StateSnapshot]:
        """Give the thread's states, the newest first.

        `filter` has metadata that must be equal, `before` names a checkpoint to begin behind.
        """
        threads, left, ref = self._client.threads, limit, ref_of(self._thread_id, before or "")
        while left is None or left > 0:
            page = threads.history(ref, filter or {}, left)
            states, following = self._client.do(page)
            yield from states[:left]
            if not following:
                return
            ref = replace(ref, checkpoint_id=following)
            left = None if left is None else left - len(states)

    def update(
        self, values: Any, checkpoint: Config | str = "", *, as_node: str | None = None
    ) -> dict[str, Any]:
        """Store values as if the thread's entrypoint had returned them.

        They complete a run that waits or has failed. Returns the config of the new checkpoint. The
        state of a LangGraph graph is updated as if its node `as_node` had returned them, by a
        worker; a run that waits goes on from there as soon as it is resumed, with any answer.

        Raises:
            UnknownCheckpointError: the thread has no such checkpoint.
            ThreadBusyError: a run is at work on the thread.
            InvalidUpdateError: the graph refuses it, or there are no nodes here.
            NoWorkerError: no worker has updated the graph's state within 10 s.
        """
        threads, ref = self._client.threads, ref_of(self._thread_id, checkpoint)
        change = threads.changes.change(ref)
        made = self._client.do(threads.changes.update(change, values, as_node))
        if isinstance(made, GraphHost):
            made = self._update_graph(made, GraphUpdate.of(ref, [[StateUpdate(values, as_node)]]))
        return checkpoint_config(self._thread_id, made, ref.namespace)

    def bulk_update(
        self, supersteps: Sequence[Sequence[StateUpdate]], checkpoint: Config | str = ""
    ) -> dict[str, Any]:
        """Update the state of a LangGraph graph several times: a checkpoint for each inner list.

        As its `bulk_update_state` does: of several updates in one list each names its node, and
        what comes before an update that is refused stays. A worker makes them.

        Raises:
            ConfigurationError: there is no update.
            UnknownCheckpointError: the thread has no such checkpoint.
            ThreadBusyError: a run is at work on the thread.
            InvalidUpdateError: the graph refuses one, or the thread is not one of a graph.
            NoWorkerError: no worker has come to it within 10 s.
        """
        ref = ref_of(self._thread_id, checkpoint)
        update = GraphUpdate.of(ref, supersteps)
        host = self._client.do(self._client.threads.changes.graph_host(self._thread_id))
        point_id = self._update_graph(host, update)
        return checkpoint_config(self._thread_id, point_id, ref.namespace)

    def _update_graph(self, host: GraphHost, update: GraphUpdate) -> str:
        client = self._client
        run_id = client.do(call(client.plans, client.settings, host, update))
        run = RunHandle(client, run_id, run_id)
        try:
            return str(run.result(PATIENCE))
        except TimeoutError:
            run.cancel()
            raise no_worker(host, update) from None
        except RunFailedError as error:
            raise refused(update, error) from error.__cause__

    def resume(self, answer: Any = NOTHING) -> RunHandle:
        """Answer the question of the thread's run, or without an answer let a failed run continue.

        Raises:
            ResumeError: it waits for no such answer.
        """
        run_id = self._client.do(self._client.threads.resume(self._thread_id, answer))
        return RunHandle(self._client, run_id, self._thread_id)

    def fork(
        self, run: RunHandle | AsyncRunHandle | str, *, after_step: str | None = None
    ) -> RunHandle:
        """Start a run with the input, and with recorded steps, of another run of the thread.

        It reuses `after_step` and the steps that had finished before it; all others are executed
        again. Without `after_step` all steps are.

        Raises:
            RunNotFoundError: there is no such run.
            ConfigurationError: it is a run of another thread, or has finished no such step.
            ThreadBusyError: a run is at work on the thread.
        """
        client = self._client
        run_id = run_id_of(run)
        plan = fork_run(client.threads, client.settings, (self._thread_id, run_id), after_step)
        return RunHandle(client, *client.do(plan))

    def copy(self, target: str) -> ThreadHandle:
        """Copy the history and the values of this thread to a new one; the runs stay here.

        Raises:
            ThreadNotFoundError: this thread does not exist.
            ConfigurationError: the new thread has a history already.
        """
        name = thread_name(target)
        self._client.do(copy_thread(self._client.threads, self._thread_id, name))
        return ThreadHandle(self._client, name)

    def delete(self) -> None:
        """Delete the thread and all its runs.

        Raises:
            ThreadBusyError: a run is at work on it.
        """
        self._client.do(self._client.threads.delete(self._thread_id))

    def expire(self, seconds: float | None) -> None:
        """Set how long the thread is kept after its last run, in seconds; None for ever.

        Raises:
            ThreadNotFoundError: the thread does not exist.
        """
        self._client.do(self._client.threads.expire(self._thread_id, seconds))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._thread_id}>"


def ref_of(thread_id: str, checkpoint: Config | str) -> CheckpointRef:
    """Return the place that a checkpoint's id or a config names on a thread."""
    return CheckpointRef(thread_id, checkpoint_id_of(checkpoint), namespace_of(checkpoint))


def run_id_of(run: RunHandle | AsyncRunHandle | str) -> str:
    """Return the id of a run that is given as a handle or as its id."""
    return run if isinstance(run, str) else run.run_id


def thread_name(thread_id: object) -> str:
    """Return a thread's id as text.

    Raises:
        ConfigurationError: it is empty.
    """
    name = "" if thread_id is None else str(thread_id)
    if not name:
        raise ConfigurationError("a thread has an id: client.thread('...').")
    return name
