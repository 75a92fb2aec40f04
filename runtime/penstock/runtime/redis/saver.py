"""Keeps the runs that are invoked in this process in Redis, or in memory."""

from __future__ import annotations

__all__ = ["InMemorySaver", "RedisSaver"]

import time
import typing
import uuid
from collections.abc import Callable
from functools import cached_property
from typing import Any, cast

from redis import Redis

from penstock.publisher.codec import Codec
from penstock.publisher.connection import connect
from penstock.publisher.errors import CodecError
from penstock.runtime.attempt import Assignment
from penstock.runtime.checkpointer import Opening, Order
from penstock.runtime.engine import Result
from penstock.runtime.errors import EmptyInputError, ResumeError, Stop, ThreadBusyError
from penstock.runtime.final import Final
from penstock.runtime.interrupt import NOTHING, Command
from penstock.runtime.journal import HandedOver, Journal, NoJournal
from penstock.runtime.plan import follow
from penstock.runtime.redis.asking import ask
from penstock.runtime.redis.calls import Calls, Claim
from penstock.runtime.redis.creation import Wanted
from penstock.runtime.redis.journal import RedisJournal
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.redis.lease import LeaseKeeper
from penstock.runtime.redis.requests import Request, RequestPlans
from penstock.runtime.redis.sender import Sender
from penstock.runtime.settings import Settings, load_settings

RECOVER_EVERY: typing.Final = 1.0


