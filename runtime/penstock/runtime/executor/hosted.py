"""Entrypoints whose runs are executed by something else than the engine, in its place."""

from __future__ import annotations

__all__ = ["Hosted", "HostedRun", "execute_hosted"]

import asyncio
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.execute import begin, broken_off, settled
from penstock.runtime.engine.recording import start_run
from penstock.runtime.errors import LeaseLostError
from penstock.runtime.journal.result import Result
from penstock.runtime.redis.journal.journal import RedisJournal
from penstock.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class HostedRun:
    """What one attempt gives to the code that executes it."""

    attempt: Attempt
    journal: RedisJournal
    settings: Settings
    connection: Redis | str
    """The Redis of the process, as it was given."""
    argument: Any


class Hosted(ABC):
    """An entrypoint that executes attempts itself; leases, cancellation and ends are as for all."""

    name: str
    about: str = ""
    """What it does, in a line."""
    store: Any = None
    cache: Any = None

    def accept(self, argument: Any, /) -> Any:
        """Return an input as it is executed with."""
        return argument

    def accept_context(self, context: Any, /) -> Any:
        """Return a context as it is executed with."""
        return context

    def converts(self, context: Any, /) -> bool:
        """Tell whether input or context may become something else as they are accepted."""
        return False

    def input_schema(self) -> Mapping[str, Any]:
        """Return the JSON schema of its input; {} allows anything."""
        return {}

    def description(self) -> Mapping[str, Any]:
        """Return what clients are told of it, as JSON; see `Description`."""
        return {}

    @abstractmethod
    def unfinished(self, run: HostedRun) -> Mapping[str, int]:
        """Read what earlier attempts have said in vain: path of a task -> seq of its first word."""

    @abstractmethod
    async def run(self, run: HostedRun) -> Result:
        """Execute an attempt on the running loop, and return how it ended.

        It is cancelled where the run is to stop; what it raises is why the run fails. What it asks
        is in the questions of the attempt.
        """


async def execute_hosted(hosted: Hosted, run: HostedRun) -> Result:
    """Execute an attempt from its first event to its stored end.

    Raises:
        LeaseLostError: another attempt owns the run.
    """
    attempt = run.attempt
    try:
        if run.journal.has_past:
            begin(attempt, await asyncio.to_thread(hosted.unfinished, run))
        start_run(attempt, run.argument, is_hosted=True)
        result = await hosted.run(run)
    except LeaseLostError:
        raise
    except BaseException as error:
        result = broken_off(attempt, hosted.name, error)
    result, _ = settled(attempt, dataclasses.replace(result, is_hosted=True))
    await run.journal.aflush()
    return result
