"""Functions that make a graph: called for each attempt, so that it may depend on the config."""

from __future__ import annotations

__all__ = ["Factory"]

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Final, cast

from langchain_core.runnables import RunnableConfig

from penstock.langgraph.hosting.graph import Graph, compiled
from penstock.runtime.errors import ConfigurationError

_CONFIG: Final = ("config", "RunnableConfig")


class Factory:
    """A function that returns a graph or a builder, or holds one open as a context manager does.

    It may be async, a generator that gives one graph, or return a context manager; it takes the
    config of the run, as `config` or annotated as `RunnableConfig`, or nothing.
    """

    def __init__(self, function: Callable[..., Any], place: str) -> None:
        """Take a function, and how it is called in messages.

        Raises:
            ConfigurationError: it has a parameter that nobody gives.
        """
        self._function = function
        self._place = place
        self._takes_config = False
        for parameter in inspect.signature(function).parameters.values():
            given = getattr(parameter.annotation, "__name__", str(parameter.annotation))
            if parameter.name in _CONFIG or given.rpartition(".")[2] in _CONFIG:
                self._takes_config = True
            elif parameter.default is parameter.empty and parameter.kind not in (
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            ):
                raise ConfigurationError(
                    f"{place} has a parameter {parameter.name!r}: a function that makes a graph "
                    "takes `config: RunnableConfig`, or nothing."
                )

    @asynccontextmanager
    async def graph(self, config: RunnableConfig) -> AsyncGenerator[Graph]:
        """Give the graph of one attempt; what it holds is closed at the end.

        Raises:
            ConfigurationError: what it makes is no graph.
        """
        async with AsyncExitStack() as stack:
            made: Any = self._function(config) if self._takes_config else self._function()
            if inspect.isasyncgen(made):
                made = await stack.enter_async_context(asynccontextmanager(lambda: made)())
            elif inspect.isgenerator(made):
                made = stack.enter_context(contextmanager(lambda: made)())
            elif inspect.isawaitable(made):
                made = await made
            if hasattr(made, "__aenter__"):
                made = await stack.enter_async_context(made)
            elif hasattr(made, "__enter__"):
                made = stack.enter_context(made)
            graph = compiled(made)
            if graph is None:
                raise ConfigurationError(
                    f"{self._place} makes no graph, but {type(made).__name__}: it returns what "
                    "compile() does, or a StateGraph."
                )
            yield graph

    def sample(self) -> Graph:
        """Return a graph that it makes with an empty config: for its name and its schemas.

        Raises:
            ConfigurationError: it fails, or makes no graph.
        """
        found: list[Any] = []

        async def make() -> None:
            async with self.graph(cast(RunnableConfig, {"configurable": {}})) as graph:
                found.append(graph)

        def work() -> None:
            try:
                asyncio.run(make())
            except BaseException as error:
                found.append(error)

        thread = threading.Thread(target=work)  # as a loop may be running in this one
        thread.start()
        thread.join()
        if isinstance(found[-1], ConfigurationError):
            raise found[-1]
        if isinstance(found[-1], BaseException):
            error = found[-1]
            raise ConfigurationError(
                f"{self._place} cannot make a graph with an empty config, as it has to when a "
                f"worker starts: {type(error).__name__}: {error}"
            ) from error
        return cast(Graph, found[0])
