"""The function that a run executes, and what can be done with it in this process."""

from __future__ import annotations

__all__ = ["AnyEntrypoint", "Entrypoint"]

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

from penstock.runtime.definition import Config, Definition
from penstock.runtime.engine import Result
from penstock.runtime.final import Final
from penstock.runtime.interrupt import Command, Interrupt
from penstock.runtime.invocation import Invocation
from penstock.runtime.journal import Durability
from penstock.runtime.nesting import ainvoke_nested, invoke_nested, nested
from penstock.runtime.options import Options
from penstock.runtime.view import INTERRUPT

A = TypeVar("A")
R = TypeVar("R")


class Entrypoint(Definition, Generic[A, R]):
    """A workflow: the decorated function with a stable name; run it here or on workers."""

    @overload
    def invoke(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        context: Any = None,
        durability: Durability | None = None,
    ) -> R: ...
    @overload
    def invoke(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        context: Any = None,
        durability: Durability | None = None,
        stream_mode: str | Sequence[str],
    ) -> Any: ...
    def invoke(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        context: Any = None,
        durability: Durability | None = None,
        stream_mode: str | Sequence[str] = "values",
    ) -> Any:
        """Run in this thread and return the result, or `{"__interrupt__": [...]}` if it waits.

        With another `stream_mode` than `values`, returns the list of all chunks.

        Raises:
            EmptyInputError: the input is None and there is nothing to resume.
            ResumeError: the Command answers nothing that is asked.
        """
        self._reject_async("invoke")
        if nested(config):
            return invoke_nested(self, input)
        if stream_mode != "values":
            return list(
                self.stream(
                    input,
                    config,
                    context=context,
                    durability=durability,
                    stream_mode=stream_mode,
                )
            )
        options = Options(config or {}, context, durability=durability)
        return _returned(Invocation(self, input, options).run())

    async def ainvoke(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        context: Any = None,
        durability: Durability | None = None,
        stream_mode: str | Sequence[str] = "values",
    ) -> Any:
        """As `invoke`, on the running loop; a sync body runs in a thread."""
        if nested(config):
            return await ainvoke_nested(self, input)
        if stream_mode != "values":
            chunks = self.astream(
                input, config, context=context, durability=durability, stream_mode=stream_mode
            )
            return [chunk async for chunk in chunks]
        options = Options(config or {}, context, durability=durability)
        return _returned(await Invocation(self, input, options).arun())

    def stream(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        context: Any = None,
        stream_mode: str | Sequence[str] | None = None,
        subgraphs: bool = False,
        durability: Durability | None = None,
        version: Literal["v1", "v2"] = "v1",
    ) -> Iterator[Any]:
        """Run, and give the chunks of one stream mode, or `(mode, chunk)` for a list of modes."""
        self._reject_async("stream")
        options = Options(config or {}, context, stream_mode, subgraphs, durability, version)
        return Invocation(self, input, options).stream()

    def astream(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        context: Any = None,
        stream_mode: str | Sequence[str] | None = None,
        subgraphs: bool = False,
        durability: Durability | None = None,
        version: Literal["v1", "v2"] = "v1",
    ) -> AsyncIterator[Any]:
        """As `stream`, on the running loop."""
        options = Options(config or {}, context, stream_mode, subgraphs, durability, version)
        return Invocation(self, input, options).astream()

    def _reject_async(self, method: str) -> None:
        if self.body.is_async:
            raise TypeError(
                f"No synchronous function provided to {self.name!r}: it is async, "
                f"use a{method} instead of {method}."
            )


AnyEntrypoint: TypeAlias = Entrypoint[Any, Any]


def _returned(result: Result) -> Any:
    if result.error is not None:
        raise result.error
    if result.status == "suspended":
        interrupts: list[Interrupt] = list(result.interrupts)
        return {INTERRUPT: interrupts}
    return Final.split(result.value)[0]
