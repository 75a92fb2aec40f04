"""Two workers, clients and a recovery on the real scripts, in any order hypothesis can think of."""

from __future__ import annotations

import sys
from typing import ClassVar, Final

import redis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.faults.support.protocol import QUEUE, Protocol
from tests.faults.support.world import Held

WORKERS: Final = ("left", "right")
ON_BUSY: Final = ["queue", "queue", "reject", "interrupt", "rollback"]
ENDS: Final = ["completed", "failed", "failed", "cancelled"]
ANSWER: Final = st.sampled_from(['"A"', '"A"', '"B"'])

few = st.integers(0, 3)
twice = st.booleans()
rare = st.integers(0, 9).map(lambda drawn: drawn == 7)
"""For what ends a run: more of it, and nothing else would ever be seen."""


class ProtocolMachine(RuleBasedStateMachine):
    """Any order of operations that hypothesis can think of."""

    client: ClassVar[redis.Redis]

    def __init__(self) -> None:
        super().__init__()
        self.protocol = Protocol(self.client)

    @initialize()
    def begin(self) -> None:
        self.protocol.enqueue("run-0", "queue")
        self.protocol.take("left", 1)

    def run_id(self, index: int) -> str:
        """The newest runs mostly: the older ones are over."""
        ids = list(self.protocol.world.runs)
        return ids[-1 - index % len(ids)]

    def owned(self) -> list[Held]:
        return [held for held in self.protocol.held if self.protocol.world.owns(held)]

    # -- clients --------------------------------------------------------------------------------

    @rule(on_busy=st.sampled_from(ON_BUSY), again=twice, heard=twice)
    def enqueue(self, on_busy: str, again: bool, heard: bool) -> None:
        number = len(self.protocol.world.runs)
        self.protocol.enqueue(f"run-{min(number, 6)}", on_busy, again=again)
        for held in self.owned():
            if heard and self.protocol.world.runs[held.run_id].cancel == on_busy:
                self.protocol.finish(held, "completed")

    @rule(index=few, again=twice, do=rare)
    def cancel(self, index: int, again: bool, do: bool) -> None:
        if do:
            self.protocol.cancel(self.run_id(index), again=again)

    @rule(index=few, asked=few, value=ANSWER, again=twice)
    def resume(self, index: int, asked: int, value: str, again: bool) -> None:
        self.protocol.resume(self.run_id(index), {f"i{asked}": value}, again=again)

    @rule(value=ANSWER, all_of_them=twice, again=twice, contradict=twice)
    def answer(self, value: str, all_of_them: bool, again: bool, contradict: bool) -> None:
        for ran in list(self.protocol.world.runs.values()):
            if ran.status == "suspended" and ran.questions:
                asked = list(ran.questions)[: None if all_of_them else 1]
                self.protocol.resume(ran.run_id, dict.fromkeys(asked, value), again=again)
                if contradict:
                    self.protocol.resume(ran.run_id, dict.fromkeys(asked, '"C"'))

    @rule(index=few)
    def retry(self, index: int) -> None:
        self.protocol.resume(self.run_id(index), {})

    @rule(index=few, again=twice)
    def wake(self, index: int, again: bool) -> None:
        self.protocol.wake(self.run_id(index), again=again)

    # -- workers --------------------------------------------------------------------------------

    @rule(
        worker=st.sampled_from(WORKERS),
        room=st.integers(1, 3),
        popped=twice,
        busy=st.sampled_from([0, 0, 0, 1]),
        again=twice,
    )
    def take(self, worker: str, room: int, popped: bool, busy: int, again: bool) -> None:
        self.protocol.take(worker, room, popped=popped, busy=busy, again=again)

    @rule(worker=st.sampled_from(WORKERS), begins=twice)
    def have_done_with_kept_ones(self, worker: str, begins: bool) -> None:
        for run_id, ran in list(self.protocol.world.runs.items()):
            if ran.reserved and begins:
                self.protocol.take_kept(run_id, worker)
            elif ran.reserved:
                self.protocol.let_go(run_id)

    @rule(worker=st.sampled_from(WORKERS), index=few, again=twice)
    def acquire(self, worker: str, index: int, again: bool) -> None:
        self.protocol.acquire(self.run_id(index), worker, again=again)

    @precondition(lambda self: self.owned())
    @rule(index=few, step=twice, again=twice)
    def record(self, index: int, step: bool, again: bool) -> None:
        owned = self.owned()
        self.protocol.record(owned[index % len(owned)], step=step, again=again)

    @precondition(lambda self: self.owned())
    @rule(
        index=few,
        opened=st.sets(st.integers(0, 3), max_size=2),
        closed=st.sets(st.integers(0, 3), max_size=2),
        again=twice,
    )
    def ask(self, index: int, opened: set[int], closed: set[int], again: bool) -> None:
        """List questions while the run is at work."""
        owned = self.owned()
        names, gone = ([f"i{number}" for number in sorted(each)] for each in (opened, closed))
        self.protocol.ask(owned[index % len(owned)], names, gone, again=again)

    @precondition(lambda self: self.owned())
    @rule(number=st.sampled_from([0, 1, 1, 2]), timed=twice, again=twice, cancel=rare)
    def suspend(self, number: int, timed: bool, again: bool, cancel: bool) -> None:
        held = self.owned()[0]
        if cancel:
            self.protocol.cancel(held.run_id)
        self.protocol.suspend(held, number, timed=timed or number == 0, again=again)

    @precondition(lambda self: self.owned())
    @rule(asked=st.sets(st.integers(0, 3), max_size=2), timed=twice, again=twice, cancel=rare)
    def suspend_for(self, asked: set[int], timed: bool, again: bool, cancel: bool) -> None:
        """Wait for other questions than before: a branch that asked may have lost its race."""
        if cancel:
            self.protocol.cancel(self.owned()[0].run_id)
        names = [f"i{number}" for number in sorted(asked)]
        self.protocol.suspend_for(self.owned()[0], names, timed=timed or not names, again=again)

    @precondition(lambda self: self.owned())
    @rule(asked=few, value=ANSWER, again=twice)
    def answer_at_work(self, asked: int, value: str, again: bool) -> None:
        """Answer a question of an earlier attempt while the next one is at work."""
        run_id = self.owned()[0].run_id
        self.protocol.resume(run_id, {f"i{asked}": value}, again=again)

    @precondition(lambda self: self.owned())
    @rule(status=st.sampled_from(ENDS), again=twice, do=rare)
    def finish(self, status: str, again: bool, do: bool) -> None:
        held = self.owned()[0]
        if do or self.protocol.world.runs[held.run_id].cancel:
            self.protocol.finish(held, status, again=again)

    @precondition(lambda self: self.owned())
    @rule(again=twice)
    def handover(self, again: bool) -> None:
        self.protocol.handover(self.owned()[0], again=again)

    @precondition(lambda self: len(self.protocol.held) > len(self.owned()))
    @rule(
        op=st.sampled_from(["record", "suspend", "sleep", "finish", "handover"]),
        back=few,
        again=twice,
    )
    def write_as_a_zombie(self, op: str, back: int, again: bool) -> None:
        lost = [held for held in self.protocol.held if not self.protocol.world.owns(held)]
        held = lost[-1 - back % len(lost)]
        if op in ("suspend", "sleep"):
            self.protocol.suspend(held, int(op == "suspend"), timed=op == "sleep", again=again)
        elif op == "finish":
            self.protocol.finish(held, "completed", again=again)
        elif op == "record":
            self.protocol.record(held, again=again)
        else:
            self.protocol.handover(held, again=again)

    @precondition(lambda self: self.protocol.held)
    @rule(worker=st.sampled_from(WORKERS), cancel=rare)
    def renew(self, worker: str, cancel: bool) -> None:
        for held in self.owned():
            if cancel and held.worker == worker:
                self.protocol.cancel(held.run_id)
        self.protocol.renew(worker)

    @precondition(lambda self: self.protocol.held)
    @rule(back=few, again=twice)
    def forgo(self, back: int, again: bool) -> None:
        self.protocol.forgo(self.protocol.held[-1 - back % len(self.protocol.held)], again=again)

    # -- trouble --------------------------------------------------------------------------------

    @rule(index=few, look=twice)
    def expire(self, index: int, look: bool) -> None:
        self.protocol.expire(self.run_id(index))
        if look:
            self.protocol.recover()

    @rule(index=few, look=twice)
    def let_be_due(self, index: int, look: bool) -> None:
        self.protocol.let_be_due(self.run_id(index))
        if look:
            self.protocol.recover()

    @rule()
    def recover(self) -> None:
        self.protocol.recover()

    @rule(worker=st.sampled_from(WORKERS))
    def report_death(self, worker: str) -> None:
        self.protocol.recover(worker)

    @rule(index=few)
    def requeue(self, index: int) -> None:
        self.protocol.requeue(self.run_id(index))

    @rule(junk=st.sampled_from(["", "run-0", "run-1", "run-2", "never heard of"]))
    def disturb_bells(self, junk: str) -> None:
        """Lose all tickets, or bring one that nobody rang."""
        key = self.protocol.keys.queue(QUEUE)
        if junk:
            self.client.rpush(key, junk)
        else:
            self.client.delete(key)

    @precondition(lambda self: self.protocol.sent)
    @rule(back=st.integers(0, 9))
    def late(self, back: int) -> None:
        sent = self.protocol.sent[-1 - back % len(self.protocol.sent)]
        if sent.op not in ("wake", "cancel"):  # they ask for no more than what they say
            self.protocol.deliver(sent, "late")

    @invariant()
    def as_the_model_says(self) -> None:
        self.protocol.check()

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:
            self.protocol.end()
