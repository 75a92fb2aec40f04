"""The shape of an entrypoint: its graph, and the entrypoints that it calls."""

from __future__ import annotations

__all__ = ["Inspected"]

import dis
import functools
import inspect
from collections.abc import AsyncIterator, Iterator
from types import CodeType, FunctionType
from typing import Any, Generic, TypeVar, cast

from penstock.runtime.types.config import Config
from penstock.runtime.workflow.definition import Definition
from penstock.runtime.workflow.drawing import Graph, graph_of

E = TypeVar("E")


class Inspected(Definition, Generic[E]):
    """A definition that can be asked for its graph."""

    def get_graph(self, config: Config | None = None, *, xray: int | bool = False) -> Graph:
        """Return the entrypoint as a graph of three nodes: start, body, end.

        Tasks and nested entrypoints are calls that the body makes, so `xray` finds nothing more.
        """
        return graph_of(self.name, self)

    async def aget_graph(self, config: Config | None = None, *, xray: int | bool = False) -> Graph:
        """As `get_graph`."""
        return self.get_graph(config, xray=xray)

    def get_subgraphs(
        self, *, namespace: str | None = None, recurse: bool = False
    ) -> Iterator[tuple[str, E]]:
        """Yield the entrypoints that the function refers to by a closure or a global, by name.

        With `recurse` also theirs, as `child|grandchild`; `namespace` selects one name.
        """
        for name, child in _below(self, recurse, ()):
            if namespace in (None, name):
                yield name, cast(E, child)

    async def aget_subgraphs(
        self, *, namespace: str | None = None, recurse: bool = False
    ) -> AsyncIterator[tuple[str, E]]:
        """As `get_subgraphs`."""
        for found in self.get_subgraphs(namespace=namespace, recurse=recurse):
            yield found


def _below(
    parent: Inspected[Any], recurse: bool, above: tuple[Inspected[Any], ...]
) -> Iterator[tuple[str, Inspected[Any]]]:
    above = (*above, parent)
    values = _referred(parent.body.function)
    children: list[Inspected[Any]] = [each for each in values if isinstance(each, Inspected)]
    for child in dict.fromkeys(children):
        yield child.name, child
        if recurse and child not in above:  # or one that calls itself would never end
            for name, grandchild in _below(child, True, above):
                yield f"{child.name}|{name}", grandchild


def _referred(callable_: Any) -> Iterator[Any]:
    """Yield the values of a callable's closure, and of the globals that it names."""
    function = _function(callable_)
    if function is None:
        return
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for name in _globals(function.__code__):
        yield function.__globals__.get(name)


def _function(callable_: Any) -> FunctionType | None:
    while isinstance(callable_, functools.partial):
        callable_ = cast(Any, callable_).func
    if not (inspect.isroutine(callable_) or inspect.isclass(callable_)):
        callable_ = type(callable_).__call__
    function = inspect.unwrap(callable_)
    function = getattr(function, "__func__", function)
    return function if isinstance(function, FunctionType) else None


def _globals(code: CodeType) -> Iterator[str]:
    """Give the names of globals that code reads, also in the functions inside of it."""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield step.argval
        elif isinstance(step.argval, CodeType):
            yield from _globals(step.argval)
