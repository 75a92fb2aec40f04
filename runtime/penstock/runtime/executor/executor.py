"""Executes the runs that a process has claimed, many at once on one event loop."""

from __future__ import annotations

__all__ = ["Executor"]

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from redis import Redis

from penstock.publisher.codec.codec import Codec
from penstock.publisher.redis.connection import connect
from penstock.runtime.concurrency.heartbeat import Heartbeat
from penstock.runtime.concurrency.thread_pool import ThreadPool
from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.cause import cause_of
from penstock.runtime.engine.execute import aconduct
from penstock.runtime.engine.runner import Runner
from penstock.runtime.errors import (
    Cancelled,
    Drained,
    Fenced,
    LeaseLostError,
    Stop,
)
from penstock.runtime.executor.app import App
from penstock.runtime.executor.arrivals import Arrivals
from penstock.runtime.executor.claimed import assigned
from penstock.runtime.executor.hosted import Hosted, HostedRun, execute_hosted
from penstock.runtime.executor.observer import AttemptObserver, ObservedAttempt, Observer
from penstock.runtime.executor.run_log import log_broken, log_end, log_fields, log_lost
from penstock.runtime.journal.endings import Finished, HandedOver
from penstock.runtime.journal.fact import Fact
from penstock.runtime.journal.result import Result
from penstock.runtime.journal.trace_context import FIELD
from penstock.runtime.redis.calls import Calls
from penstock.runtime.redis.journal.journal import RedisJournal
from penstock.runtime.redis.journal.lease import LeaseKeeper
from penstock.runtime.redis.journal.sender import Sender
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.replies import Claim, Lease
from penstock.runtime.settings import Settings
from penstock.runtime.types.durability import durability_of
from penstock.runtime.types.version import checked_version

logger = logging.getLogger(__name__)

ISOLATION: Final = 60.0
"""Seconds that a suspect is by itself in its process, unless it has been one too often."""

NEWS: Final = "news "
"""Begins a message that something has come for a run at work: an answer, or an outcome."""

_ENDING = "the worker is about to end"


@dataclass(slots=True)
class _Active:
    """A run that is being executed."""

    task: asyncio.Task[None]
    journal: RedisJournal
    isolated: str
    began: float
    runner: Runner | None = None


