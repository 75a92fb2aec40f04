"""Several inputs at once."""

from __future__ import annotations

__all__ = ["Batch"]

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed, wait
from contextvars import copy_context
from typing import Any, Final, Generic, TypeAlias, TypeVar

from penstock.runtime.concurrency.patient_pool import PatientPool
from penstock.runtime.errors import ConfigurationError, Suspend
from penstock.runtime.types.config import Config

A = TypeVar("A")
R = TypeVar("R")

Configs: TypeAlias = "Config | Sequence[Config] | None"

MOST: Final = 32
"""Inputs that are executed at the same time, unless the config has a `max_concurrency`."""


class Batch(Generic[A, R]):
    """Runs an entrypoint for each of several inputs, some at the same time.

    A config may be one for all, or one for each; runs on the same thread would refuse each other.
    """

    @abstractmethod
    def _run(self, input: A, config: Config, options: Mapping[str, Any]) -> R:
        """Run one."""

    @abstractmethod
    async def _arun(self, input: A, config: Config, options: Mapping[str, Any]) -> R:
        """Run one, on the running loop."""

    def batch(
        self,
        inputs: Sequence[A],
        config: Configs = None,
        *,
        return_exceptions: bool = False,
        **options: Any,
    ) -> list[R]:
        """Return the results in the order of the inputs; of errors, the first is raised.

        With `return_exceptions`, errors are among the results.
        """
        results = dict(
            self.batch_as_completed(inputs, config, return_exceptions=return_exceptions, **options)
        )
        return [results[index] for index in range(len(inputs))]

    def batch_as_completed(
        self,
        inputs: Sequence[A],
        config: Configs = None,
        *,
        return_exceptions: bool = False,
        **options: Any,
    ) -> Iterator[tuple[int, R]]:
        """Give the number of an input and its result, as they complete."""
        configs = _configs(config, len(inputs))
        with PatientPool(_limit(configs), "penstock-batch") as pool:
            futures: dict[Future[Any], int] = {}
            for index, (input, each) in enumerate(zip(inputs, configs, strict=True)):
                run = copy_context().run
                futures[pool.submit(run, self._run, input, each, options)] = index
            try:
                for future in as_completed(futures):
                    error: Any = future.exception()
                    if isinstance(error, Suspend):
                        wait(futures)  # they may have questions too
                    if error is not None and not (
                        return_exceptions and isinstance(error, Exception)
                    ):
                        raise error
                    result: Any = future.result() if error is None else error
                    yield futures[future], result
            finally:
                pool.shutdown(cancel_futures=True)

    async def abatch(
        self,
        inputs: Sequence[A],
        config: Configs = None,
        *,
        return_exceptions: bool = False,
        **options: Any,
    ) -> list[R]:
        """As `batch`, on the running loop."""
        results: dict[int, R] = {}
        completed = self.abatch_as_completed(
            inputs, config, return_exceptions=return_exceptions, **options
        )
        async for index, result in completed:
            results[index] = result
        return [results[index] for index in range(len(inputs))]

    async def abatch_as_completed(
        self,
        inputs: Sequence[A],
        config: Configs = None,
        *,
        return_exceptions: bool = False,
        **options: Any,
    ) -> AsyncIterator[tuple[int, R]]:
        """As `batch_as_completed`, on the running loop."""
        configs = _configs(config, len(inputs))
        slots = asyncio.Semaphore(_limit(configs))

        async def run(index: int) -> tuple[int, Any]:
            async with slots:
                try:
                    return index, await self._arun(inputs[index], configs[index], options)
                except Exception as error:
                    if not return_exceptions:
                        raise
                    return index, error

        tasks = [asyncio.create_task(run(index)) for index in range(len(inputs))]
        try:
            for completed in asyncio.as_completed(tasks):
                yield await completed
        except Suspend:
            await asyncio.gather(*tasks, return_exceptions=True)  # they may have questions too
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _configs(config: Configs, count: int) -> list[Config]:
    if config is None or not isinstance(config, Sequence):
        return [config or {}] * count
    if len(config) != count:
        raise ConfigurationError(f"{count} inputs and {len(config)} configs: give one for each.")
    return list(config)


def _limit(configs: Sequence[Config]) -> int:
    return max(1, min(len(configs), configs[0].get("max_concurrency") or MOST if configs else 1))
