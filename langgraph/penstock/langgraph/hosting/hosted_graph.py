"""A graph as an entrypoint of workers."""

from __future__ import annotations

__all__ = ["HostedGraph", "host"]

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, Self

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.store.memory import InMemoryStore

from penstock.langgraph.allow_list import AllowList, Types
from penstock.langgraph.cache import PenstockCache
from penstock.langgraph.hosting.attempt import GraphAttempt
from penstock.langgraph.hosting.breakpoints import Breakpoint, given_breakpoints
from penstock.langgraph.hosting.factory import Factory
from penstock.langgraph.hosting.graph import Graph, compiled
from penstock.langgraph.hosting.graph_description import graph_description
from penstock.langgraph.hosting.graph_input import GraphInput
from penstock.langgraph.hosting.input_schema import input_schema
from penstock.langgraph.hosting.keeping import checked_keeping, keep_thread
from penstock.langgraph.hosting.run_saver import RunSaver
from penstock.langgraph.hosting.server_runtime import executing, updating
from penstock.langgraph.hosting.teller import Teller
from penstock.langgraph.hosting.thread_update import tell_update, update_thread
from penstock.langgraph.hosting.update_saver import UpdateSaver
from penstock.langgraph.hosting.void import said_in_vain
from penstock.langgraph.redis.keys import Space
from penstock.langgraph.serde import ClosedSerializer, serializer_for
from penstock.langgraph.store import PenstockStore
from penstock.publisher.plan import follow
from penstock.runtime.errors import ConfigurationError, InvalidUpdateError
from penstock.runtime.executor.hosted import Hosted, HostedRun
from penstock.runtime.journal.result import Result
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans import graph_updates
from penstock.runtime.redis.plans.requests import RequestPlans
from penstock.runtime.redis.thread_calls import ThreadCalls
from penstock.runtime.types.breakpoints import without_breakpoints
from penstock.runtime.types.graph_update import GraphUpdate

logger = logging.getLogger(__name__)

MODES: Final = ("values", "updates", "custom", "messages", "tasks")
"""The stream modes that are stored unless a graph is hosted with others."""

ALWAYS: Final = ("updates", "tasks")
"""Those without which nobody could tell which tasks have finished."""

UNNAMED: Final = "LangGraph"
"""The name of a graph that was given none."""