class Executor:
    """Holds the resources that the runs of a process share: threads, sender, leases, codec."""

    def __init__(
        self,
        connection: Redis | str,
        app: App,
        settings: Settings,
        *,
        codec: Codec | None = None,
        on_end: Callable[[], None] = lambda: None,
        threads: ThreadPool | None = None,
        sender: Sender | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.settings = settings
        self._given = connection
        self.app = dataclasses.replace(app, version=checked_version(settings.version))
        leases = connect(connection, settings.lease / 4)
        self._own = [leases]
        """Connections of this executor alone."""
        if sender is None:
            self._own.append(connect(connection))
            sender = Sender(self._own[-1])
        self.sender = sender
        self.calls = Calls(Keys.of(settings, self.sender.connection))
        self.codec = (codec or settings.codec()).at(settings.prefix)
        self.keeper = LeaseKeeper(leases, self.calls, lease=settings.lease, every=settings.renew)
        self._observer = observer
        if observer is not None:
            self.sender.on_call = self.keeper.on_call = observer.called
        self._arrivals = Arrivals(self.calls.keys, self.sender)
        self._is_started = False
        self._threads = threads or ThreadPool()
        self._active: dict[Lease, _Active] = {}  # of one run perhaps two, the older one lost
        self._on_end = on_end
        self._draining = False

    @property
    def has_suspect(self) -> bool:
        """Whether a suspect is here that has recorded nothing yet, and must run alone.

        Mostly for a minute: a suspect that lives longer may wait for another run.
        """
        newest = time.monotonic() - ISOLATION
        return any(
            active.isolated == "always"
            or (active.isolated and active.began > newest and not active.journal.has_recorded)
            for active in tuple(self._active.values())
        )

    @property
    def heartbeats(self) -> Mapping[str, Heartbeat]:
        """The threads that runs cannot do without."""
        return {"leases": self.keeper.heartbeat, "sender": self.sender.heartbeat}

    def start(self) -> None:
        """Start the executor's own threads, before runs may use up the threads of the system."""
        self.sender.start()
        self.keeper.start()
        self._threads.begin()
        self._is_started = True

    def begin(self, claim: Claim) -> asyncio.Task[None]:
        """Start the attempt of a claimed run; call it on the loop."""
        durability = durability_of(claim.fields.get("durability", "async"))
        journal = RedisJournal(
            claim,
            self.calls,
            self.sender,
            durability=durability,
            patience=self.settings.patience,
            queue=claim.fields["queue"],
        )
        task = asyncio.get_running_loop().create_task(
            self._execute(claim, journal), name=claim.lease.run_id
        )
        isolated = claim.fields.get("isolated", "")
        self._active[claim.lease] = _Active(task, journal, isolated, time.monotonic())
        journal.on_failure = partial(self._failed, claim.lease)
        return task

    def cancel(self, run_id: str) -> None:
        """Stop a run of this process because somebody cancelled it; from any thread."""
        self.keeper.cancel(run_id)

    def on_message(self, message: str) -> None:
        """Take a message of the control channel: a run id, or `news` and a run id."""
        if message.startswith(NEWS):
            self._arrivals.notify(message.removeprefix(NEWS))
        else:
            self.cancel(message)

    def hand_over(self) -> None:
        """Let all runs stop at their next step, for other workers; call it on the loop."""
        self._draining = True
        for active in self._active.values():
            if active.runner is not None:
                active.runner.attempt.control.request_drain(_ENDING)

    def cut(self) -> None:
        """Cancel the runs that still execute; call it on the loop."""
        for active in self._active.values():
            if active.runner is not None and active.runner.attempt.stopping is None:
                active.runner.stop(Drained(_ENDING))
            active.task.cancel()

    def hand_over_stuck(self) -> None:
        """Hand over the runs that could not be cancelled; from any thread."""
        for active in tuple(self._active.values()):
            if not active.journal.is_ending:
                active.journal.end(HandedOver())

    def close(self, patience: float | None = None) -> None:
        """End the threads of the process's own; wait for them at most `patience` seconds."""
        lease = self.settings.lease  # past that, others may have the runs
        began = time.monotonic()
        self.sender.close(lease if patience is None else min(lease, patience))
        spent = time.monotonic() - began
        self.keeper.close(None if patience is None else max(0.0, patience - spent))
        self._threads.close()
        for each in self._own:
            each.close()

    def join(self, timeout: float) -> bool:
        """Wait for the threads of runs to end, after `close`; return whether all have."""
        return self._threads.join(timeout)

    # -- one run --------------------------------------------------------------------------------

    async def _execute(self, claim: Claim, journal: RedisJournal) -> None:
        run_id = claim.lease.run_id
        began, observed = time.monotonic(), self._observed(claim)
        outcome: tuple[str, BaseException | None] = "lost", None
        try:
            result = await self._attempt(claim, journal, observed)
            outcome = result.status, result.error
            log_end(claim, result, time.monotonic() - began, self._cause(claim, result))
        except (LeaseLostError, Fenced):
            self.keeper.forgo(claim.lease)
            log_lost(claim)
        except asyncio.CancelledError:
            if journal.is_lost:  # cancelled for that
                self.keeper.forgo(claim.lease)
                log_lost(claim)
            elif journal.failure is not None:
                log_broken(claim, journal.failure)
            else:
                outcome = "handed over", None
                logger.warning("run %s was cut off", run_id, extra=log_fields(claim, "run.cut"))
        except BaseException as error:
            outcome = "broken", error
            log_broken(claim, error)
        finally:
            if observed is not None:
                observed.ended(*outcome)
            self.keeper.remove(claim.lease)
            self._arrivals.forget(claim.lease)
            active = self._active.pop(claim.lease, None)
            if active is not None and active.runner is not None:
                active.runner.close()
            self._on_end()

    def _cause(self, claim: Claim, result: Result) -> str:
        active = self._active.get(claim.lease)
        if result.error is None or active is None or active.runner is None:
            return ""
        return cause_of(active.runner.attempt, result.error).digest

    def _observed(self, claim: Claim) -> AttemptObserver | None:
        if self._observer is None:
            return None
        return self._observer.began(ObservedAttempt.of(claim))

    async def _attempt(
        self, claim: Claim, journal: RedisJournal, observed: AttemptObserver | None
    ) -> Result:
        loop = asyncio.get_running_loop()
        work = assigned(claim, self.app, self.codec)
        for field, text in work.kept.items():
            journal.keep(field, text)
        if observed is not None and observed.trace and not claim.lease.home:
            journal.keep(FIELD, observed.trace)
        attempt = Attempt(
            work.assignment,
            journal,
            self.codec,
            durability=journal.durability,
            observer=None if observed is None else observed.on_fact,
        )
        limit = work.assignment.config.get("max_concurrency")
        runner = Runner(attempt, self._threads, loop, limit)
        self.keeper.add(claim.lease, lambda stop: self._on_stop(claim, stop))
        active = self._active[claim.lease]
        active.runner = runner
        if self._is_started and not isinstance(work.body, Hosted):
            self._arrivals.follow(attempt, journal)
        if self._draining:
            attempt.control.request_drain(_ENDING)
        if claim.fields.get("cancel"):
            self.keeper.cancel(claim.lease.run_id)
        if isinstance(work.body, Hosted):
            run = HostedRun(attempt, journal, self.settings, self._given, *work.args)
            return await execute_hosted(work.body, run)
        return await aconduct(runner, work.step(runner))

    def _on_stop(self, claim: Claim, stop: Stop) -> None:
        """Stop a run; the keeper's thread calls this."""
        active = self._active.get(claim.lease)
        if active is None or active.journal.is_ending:
            return
        if active.runner is not None:
            active.runner.stop(stop)
        if isinstance(stop, Fenced):
            run_id = claim.lease.run_id
            logger.warning(
                "lost the lease of run %s", run_id, extra=log_fields(claim, "lease.lost")
            )
            active.journal.fail(LeaseLostError(str(stop)))
        loop = active.task.get_loop()
        loop.call_soon_threadsafe(self._cancel, active)
        if isinstance(stop, Cancelled):
            loop.call_soon_threadsafe(loop.call_later, self.settings.lease, self._abandon, claim)

    def _failed(self, lease: Lease, _: BaseException) -> None:
        """End a run that cannot be recorded any more, whatever its branches wait for."""
        active = self._active.get(lease)
        if active is not None:
            with suppress(RuntimeError):  # the loop is closed, the run is over
                active.task.get_loop().call_soon_threadsafe(self._cancel, active)

    def _cancel(self, active: _Active) -> None:
        """Cancel a run's task, unless it is at its end: then it waits for that to be stored."""
        if not active.journal.is_ending:
            active.task.cancel()

    def _abandon(self, claim: Claim) -> None:
        """End a run whose code goes on in spite of its cancellation."""
        active = self._active.get(claim.lease)
        if active is None or active.journal.is_ending:
            return
        logger.warning(
            "the code of run %s goes on in spite of its cancellation; it is abandoned",
            claim.lease.run_id,
            extra=log_fields(claim, "run.abandoned"),
        )
        if active.runner is not None:
            active.runner.attempt.is_over = True
        data = {"name": claim.fields["entrypoint"], "status": "cancelled"}
        is_remote = "home" in claim.fields
        fact = None if is_remote else Fact("run.finished", data, (), time.time())
        active.journal.end(Finished("cancelled", fact, reason="cancelled"))
