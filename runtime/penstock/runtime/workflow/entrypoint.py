"""The function that a run executes, with its methods in this process."""

from __future__ import annotations

__all__ = ["AnyEntrypoint", "Entrypoint"]

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Generic, Literal, TypeAlias, TypeVar, Unpack, cast, overload

from penstock.runtime.errors import RootlessError
from penstock.runtime.journal.result import Result
from penstock.runtime.streaming.chunk_format import output_of
from penstock.runtime.streaming.mode_view import INTERRUPT
from penstock.runtime.types.call_options import CallOptions, Options, StreamOptions, options_of
from penstock.runtime.types.config import Config, merged
from penstock.runtime.types.interrupt import Command, Interrupt
from penstock.runtime.types.output import GraphOutput
from penstock.runtime.workflow.batch import Batch
from penstock.runtime.workflow.graph_view import Inspected
from penstock.runtime.workflow.invocation import Invocation
from penstock.runtime.workflow.nested_call import ainvoke_nested, invoke_nested, nested
from penstock.runtime.workflow.nested_stream import astream_nested, stream_nested
from penstock.runtime.workflow.schemas import Described
from penstock.runtime.workflow.state_mixin import Stateful
from penstock.runtime.workflow.stream_events import Observed

A = TypeVar("A")
R = TypeVar("R")

Modes: TypeAlias = "str | Sequence[str]"


class Entrypoint(
    Observed[A], Inspected["AnyEntrypoint"], Stateful, Described, Batch[A, R], Generic[A, R]
):
    """A workflow: the decorated function with a stable name; run it here or on workers."""

    @overload
    def invoke(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        version: Literal["v1"] = "v1",
        **options: Unpack[CallOptions],
    ) -> R: ...
    @overload
    def invoke(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        version: Literal["v2"],
        **options: Unpack[CallOptions],
    ) -> GraphOutput[R]: ...
    @overload
    def invoke(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        stream_mode: Modes,
        subgraphs: bool = False,
        version: Literal["v1", "v2"] = "v1",
        **options: Unpack[CallOptions],
    ) -> Any: ...
    def invoke(
        self, input: A | Command | None, config: Config | None = None, **options: Any
    ) -> Any:
        """Run in this thread and return the result, or `{"__interrupt__": [...]}` if it waits.

        With another `stream_mode` than `values`, returns the list of all chunks; with
        `version="v2"` a `GraphOutput`.

        Raises:
            EmptyInputError: the input is None and there is nothing to resume.
            ResumeError: the Command answers nothing that is asked.
            AnswerError: the Command's answer does not fit the question's `response_schema`.
            RunDrainedError: the run's `control` was asked to drain.
        """
        called = self._options(config, options)
        self._reject_async("invoke")
        if called.stream_mode not in (None, "values"):
            return list(self._stream(input, called))
        if nested(called.config):
            return invoke_nested(self, input, called)
        self._reject_rootless()
        return _returned(called, Invocation(self, input, called).run())

    @overload
    async def ainvoke(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        version: Literal["v1"] = "v1",
        **options: Unpack[CallOptions],
    ) -> R: ...
    @overload
    async def ainvoke(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        version: Literal["v2"],
        **options: Unpack[CallOptions],
    ) -> GraphOutput[R]: ...
    @overload
    async def ainvoke(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        stream_mode: Modes,
        subgraphs: bool = False,
        version: Literal["v1", "v2"] = "v1",
        **options: Unpack[CallOptions],
    ) -> Any: ...
    async def ainvoke(
        self, input: A | Command | None, config: Config | None = None, **options: Any
    ) -> Any:
        """As `invoke`, on the running loop; a sync body runs in a thread."""
        called = self._options(config, options)
        if called.stream_mode not in (None, "values"):
            return [chunk async for chunk in self._astream(input, called)]
        if nested(called.config):
            return await ainvoke_nested(self, input, called)
        self._reject_rootless()
        return _returned(called, await Invocation(self, input, called).arun())

    def stream(
        self,
        input: A | Command | None,
        config: Config | None = None,
        **options: Unpack[StreamOptions],
    ) -> Iterator[Any]:
        """Run, and yield the chunks of one stream mode, or `(mode, chunk)` for a list of modes.

        Without `stream_mode` the mode is `updates`, or `values` inside a run.
        """
        called = self._options(config, options)
        self._reject_async("stream")
        return self._stream(input, called)

    def astream(
        self,
        input: A | Command | None,
        config: Config | None = None,
        **options: Unpack[StreamOptions],
    ) -> AsyncIterator[Any]:
        """As `stream`, on the running loop."""
        return self._astream(input, self._options(config, options))

    def clear_cache(self) -> None:
        """Delete the cached values of this entrypoint, not those of its tasks.

        Raises:
            ConfigurationError: the entrypoint has no cache.
        """
        self.body.clear_cache(self.cache)

    async def aclear_cache(self) -> None:
        """As `clear_cache`."""
        await self.body.aclear_cache(self.cache)

    def _run(self, input: A, config: Config, options: Mapping[str, Any]) -> R:
        return cast(R, self.invoke(input, config, **options))

    async def _arun(self, input: A, config: Config, options: Mapping[str, Any]) -> R:
        return cast(R, await self.ainvoke(input, config, **options))

    def _stream(self, input: Any, called: Options) -> Iterator[Any]:
        if nested(called.config):
            return stream_nested(self, input, called)
        self._reject_rootless()
        return Invocation(self, input, called).stream()

    def _astream(self, input: Any, called: Options) -> AsyncIterator[Any]:
        if nested(called.config):
            return astream_nested(self, input, called)
        self._reject_rootless()
        return Invocation(self, input, called).astream()

    def _options(self, config: Config | None, given: Any) -> Options:
        return options_of(self.name, merged(self.config, config), given)

    def _reject_async(self, method: str) -> None:
        if self.body.is_async:
            raise TypeError(
                f"No synchronous function provided to {self.name!r}: it is async, "
                f"use a{method} instead of {method}."
            )

    def _reject_rootless(self) -> None:
        if self.declared.checkpointer is True:
            raise RootlessError(self.name)


AnyEntrypoint: TypeAlias = Entrypoint[Any, Any]


def _returned(options: Options, result: Result) -> Any:
    if result.error is not None:
        raise result.error
    is_whole = options.version == "v2"
    if result.status == "suspended":
        interrupts: list[Interrupt] = list(result.interrupts)
        return GraphOutput(None, tuple(interrupts)) if is_whole else {INTERRUPT: interrupts}
    value = output_of(options, result.value)
    return GraphOutput(value) if is_whole else value