class HostedGraph(Hosted):
    """A graph whose runs are executed by workers: `host(graph, ...)` makes one."""

    def __init__(
        self,
        graph: Graph,
        *,
        name: str = "",
        types: Types = (),
        serde: SerializerProtocol | None = None,
        modes: Sequence[str] | None = None,
        factory: Factory | None = None,
    ) -> None:
        self.graph = graph
        self._factory = factory
        own = graph.get_name()
        self.name = name or (own if own != UNNAMED else "")
        self._serde = serializer_for(types, serde)
        self._names_types = types != "any" and bool(types)
        self._modes = None if modes is None else _checked(modes)
        self._input = GraphInput(graph)
        self._has_said = False
        self._store_options: Mapping[str, Any] = {}
        self._kept: float | None = None
        self._own_parts: dict[Any, Mapping[str, Any]] = {}
        """The store and the cache, by the Redis that they are in."""

    def named(self, name: str) -> Self:
        """Return the graph with that name, unless it has one of its own."""
        self.name = self.name or name
        return self

    def configured(
        self,
        types: Types = (),
        store: Mapping[str, Any] | None = None,
        modes: Sequence[str] = (),
        kept: float | None = None,
    ) -> Self:
        """Let more types be stored, and set what the graph does not say itself.

        That is whether any type may be stored, the options of the store that it is given, the modes
        that are stored, and the seconds that its threads are kept after their last run.

        Raises:
            ConfigurationError: a class cannot be read again, the options of a store cannot be
                used, there is no such mode, or threads cannot be kept so long.
        """
        self._kept = checked_keeping(kept) or self._kept
        if modes and self._modes is None:
            self._modes = _checked(modes)
        if isinstance(self._serde, ClosedSerializer):
            more = AllowList.of(types)
            if more is not None:
                self._serde = self._serde.with_more(more.names)
            elif not self._names_types:
                self._serde = ClosedSerializer(None)
        if store:
            PenstockStore(**store)  # refuses now what it would refuse in a run
            self._store_options = store
        return self

    def __repr__(self) -> str:
        return f"<graph {self.name!r}>"

    def accept(self, argument: Any, /) -> Any:
        """Return an input as it is stored: of an object its fields.

        Raises:
            InputError: the graph cannot take it, or pydantic refuses it.
        """
        return self._input.accepted(self.name, argument)

    def converts(self, context: Any, /) -> bool:
        """Tell whether inputs are validated, so that it is recorded that one was."""
        return self._input.validates

    def input_schema(self) -> Mapping[str, Any]:
        """Return the JSON schema of its input."""
        return input_schema(self.graph)

    def description(self) -> Mapping[str, Any]:
        """Return the schemas and the drawing of the graph."""
        takes_any = isinstance(self._serde, ClosedSerializer) and self._serde.takes_any
        return {**graph_description(self.graph), "takes_any_type": takes_any}

    async def run(self, run: HostedRun) -> Result:
        """Execute an attempt."""
        if isinstance(run.argument, GraphUpdate):
            return await self._update(run, run.argument)
        journal, thread_id = run.journal, run.attempt.assignment.thread_id
        modes = _checked(MODES) if self._modes is None else self._modes
        if self._kept is not None:
            calls = ThreadCalls(Keys(run.settings.prefix), run.settings)
            await asyncio.to_thread(keep_thread, run, calls, self._kept)
        teller = Teller(run.attempt, journal, modes, _soon())
        saver = RunSaver(journal, thread_id, run.settings, self._serde, teller, name=self.name)
        async with self._made(run) as made:
            own = {"checkpointer": saver, "name": self.name, **self._parts(made, run)}
            own |= given_breakpoints(made, self.name, run.attempt.assignment.config)
            return await GraphAttempt(self.name, made.copy(own), saver, teller, run).execute()

    async def _update(self, run: HostedRun, update: GraphUpdate) -> Result:
        """Update the state of a thread; a run that waits on it then asks but to go on.

        Raises:
            InvalidUpdateError: another worker has begun to, and may have done so.
        """
        saver = UpdateSaver(run.journal, run.settings, self._serde)
        async with self._made(run) as made:
            own = {"checkpointer": saver, "name": self.name, **self._parts(made, run)}
            graph = made.copy(own)
            try:
                if run.attempt.assignment.number > 1:
                    await saver.afind(Space(update.thread_id, update.namespace))
                    raise InvalidUpdateError(
                        f"the worker that was to update thread {update.thread_id!r} died or was "
                        "cut off: read the state, and update it again if that is not done."
                    )
                await update_thread(graph, saver, update)
            finally:  # some may be stored of what is refused
                requestion = partial(self._requestion, run, update.thread_id)
                point = await tell_update(graph, saver, requestion)
        return Result("completed", value=None if point is None else point.point_id)

    async def _requestion(self, run: HostedRun, thread_id: str, point: Breakpoint) -> None:
        """Let a run that waits on a thread ask but to go on from a point."""
        plans = RequestPlans(run.settings, run.settings.codec(), run.connection)
        asked: Any = graph_updates.requestion(plans, thread_id, point.id, point.value)
        await asyncio.to_thread(follow, asked, run.journal.read)

    @asynccontextmanager
    async def _made(self, run: HostedRun) -> AsyncGenerator[Graph]:
        """Give the graph of one attempt."""
        if self._factory is None:
            yield self.graph
            return
        assignment = run.attempt.assignment
        store = self._own(run)["store"]
        runtime = executing(store, assignment.context)
        if isinstance(run.argument, GraphUpdate):
            runtime = updating(store)
        config: Any = without_breakpoints(assignment.config)
        async with self._factory.graph(config, runtime) as graph:
            yield graph

    def unfinished(self, run: HostedRun) -> Mapping[str, int]:
        """Read what tasks have said in vain, in earlier attempts."""
        journal, run_id = run.journal, run.attempt.assignment.run_id
        events = Keys(run.settings.prefix).events(run_id)
        return follow(said_in_vain(events, journal.seq, run.attempt.codec), journal.read)

    def _parts(self, graph: Graph, run: HostedRun) -> Mapping[str, Any]:
        """Return the store and the cache that a graph gets of this process."""
        own = self._own(run)
        self._say_what_is_replaced(graph)
        parts: dict[str, Any] = {}
        if graph.store is None or isinstance(graph.store, InMemoryStore):
            parts["store"] = own["store"]
        nodes = graph.nodes.values()
        is_cached = any(node.cache_policy is not None for node in nodes) or graph.cache_policy
        if graph.cache is None and is_cached:
            parts["cache"] = own["cache"]
        return parts

    def _own(self, run: HostedRun) -> Mapping[str, Any]:
        """Return the store and the cache in the Redis of a run."""
        connection, settings = run.connection, run.settings
        own = self._own_parts.get(connection)
        if own is None:
            own = self._own_parts[connection] = {
                "store": PenstockStore(connection, settings=settings, **self._store_options),
                "cache": PenstockCache(connection, serde=self._serde, settings=settings),
            }
        return own

    def _say_what_is_replaced(self, graph: Graph) -> None:
        given, has_said, self._has_said = graph.checkpointer, self._has_said, True
        if not has_said and given is not None and not isinstance(given, bool):
            logger.info(
                "graph %r keeps its state in the Redis of its worker, not in its %s",
                self.name,
                type(given).__name__,
            )


