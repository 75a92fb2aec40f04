"""Functions that make a graph: called for each attempt, so that it may depend on the config."""

from __future__ import annotations

__all__ = ["Factory"]

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Final, Literal, TypeAlias, cast

from langchain_core.runnables import RunnableConfig
from langgraph.store.memory import InMemoryStore
from langgraph_sdk.runtime import ServerRuntime

from penstock.langgraph.hosting.graph import Graph, compiled
from penstock.langgraph.hosting.server_runtime import for_annotation, reading
from penstock.runtime.errors import ConfigurationError

Given: TypeAlias = Literal["config", "runtime"]
"""What a function that makes a graph may take."""

_BY_NAME: Final[Mapping[str, Given]] = {
    "config": "config",
    "RunnableConfig": "config",
    "runtime": "runtime",
    "ServerRuntime": "runtime",
}
"""By the name of a parameter, or of its annotation."""


class Factory:
    """A function that returns a graph or a builder, or holds one open as a context manager does.

    It may be async, a generator that gives one graph, or return a context manager. It takes the
    config of the run, as `config` or annotated as `RunnableConfig`, and what it is called for, as
    `runtime` or annotated as `ServerRuntime`; or nothing.
    """

    def __init__(self, function: Callable[..., Any], place: str) -> None:
        """Take a function, and how it is called in messages.

        Raises:
            ConfigurationError: it has a parameter that nobody gives.
        """
        self._function = function
        self._place = place
        self._configs: list[str] = []
        self._runtimes: dict[str, Any] = {}
        """The parameters that take the config, and those that take a runtime, as annotated."""
        for parameter in _parameters(function):
            given = _BY_NAME.get(parameter.name) or _BY_NAME.get(_annotated(parameter))
            if given == "config":
                self._configs.append(parameter.name)
            elif given == "runtime":
                self._runtimes[parameter.name] = parameter.annotation
            elif parameter.default is parameter.empty and parameter.kind not in (
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            ):
                raise ConfigurationError(
                    f"{place} has a parameter {parameter.name!r}: a function that makes a graph "
                    "takes `config: RunnableConfig`, `runtime: ServerRuntime`, or nothing."
                )

    @asynccontextmanager
    async def graph(
        self, config: RunnableConfig, runtime: ServerRuntime[Any]
    ) -> AsyncGenerator[Graph]:
        """Give the graph of one attempt; what it holds is closed at the end.

        Raises:
            ConfigurationError: what it makes is no graph.
        """
        async with AsyncExitStack() as stack:
            told = {name: for_annotation(runtime, each) for name, each in self._runtimes.items()}
            made: Any = self._function(**dict.fromkeys(self._configs, config), **told)
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
            config, runtime = cast(RunnableConfig, {"configurable": {}}), reading(InMemoryStore())
            async with self.graph(config, runtime) as graph:
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


def _parameters(function: Callable[..., Any]) -> Iterable[inspect.Parameter]:
    """Return the parameters of a function, with annotations as they are meant where possible."""
    try:
        return inspect.signature(function, eval_str=True).parameters.values()
    except Exception:  # whatever the text of an annotation runs into
        return inspect.signature(function).parameters.values()


def _annotated(parameter: inspect.Parameter) -> str:
    """Return the name of what a parameter is annotated as, without what stands in brackets."""
    given = parameter.annotation
    text = given if isinstance(given, str) else getattr(given, "__name__", str(given))
    return text.partition("[")[0].rpartition(".")[2]
