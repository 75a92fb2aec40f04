"""Keeps the runs that are invoked in this process in Redis, or in memory."""

from __future__ import annotations

__all__ = ["InMemorySaver", "RedisSaver"]

import time
import typing
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

from redis import Redis

from penstock.publisher.codec.codec import Codec
from penstock.publisher.redis.connection import connect
from penstock.publisher.redis.pool import MOST_IN_MEMORY
from penstock.runtime.errors import LeaseUnconfirmed, Stop, ThreadBusyError
from penstock.runtime.journal.assignment import Assignment
from penstock.runtime.journal.checkpointer import Opening, Order
from penstock.runtime.journal.endings import HandedOver
from penstock.runtime.journal.journal import Journal, NoJournal
from penstock.runtime.journal.position import Position
from penstock.runtime.journal.run_input import given_of
from penstock.runtime.journal.thread_values import Kept
from penstock.runtime.redis.calls import Calls
from penstock.runtime.redis.journal.journal import RedisJournal
from penstock.runtime.redis.journal.lease import LeaseKeeper
from penstock.runtime.redis.journal.sender import Sender
from penstock.runtime.redis.plans.opening import Openings, Settled
from penstock.runtime.redis.plans.requests import Request, RequestPlans
from penstock.runtime.redis.replies import Claim
from penstock.runtime.redis.saver_state import SavedThreads
from penstock.runtime.redis.transport import ask
from penstock.runtime.settings import Settings, load_settings
from penstock.runtime.types.interrupt import Command
from penstock.runtime.types.run import RunStatus

RECOVER_EVERY: typing.Final = 1.0

LEASE_IN_MEMORY: typing.Final = 24 * 3600.0
"""Seconds: a process that is stopped, or has too much to do, goes on with its runs afterwards."""


class RedisSaver(SavedThreads):
    """Checkpointer over Redis: runs, steps, events and threads as workers keep them."""

    def __init__(
        self,
        connection: Redis | str | None = None,
        *,
        settings: Settings | None = None,
        codec: Codec | None = None,
    ) -> None:
        super().__init__(connection, settings=settings, codec=codec)
        self._recovered = -RECOVER_EVERY

    @property
    def codec(self) -> Codec:
        """How values are written."""
        return self.threads.codec

    @property
    def plans(self) -> RequestPlans:
        """What can be asked of Redis about runs."""
        return self.threads.plans

    @property
    def calls(self) -> Calls:
        """The script calls of the run protocol."""
        return self.plans.calls

    @cached_property
    def _sender(self) -> Sender:
        return Sender(self.connection)

    @cached_property
    def _keeper(self) -> LeaseKeeper:
        settings = self.settings
        connection = self._patient(settings.lease / 4)
        return LeaseKeeper(connection, self.calls, lease=settings.lease, every=settings.renew)

    def _ask(self, request: Request) -> Any:
        return ask(self._sender.connection, request)

    def _recover(self) -> None:
        """Give up the leases of processes that died, once a second at most."""
        now = time.monotonic()
        if now >= self._recovered + RECOVER_EVERY:
            self._recovered = now
            self._ask(self.calls.recover(self.settings.crashes, 60.0))

    def _patient(self, timeout: float) -> Redis:
        return connect(self._given or self.settings.redis, timeout)

    def open(self, order: Order) -> Opening:
        """Begin a run, or go on with the one that waits.

        Raises:
            EmptyInputError: nothing to run and nothing to resume.
            ResumeError: the Command answers nothing that is asked.
            ThreadBusyError: the thread's run is at work elsewhere.
        """
        self._recover()
        found = self.do(Openings(self.threads).run_for(order))
        if isinstance(found, Settled):
            assignment = Assignment(found.run_id, order.thread_id, order.entrypoint)
            return Opening(assignment, NoJournal(), None, found.result)
        return self._claim(found, order)

    def guard(self, journal: Journal, on_stop: Callable[[Stop], None]) -> None:
        """Keep an attempt's lease alive; another thread calls `on_stop` if it is to stop."""
        if not isinstance(journal, RedisJournal):
            return

        def told(stop: Stop) -> None:
            # A renewal may come upon the run's own end, whose answer is on its way.
            if isinstance(stop, LeaseUnconfirmed) or not journal.is_ending:
                on_stop(stop)

        self._keeper.add(journal.lease, told)

    def release(self, journal: Journal) -> None:
        """Let go of an attempt's lease, however it ended."""
        if isinstance(journal, RedisJournal):
            let_go = self._keeper.forgo if journal.is_lost else self._keeper.remove
            let_go(journal.lease)

    def _claim(self, run_id: str, order: Order) -> Opening:
        nonce = uuid.uuid4().hex
        call = self.calls.acquire(run_id, "", nonce, self.settings.lease, alone=True)
        claim = self.calls.acquired(self._ask(call))
        if claim == RunStatus.CANCELLED:
            raise ThreadBusyError(
                run_id,
                f"run {run_id!r} was replaced before it began: thread {order.thread_id!r} was "
                "given other input at the same time. Invoke one after the other.",
            )
        if not isinstance(claim, Claim):
            raise ThreadBusyError(
                run_id, f"run {run_id!r} of thread {order.thread_id!r} is {claim}, not to be taken."
            )
        journal = RedisJournal(claim, self.calls, self._sender, durability=order.durability)
        try:
            return self._opening(claim, journal, order)
        except Exception:  # for whoever can read it
            journal.close(HandedOver())
            journal.flush()
            raise

    def _opening(self, claim: Claim, journal: RedisJournal, order: Order) -> Opening:
        run_id = claim.lease.run_id
        given = given_of(claim.checkpoints, self.codec.at("run", run_id))
        kept = Kept(self.codec, order.thread_id)
        values = kept.text(claim.saved, claim.value)
        assignment = Assignment(
            run_id=run_id,
            thread_id=order.thread_id,
            entrypoint=order.entrypoint,
            number=int(claim.fields["attempt"]),
            config=order.config,
            previous=kept.saved(claim.saved),
            context=given.context if order.context is None else order.context,
            store=order.store,
            cache=order.cache,
            position=Position.of(claim.fields, claim.checkpoints, kept, values),
        )
        if order.argument is None or isinstance(order.argument, Command):
            value = kept.value(claim.saved, claim.value)
            return Opening(
                assignment, journal, given.argument, value=value, is_accepted=given.is_accepted
            )
        return Opening(assignment, journal, order.argument)


class InMemorySaver(RedisSaver):
    """Checkpointer in memory: the Redis code on an emulated server of its own."""

    def __init__(self, *, settings: Settings | None = None, codec: Codec | None = None) -> None:
        super().__init__(settings=settings, codec=codec)

    @cached_property
    def settings(self) -> Settings:
        """The settings, with leases that outlive any pause of this process: no other has them."""
        return replace(self._settings or load_settings(), lease=LEASE_IN_MEMORY)

    @cached_property
    def connection(self) -> Redis:
        """The emulated server, made at first use."""
        from fakeredis import FakeRedis

        from penstock.runtime.store.emulated import EmulatedServer

        return FakeRedis(server=EmulatedServer(), max_connections=MOST_IN_MEMORY)

    def _patient(self, timeout: float) -> Redis:
        return self.connection