def host(
    graph: object,
    *,
    name: str | None = None,
    types: Types = (),
    serde: SerializerProtocol | None = None,
    modes: Sequence[str] | None = None,
) -> HostedGraph:
    """Make a graph, a builder, or a function that makes one, an entrypoint of workers.

    A function is called for each attempt, with the config of the run if it takes it, and once
    now with an empty one. What this returns can be enqueued.

    Without it, workers take each compiled graph at the top of a module, under its own name or that
    of its variable. `types` are the classes of your own that its state may hold, "any" for all;
    `serde` is a serializer in place of LangGraph's form. `modes` are the stream modes that are
    stored as events, without it values, updates, custom, messages and tasks; what tasks return and
    how they end is always among them.

    Raises:
        ConfigurationError: it is no compiled graph; there is no such mode; both types and serde, or
            a class that cannot be read again.
    """
    factory = None
    found = compiled(graph)
    if found is None and callable(graph):
        factory = Factory(graph, getattr(graph, "__qualname__", repr(graph)))
        found = factory.sample()
    if found is None:
        raise ConfigurationError(
            "host(...) takes a graph as builder.compile() makes it, a StateGraph, or a function "
            f"that makes one, not {graph!r}."
        )
    own: dict[str, Any] = {"types": types, "serde": serde, "modes": modes}
    return HostedGraph(found, name=name or "", factory=factory, **own)


def _soon() -> Callable[[Callable[[], None]], object]:
    """Return what calls a function on this loop soon, from any thread, its own at less cost."""
    loop, own = asyncio.get_running_loop(), threading.get_ident()

    def soon(function: Callable[[], None]) -> object:
        if threading.get_ident() == own:
            return loop.call_soon(function)
        return loop.call_soon_threadsafe(function)

    return soon


def _checked(modes: Sequence[str]) -> Sequence[str]:
    known = (*MODES, "checkpoints")
    for mode in modes:
        if mode not in known:
            raise ConfigurationError(
                f"modes=[...] has some of {', '.join(known)}, not {mode!r}; debug is made of those."
            )
    return (*ALWAYS, *modes)
