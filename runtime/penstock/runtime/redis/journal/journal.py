"""The journal of an attempt in Redis: buffered, written in order, fenced."""

from __future__ import annotations

__all__ = ["RedisJournal"]

import asyncio
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final, NoReturn

from redis.exceptions import ResponseError

from penstock.publisher.plan import follow
from penstock.publisher.redis.script import Argument, Call, Reply
from penstock.runtime.errors import Fenced, LeaseLostError
from penstock.runtime.journal.endings import Asked, Ending, Finished, Suspended
from penstock.runtime.journal.fact import Fact
from penstock.runtime.journal.put import Put
from penstock.runtime.journal.remote_call import ARGUMENTS, RemoteCall
from penstock.runtime.journal.run_input import ACCEPTED, ACCEPTED_CONTEXT
from penstock.runtime.redis.calls import SCHEMA, Calls
from penstock.runtime.redis.journal.event_texts import EventTexts
from penstock.runtime.redis.journal.sender import Sender
from penstock.runtime.redis.journal.unfinished import unfinished
from penstock.runtime.redis.journal.write_buffer import Backlog
from penstock.runtime.redis.replies import Claim
from penstock.runtime.types.durability import Durability

TAKEN_OVER: Final = 1_000_000
"""Added to the epoch of a run that performs what others had begun to, for each sending of its home.

So the epochs of two such runs differ, and those of the later one are greater.
"""

BEGINNING: Final = 0.01
"""Seconds that the word that a run has begun may wait for its end, where many runs begin."""

_READ: Final = {ACCEPTED, ACCEPTED_CONTEXT}
"""Checkpoints that tell of no progress: of what the run was given, which was read."""