class RedisSaver:
    """Checkpointer over Redis: runs, steps, events and threads as workers keep them."""

    def __init__(
        self,
        connection: Redis | str | None = None,
        *,
        settings: Settings | None = None,
        codec: Codec | None = None,
    ) -> None:
        self._given = connection
        self._settings = settings
        self._given_codec = codec
        self._recovered = -RECOVER_EVERY

    @cached_property
    def settings(self) -> Settings:
        """The settings: those given, else this process's."""
        return self._settings or load_settings()

    @property
    def codec(self) -> Codec:
        """How values are written."""
        return self.plans.codec

    @cached_property
    def plans(self) -> RequestPlans:
        """What can be asked of Redis."""
        return RequestPlans(self.settings, self._given_codec or self.settings.codec())

    @property
    def calls(self) -> Calls:
        """The script calls of the run protocol."""
        return self.plans.calls

    @cached_property
    def connection(self) -> Redis:
        """The connection, opened at first use."""
        return connect(self._given or self.settings.redis)

    @cached_property
    def _sender(self) -> Sender:
        return Sender(self.connection)

    @cached_property
    def _keeper(self) -> LeaseKeeper:
        settings = self.settings
        connection = self._patient(settings.lease / 4)
        return LeaseKeeper(connection, self.calls, lease=settings.lease, every=settings.renew)

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
        if order.argument is None or isinstance(order.argument, Command):
            run_id = self._last_run(order)
            status = self._field(run_id, "status")
            if status == "completed":
                return self._settled(run_id, order)
            if status == "cancelled":
                raise EmptyInputError(
                    f"the last run of thread {order.thread_id!r} was cancelled: give new input."
                )
            self._resume(run_id, status, order)
        else:
            run_id = self._create(order)
            if order.hold:
                return self._over(run_id, order, Result("suspended"))
        return self._claim(run_id, order)

    def guard(self, journal: Journal, tell: Callable[[Stop], None]) -> None:
        """Keep an attempt's lease alive; another thread calls `tell` if it is to stop."""
        if isinstance(journal, RedisJournal):
            self._keeper.add(journal.lease, tell)

    def release(self, journal: Journal) -> None:
        """Let go of an attempt's lease, however it ended."""
        if isinstance(journal, RedisJournal):
            self._keeper.remove(journal.lease)

    def _ask(self, request: Request) -> Any:
        return ask(self.connection, request)

    def _last_run(self, order: Order) -> str:
        record = self.calls.keys.thread(thread_key(order.thread_id))
        found = cast("bytes | None", self._ask(("HGET", record, "run")))
        entrypoint = self._field(found.decode(), "entrypoint") if found is not None else ""
        if found is not None and entrypoint == order.entrypoint:
            return found.decode()
        if entrypoint:
            raise ResumeError(
                f"the last run of thread {order.thread_id!r} is one of entrypoint {entrypoint!r}, "
                f"not of {order.entrypoint!r}: resume it there."
            )
        if order.argument is None:
            raise EmptyInputError(
                f"the input is None and thread {order.thread_id!r} has no run to resume."
            )
        raise ResumeError(f"thread {order.thread_id!r} has no run that waits for an answer.")

    def _field(self, run_id: str, name: str) -> str:
        value = cast("bytes | None", self._ask(("HGET", self.calls.keys.run(run_id), name)))
        return (value or b"").decode()

    def _settled(self, run_id: str, order: Order) -> Opening:
        key = self.calls.keys.checkpoints(run_id)
        text, saved = cast("list[bytes | None]", self._ask(("HMGET", key, "result", "saved")))
        tree: dict[str, Any] = {}
        if text is not None:
            tree = self.codec.at("run", run_id).outcome(text, "result")
        codec = self.codec.at("thread", order.thread_id, "saved")
        save = codec.loads(saved) if saved is not None else None
        result = Result("completed", Final(value=tree.get("value"), save=save))
        return self._over(run_id, order, result)

    def _over(self, run_id: str, order: Order, result: Result) -> Opening:
        assignment = Assignment(run_id, order.thread_id, order.entrypoint)
        return Opening(assignment, NoJournal(), None, result)

    def _resume(self, run_id: str, status: str, order: Order) -> None:
        if isinstance(order.argument, Command):
            if order.argument.resume is NOTHING:
                order.argument.answers((), run_id)
            follow(self.plans.resume(run_id, order.argument.resume), self._ask)
        elif status == "failed":
            follow(self.plans.resume(run_id), self._ask)
        elif status == "suspended":
            follow(self.plans.wake(run_id), self._ask)

    def _create(self, order: Order) -> str:
        wanted = Wanted(
            order.entrypoint,
            order.argument,
            thread_id=order.thread_id,
            queue="",
            on_busy="reject",
            context=self._storable(order.context),
            durability=order.durability,
        )
        return follow(self.plans.enqueue(wanted), self._ask)[0]

    def _storable(self, context: Any) -> Any:
        """Return a context as it is stored for a resume: None if it cannot be, as a connection."""
        try:
            self.codec.dumps(context)
        except CodecError:
            return None
        return context

    def _context(self, order: Order, claim: Claim) -> Any:
        """Return what a run gets as context: what this call gives, else what its first one gave."""
        text = claim.checkpoints.get("context")
        if order.context is not None or text is None:
            return order.context
        return self.codec.at("run", claim.lease.run_id, "context").loads(text)

    def _claim(self, run_id: str, order: Order) -> Opening:
        call = self.calls.acquire(run_id, "", uuid.uuid4().hex, self.settings.lease)
        claim = self.calls.acquired(self._ask(call))
        if not isinstance(claim, Claim):
            raise ThreadBusyError(
                run_id, f"run {run_id!r} of thread {order.thread_id!r} is {claim}, not to be taken."
            )
        journal = RedisJournal(claim, self.calls, self._sender, durability=order.durability)
        try:
            return self._opening(claim, journal, order)
        except CodecError:  # for whoever can read it
            journal.close(HandedOver())
            journal.flush()
            raise

    def _opening(self, claim: Claim, journal: RedisJournal, order: Order) -> Opening:
        run_id = claim.lease.run_id
        argument = self.codec.at("run", run_id, "input").loads(claim.checkpoints["input"])
        saved = self.codec.at("thread", order.thread_id, "saved")
        assignment = Assignment(
            run_id=run_id,
            thread_id=order.thread_id,
            entrypoint=order.entrypoint,
            number=int(claim.fields["attempt"]),
            config=order.config,
            previous=saved.loads(claim.saved) if claim.saved else None,
            context=self._context(order, claim),
            store=order.store,
            cache=order.cache,
        )
        fresh = not (order.argument is None or isinstance(order.argument, Command))
        return Opening(assignment, journal, order.argument if fresh else argument)


class InMemorySaver(RedisSaver):
    """Checkpointer in memory: the Redis code on an emulated server of its own."""

    def __init__(self, *, settings: Settings | None = None, codec: Codec | None = None) -> None:
        super().__init__(settings=settings, codec=codec)

    @cached_property
    def connection(self) -> Redis:
        """The emulated server, made at first use."""
        from fakeredis import FakeRedis

        return FakeRedis()

    def _patient(self, timeout: float) -> Redis:
        return self.connection
