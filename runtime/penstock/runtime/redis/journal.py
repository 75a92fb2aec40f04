"""The journal of an attempt in Redis: buffered, written in order, fenced."""

from __future__ import annotations

__all__ = ["RedisJournal"]

import asyncio
import json
import math
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final

from redis.exceptions import ResponseError

from penstock.publisher.event import texts
from penstock.publisher.script import Call, Reply
from penstock.runtime.errors import Fenced, LeaseLostError
from penstock.runtime.journal import Durability, Ending, Fact, Finished, Suspended
from penstock.runtime.plan import follow
from penstock.runtime.redis.calls import Calls, Claim, Write
from penstock.runtime.redis.past import Request, unfinished
from penstock.runtime.redis.sender import Sender

WEIGHT: Final = 256 * 1024
"""Bytes of one write, about: what Redis stores in a few milliseconds."""

ENTRY: Final = 128
"""What an event weighs besides its text."""

AHEAD: Final = 128
"""Writes that may wait for Redis before code in a thread has to wait too."""


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
        self._attempt = int(fields["attempt"])
        self._thread = "" if fields["own_thread"] == "1" else fields["thread"]
        self._keep = int(fields.get("keep", 0))
        self._lock = threading.Lock()
        self.seq = claim.seq
        self.has_past = claim.seq > 1  # the first is run.queued
        self._filling = Write(1)
        self._weight = 0
        self._full: deque[Write] = deque()
        self._sent: Write | None = None
        self._withheld: dict[str, str] = {}
        self._waiters: list[tuple[int, Future[None]]] = []
        self._failure: BaseException | None = None
        self._closed = False
        self.answer = ""
        self.has_recorded = False
        """Whether Redis has a checkpoint of this attempt, and so counts no earlier death."""

    def recorded(self, field: str) -> bytes | None:
        """Return what earlier attempts recorded under a step's id or an answer's name."""
        return self._recorded.get(field)

    def now(self) -> float:
        """Return the time in ms by Redis's clock, as it was at the claim and has gone on since."""
        return time.monotonic() * 1000 + self._ahead

    def unfinished(self) -> Mapping[str, int]:
        """Read what earlier attempts did not get to the end of: step id -> seq of its first word.

        Raises:
            LeaseLostError: another attempt owns the run.
        """
        events = self._calls.keys.events(self.lease.run_id)
        return follow(unfinished(events, self._recorded), self._read)

    def _read(self, request: Request) -> Any:
        return self._sender.read(request, self._check)

    def keep(self, field: str, text: str) -> None:
        """Add a checkpoint that no fact tells of; stored with what comes next."""
        with self._lock:
            self._check()
            kept = self._withheld if self.durability == "exit" else self._filling.checkpoints
            kept[field] = text

    def append(self, fact: Fact, text: str, outcome: str = "") -> int:
        """Add a fact, and the outcome it refers to; returns its seq.

        Nobody but the owner of the lease adds events to a run that is at work, so they are counted
        here, from the newest one that the claim has seen.
        """
        stored, published = self._texts(fact, text, outcome)
        with self._lock:
            self._check()
            if self._closed:
                raise Fenced(f"run {self.lease.run_id!r} is over; what comes late is not recorded")
            if outcome:
                kept = self._withheld if self.durability == "exit" else self._filling.checkpoints
                kept[fact.ref] = outcome
            self._filling.events += (stored, published)
            self._weight += ENTRY + len(stored) + len(outcome)
            if self._weight > WEIGHT:
                self._turn_over()
            self.seq = seq = self.seq + 1
        self._sender.notice(self)
        if len(self._full) > AHEAD and not _on_a_loop():
            self.flush()
        return seq

    def _texts(self, fact: Fact, text: str, outcome: str = "") -> tuple[str, str]:
        if outcome and (fact.inline or self.durability == "exit"):  # exit: nothing to refer to yet
            text, outcome = f'{text[:-1]},"outcome":{outcome}}}', ""
        return texts(
            fact.mode,
            text,
            namespace=fact.namespace,
            attempt=self._attempt,
            thread=self._thread,
            time=fact.time,
            ref=fact.ref if outcome else "",
            outcome=outcome,
        )

    def close(self, ending: Ending) -> None:
        """Let the next flush store the ending, in the same write as what is still unstored."""
        if isinstance(ending, (Finished, Suspended)):
            self._say(ending)
        with self._lock:
            if not (isinstance(ending, Finished) and ending.status == "completed"):
                self._filling.checkpoints |= self._withheld
            self._filling.ending = ending
            self._closed = True

    def _say(self, ending: Finished | Suspended) -> None:
        fact = ending.fact
        outcome = ending.checkpoints.get("result", "")
        with self._lock:
            self._filling.checkpoints |= ending.checkpoints
        if isinstance(ending, Finished):
            kept = ("name", "status", "cached")
            told = {key: fact.data[key] for key in kept if key in fact.data}
            text = ending.text or json.dumps(told)
        else:
            text = _suspension(ending)
        if outcome:
            fact = replace(fact, ref="result")
        stored, published = self._texts(fact, text, outcome)
        with self._lock:
            self._filling.events += (stored, published)
            self.seq += 1

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
            last = self._last()
            if last is None:
                return
            waiter: Future[None] = Future()
            self._waiters.append((last.number, waiter))
        self._sender.notice(self, urgent=True)
        await asyncio.wrap_future(waiter)

    def fail(self, error: BaseException) -> None:
        """Refuse whatever is still written, and tell who waits."""
        with self._lock:
            if self._failure is None:
                self._failure = error
            waiters, self._waiters = self._waiters, []
        for _, waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)

    @property
    def is_ending(self) -> bool:
        """Whether the run's ending is written, or on its way: Redis knows who owns the run."""
        return self._closed

    @property
    def is_due(self) -> bool:
        """Whether there is anything to send, and still a use in it."""
        with self._lock:
            return self._failure is None and (self._sent is not None or self._is_filled())

    def next_call(self) -> Call | None:
        """Return the write that is due; the same until it is settled."""
        with self._lock:
            if self._failure is not None:
                return None
            if self._sent is None:
                if not self._is_filled():
                    return None
                if not self._full:
                    self._turn_over()
                self._sent = self._full.popleft()
            return self._calls.write(self.lease, self._sent, self._keep)

    def settle(self, reply: Reply | ResponseError) -> None:
        """Take Redis's answer to the write on its way."""
        if isinstance(reply, ResponseError):
            self.fail(reply)
            return
        self.answer = self._calls.word(reply)
        if self.answer == "FENCED":
            self.fail(LeaseLostError(f"another attempt owns run {self.lease.run_id!r}."))
            return
        with self._lock:
            assert self._sent is not None
            self.has_recorded = self.has_recorded or bool(self._sent.checkpoints)
            stored, self._sent = self._sent.number, None
            done = [waiter for number, waiter in self._waiters if number <= stored]
            self._waiters = [item for item in self._waiters if item[0] > stored]
        for waiter in done:
            if not waiter.done():
                waiter.set_result(None)

    def _is_filled(self) -> bool:
        return bool(self._full or not self._filling.is_empty)

    def _turn_over(self) -> None:
        """Let what is appended from here on go into another write."""
        self._full.append(self._filling)
        self._filling, self._weight = Write(self._filling.number + 1), 0

    def _last(self) -> Write | None:
        """Return the newest write that has something in it and is not stored yet."""
        if not self._filling.is_empty:
            return self._filling
        return self._full[-1] if self._full else self._sent

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure


def _suspension(ending: Suspended) -> str:
    if not ending.questions:
        return json.dumps(ending.fact.data)
    return f'{{"interrupts":[{",".join(_asked(ending))}]}}'


def _asked(ending: Suspended) -> Iterator[str]:
    for name, value in ending.questions.items():
        schema = ending.schemas.get(name)
        more = f',"response_schema":{schema}' if schema is not None else ""
        yield f'{{"value":{value},"id":"{name}"{more}}}'


def _on_a_loop() -> bool:
    """Tell whether this thread runs an event loop, which must not wait."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