class RedisJournal:
    """Records what one attempt does and says, under the lease it holds."""

    stores = True

    def __init__(
        self,
        claim: Claim,
        calls: Calls,
        sender: Sender,
        *,
        durability: Durability = "async",
        patience: float = math.inf,
        queue: str = "",
    ) -> None:
        fields = claim.fields
        self.lease = claim.lease
        self.sending = threading.Lock()
        self._calls = calls
        self._sender = sender
        self.durability: Durability = durability
        self.patience = patience
        self._ahead = float(fields["updated"]) - time.monotonic() * 1000
        self._recorded: Mapping[str, bytes] = claim.checkpoints
        # A step that another run has begun to perform: what that one stamped comes before.
        self.epoch = int(fields["epoch"]) + TAKEN_OVER * int(fields.get("again", 0))
        thread = "" if fields["own_thread"] == "1" else fields["thread"]
        self._event_texts = EventTexts(int(fields["attempt"]), thread, durability)
        self._keep = int(fields.get("keep", 0))
        self._queue = queue
        self._home_step = fields.get("home_step", "")
        self._lock = threading.Lock()
        self.seq = claim.seq
        self._begun = time.monotonic()
        # The first event of a run is run.queued; a remote step speaks in the stream of its home.
        self._takes_over = "again" in fields
        has_begun = self._takes_over or int(fields["epoch"]) > 1
        self.has_past = has_begun if claim.lease.home else claim.seq > 1
        self._backlog = Backlog(withholds=durability == "exit")
        self._waiters: list[tuple[int, Future[None]]] = []
        self.failure: BaseException | None = None
        """Why nothing can be written any more, if that is so."""
        self.on_failure: Callable[[BaseException], object] = bool
        """Called once as nothing can be written any more, from any thread."""
        self._closed = False
        self.answer = ""
        self.has_recorded = False
        """Whether Redis has a checkpoint of this attempt, and so counts no earlier death."""

    @property
    def queue(self) -> str:
        """The queue that this process took the run from; "" if it was called to execute it."""
        return self._queue

    def recorded(self, field: str) -> bytes | None:
        """Return what earlier attempts recorded under a step's id or an answer's name."""
        return self._recorded.get(field)

    def fields(self) -> Collection[str]:
        """Return the names of all that earlier attempts recorded."""
        return self._recorded.keys()

    def now(self) -> float:
        """Return the time in ms by Redis's clock, as it was at the claim and has gone on since."""
        return time.monotonic() * 1000 + self._ahead

    def unfinished(self) -> Mapping[str, int]:
        """Read what earlier attempts did not get to the end of: step id -> seq of its first word.

        Raises:
            LeaseLostError: another attempt owns the run.
        """
        events = self._calls.keys.events(self.lease.home or self.lease.run_id)
        return follow(unfinished(events, self.seq, self._recorded, self._home_step), self.read)

    def read(self, request: tuple[Argument, ...] | Call) -> Any:
        """Ask Redis what may be asked twice, until it answers; waits in this thread.

        Raises:
            LeaseLostError: another attempt owns the run.
        """
        return self._sender.ask(request, self._check)

    def sends(self, queue: str) -> bool:
        """Tell whether a queue is another than the one that this process took the run from.

        A process that was called to execute the run itself performs all of its steps.
        """
        return bool(self._queue) and queue != self._queue

    def sent(self, step_id: str) -> bytes | None:
        """Return the arguments of a step that this run has sent, where it was under way.

        What another has sent, that performed the same step before, is to be sent again, or that one
        would be woken by its end.
        """
        return None if self._takes_over else self._recorded.get(f"{ARGUMENTS}{step_id}")

    def send(self, call: RemoteCall) -> str:
        """Have a step performed elsewhere, once all that was appended is stored.

        As the step may outlive the attempt, what it was called with must not be found anew: also
        where nothing is stored before the end, what came before is stored now.

        Raises:
            LeaseLostError: another attempt owns the run.
        """
        with self._lock:
            self._backlog.release()
        self.flush()
        word = self._calls.word(self.read(self._calls.send(self.lease, call)))
        if word == "FENCED":
            self._lose()
            with self._lock:
                self._check()
        return word if word.startswith("!") else ""

    def keep(self, field: str, text: str) -> None:
        """Add a checkpoint that no fact tells of; stored with what comes next.

        What comes after the ending is not recorded: it would be refused, as if the lease was lost.
        """
        with self._lock:
            self._check()
            if not self._closed:
                self._backlog.keep(field, text)

    def mark(self, field: str, text: str) -> None:
        """As `keep`, where no code of the run is to hear of an error: in a callback of the loop."""
        with self._lock:
            if self.failure is None and not self._closed:
                self._backlog.keep(field, text)

    def put(
        self,
        puts: Sequence[Put],
        checkpoints: Mapping[str, str],
        facts: Sequence[tuple[Fact, str]] = (),
    ) -> None:
        """Add what is stored of a graph, checkpoints, and facts with their encoded data.

        All of it goes into one write, which is stored soon, in order.

        Raises:
            LeaseLostError: another attempt owns the run.
            Fenced: the attempt is over.
        """
        texts = [self._event_texts.of(fact, text) for fact, text in facts]
        with self._lock:
            if self.failure is not None or self._closed:
                self._refuse()
            is_long = self._backlog.put(puts, checkpoints, texts)
            self.seq += len(texts)
        self._sender.notice(self)
        if is_long and not _on_a_loop():
            self.flush()

    def learn(self, field: str, text: bytes) -> None:
        """Take what others have recorded since the claim."""
        with self._lock:  # those who go through the fields meanwhile have the earlier ones
            self._recorded = {**self._recorded, field: text}

    def ask(self, asked: Asked, closed: Collection[str]) -> None:
        """Let questions be seen while the run is at work, and others not any more; soon."""
        questions: dict[str, str | None] = dict.fromkeys(closed)
        for name, text in asked.questions.items():
            questions[name] = text
        for name, text in asked.schemas.items():
            questions[f"{name}{SCHEMA}"] = text
        with self._lock:
            if self._closed or self.failure is not None:
                return
            for field, text in asked.checkpoints.items():
                self._backlog.keep(field, text)
            self._backlog.ask(questions)
        self._sender.notice(self)

    def append(self, fact: Fact, text: str, outcome: str = "") -> int:
        """Add a fact, and the outcome it refers to; returns its seq.

        Events are counted here, from the newest one that the claim has seen. Others may speak in
        the same stream meanwhile, as steps elsewhere do: then a seq is too low, never too high.
        """
        stored, published = self._event_texts.of(fact, text, outcome)
        with self._lock:
            if self.failure is not None or self._closed:
                self._refuse()
            self.seq = seq = self.seq + 1
            is_long = self._backlog.add(stored, published, fact.ref, outcome)
        self._sender.notice(self)
        if is_long and not _on_a_loop():
            self.flush()
        return seq

    def close(self, ending: Ending) -> None:
        """Let the next flush store the ending, in the same write as what is still unstored.

        Raises:
            LeaseLostError: it has one already, as the process has let go of the run.
        """
        if not self._close(ending):
            raise LeaseLostError(f"run {self.lease.run_id!r} was let go while its code went on.")

    def end(self, ending: Ending) -> None:
        """Let the sender store the ending, unless there is one, while the code may go on."""
        if self._close(ending):
            self._sender.notice(self, urgent=True)

    def _close(self, ending: Ending) -> bool:
        """Add the ending, unless there is one: another thread may let go of the run as it ends."""
        checkpoints: Mapping[str, str] = {}
        said: tuple[str, str] | None = None
        if isinstance(ending, (Finished, Suspended)):
            checkpoints = ending.checkpoints
            if ending.fact is not None:
                said = self._event_texts.of_ending(ending, ending.fact)
        with self._lock:  # once, or the sender may take the event before the ending is with it
            if self._closed:
                return False
            if said is not None:
                self.seq += 1
                self._backlog.add(*said)
            if self.lease.home or not (
                isinstance(ending, Finished) and ending.status == "completed"
            ):
                self._backlog.release()
            self._backlog.end(ending, checkpoints)
            self._closed = True
        return True

    def flush(self) -> None:
        """Return when all that was appended is stored.

        Raises:
            LeaseLostError: another attempt owns the run.
        """
        self._sender.flush(self)
        with self._lock:
            self._check()

    async def aflush(self) -> None:
        """As `flush`, without blocking the event loop."""
        with self._lock:
            self._check()
            last = self._backlog.last
            if last is None:
                return
            waiter: Future[None] = Future()
            self._waiters.append((last, waiter))
        self._sender.notice(self, urgent=True)
        await asyncio.wrap_future(waiter)

    def fail(self, error: BaseException) -> None:
        """Refuse whatever is still written, and tell who waits."""
        with self._lock:
            is_first = self.failure is None
            if is_first:
                self.failure = error
            waiters, self._waiters = self._waiters, []
        for _, waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)
        if is_first:
            self.on_failure(error)

    def _refuse(self) -> NoReturn:
        """Refuse what can be written no more."""
        self._check()
        raise Fenced(f"run {self.lease.run_id!r} is over; what comes late is not recorded")

    def _lose(self) -> None:
        self.fail(LeaseLostError(f"another attempt owns run {self.lease.run_id!r}."))

    @property
    def is_lost(self) -> bool:
        """Whether another attempt was found to own the run."""
        return isinstance(self.failure, LeaseLostError)

    @property
    def is_ending(self) -> bool:
        """Whether the run's ending is written, or on its way: Redis knows who owns the run."""
        return self._closed

    @property
    def is_due(self) -> bool:
        """Whether there is anything to send, and still a use in it."""
        with self._lock:
            return self.failure is None and not self._backlog.is_empty

    @property
    def can_wait(self) -> bool:
        """Whether all there is to send is that the run has begun just now."""
        with self._lock:
            is_early = time.monotonic() < self._begun + BEGINNING
            return is_early and self._backlog.is_beginning and not self._waiters

    def next_call(self) -> Call | None:
        """Return the write that is due; the same until it is settled."""
        with self._lock:
            due = self._backlog.due() if self.failure is None else None
        # Written down without the lock, as nothing is added to it any more.
        return None if due is None else self._calls.write(self.lease, due, self._keep)

    def settle(self, reply: Reply | ResponseError) -> None:
        """Take Redis's answer to the write on its way."""
        if isinstance(reply, ResponseError):
            self.fail(reply)
            return
        self.answer = self._calls.word(reply)
        if self.answer == "FENCED":
            self._lose()
            return
        with self._lock:
            stored = self._backlog.stored()
            self.has_recorded = self.has_recorded or bool(
                stored.puts or stored.checkpoints.keys() - _READ
            )
            done = [waiter for number, waiter in self._waiters if number <= stored.number]
            self._waiters = [item for item in self._waiters if item[0] > stored.number]
        for waiter in done:
            if not waiter.done():
                waiter.set_result(None)

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure


def _on_a_loop() -> bool:
    """Tell whether this thread runs an event loop, which must not wait."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
