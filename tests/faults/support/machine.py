"""Two workers, two clients and a recovery on the real scripts, in any order, held against a model.

Each operation may be sent twice, as after a lost answer, and late, as after a long pause. Leases end
when a rule says so, by their score in Redis. `COVERED` counts which answers each operation gave.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

import redis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from penstock.publisher.script import Call, run
from penstock.runtime.journal import Fact, Finished, HandedOver, Suspended
from penstock.runtime.redis.calls import Calls, Creation, Death, Lease, Write
from penstock.runtime.redis.keys import Keys
from tests.faults.support.invariants import Checker
from tests.faults.support.snapshot import Entry, Snapshot
from tests.faults.support.world import CRASHES, Change, Held, World

LEASE: Final = 3600.0
QUEUE: Final = "q"
THREAD: Final = "the thread"
WORKERS: Final = ("left", "right")

COVERED: Counter[tuple[str, str]] = Counter()
"""How often each operation gave each answer, over all examples."""

few = st.integers(0, 3)
twice = st.booleans()
rare = st.integers(0, 9).map(lambda drawn: drawn == 7)
"""For what ends a run: more of it, and nothing else would ever be seen."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A call that a slow network may deliver again."""

    op: str
    call: Call
    again: Callable[[], str]


class Protocol:
    """The scripts and the model, side by side: each method does one operation in both."""

    def __init__(self, client: redis.Redis) -> None:
        client.flushdb()
        self.client = client
        self.keys = Keys("penstock", "rq")
        self.calls = Calls(self.keys)
        self.world = World()
        self.checker = Checker(client)
        self.held: list[Held] = []
        self.sent: list[Sent] = []
        self._nonces = 0

    # -- both sides -----------------------------------------------------------------------------

    def both(self, op: str, call: Call, model: Callable[[], str], *, again: bool = False) -> str:
        """Do it, perhaps twice; returns the first answer, which has to be the model's."""
        front_before = self.bells()
        answer = self._one(op, call, model)
        self._check_rung(front_before)
        self.sent.append(Sent(op, call, model))
        if again:
            self.deliver(self.sent[-1], "again")
        return answer

    def deliver(self, sent: Sent, when: str) -> None:
        """Deliver a call that was answered before."""
        bells = self.bells()
        self._one(f"{sent.op} {when}", sent.call, sent.again)
        self._check_rung(bells)

    def _one(self, op: str, call: Call, model: Callable[[], str]) -> str:
        expected = model()
        answer = self.word(run(self.client, call))
        COVERED[op, answer] += 1
        assert answer == expected, f"{op} {call.args[2:]}: {answer}, not {expected}"
        return answer

    def word(self, reply: Any) -> str:
        if isinstance(reply, list):
            reply = cast("list[Any]", reply)[0]
        return self.calls.word(reply)

    def bells(self) -> list[str]:
        """Return the tickets in the queue."""
        return [
            name.decode() for name in cast(Any, self.client.lrange(self.keys.queue(QUEUE), 0, -1))
        ]

    def _check_rung(self, before: list[str]) -> None:
        now, rung = self.bells(), self.world.rung
        fronts = [run_id for run_id, front in rung if front]
        backs = [run_id for run_id, front in rung if not front]
        self.world.rung = []
        assert now == [*reversed(fronts), *before, *backs], f"tickets {before} became {now}: {rung}"

    # -- clients --------------------------------------------------------------------------------

    def enqueue(self, run_id: str, on_busy: Any, *, again: bool = False) -> str:
        queued = json.dumps({"mode": "run.queued", "data": {}, "thread": THREAD, "time": 1.0})
        fields: dict[str, str | int] = {"entrypoint": "flow", "retention": 3_600_000, "keep": 0}
        creation = Creation(
            run_id,
            THREAD,
            QUEUE,
            f"digest of {run_id}",
            "1",
            queued,
            on_busy=on_busy,
            fields=fields,
        )
        call = self.calls.enqueue(creation)
        return self.both("enqueue", call, lambda: self.world.enqueue(run_id, on_busy), again=again)

    def cancel(self, run_id: str, *, again: bool = False) -> str:
        call = self.calls.cancel(run_id, "asked")
        return self.both("cancel", call, lambda: self.world.cancel(run_id, "asked"), again=again)

    def resume(self, run_id: str, answers: Mapping[str, str], *, again: bool = False) -> str:
        event = json.dumps({"mode": "run.resumed", "data": {}, "thread": THREAD, "time": 1.0})
        call = self.calls.resume(run_id, event, answers)
        op = "resume" if answers else "retry"
        return self.both(op, call, lambda: self.world.resume(run_id, answers), again=again)

    def wake(self, run_id: str, *, again: bool = False) -> str:
        call = self.calls.wake(run_id)
        return self.both("wake", call, lambda: self.world.wake(run_id), again=again)

    # -- workers --------------------------------------------------------------------------------

    def take(self, worker: str, room: int, *, popped: bool = False, again: bool = False) -> str:
        nonce, bells = self._nonce(), self.bells()
        first: list[str] = []
        if popped and bells:
            ticket = cast("bytes | None", self.client.lpop(self.keys.queue(QUEUE)))
            first = [ticket.decode()] if ticket is not None else []
        call = self.calls.take(
            worker, nonce, LEASE, room, [QUEUE], (QUEUE, first[0]) if first else ("", "")
        )
        tickets, new = (
            bells[len(first) :],
            [self.world.claim(each, nonce, worker) for each in first],
        )
        while tickets and sum(held is not None for held in new) < room:
            new.append(self.world.claim(tickets.pop(0), nonce, worker))
        mine = [held for held in new if held is not None]
        for _ in range(1 + again):
            claims = self.calls.taken(run(self.client, call)).claims
            assert [claim.lease.fence for claim in claims] == [held.fence for held in mine]
            assert self.bells() == tickets
        COVERED["take a popped one" if first else "take", str(len(mine))] += 1
        self.held += mine
        return str(len(mine))

    def acquire(self, run_id: str, worker: str, *, again: bool = False) -> str:
        nonce = self._nonce()
        status = self.world.runs[run_id].status
        held = self.world.claim(run_id, nonce, worker)
        call = self.calls.acquire(run_id, worker, nonce, LEASE)
        for _ in range(1 + again):
            claim = self.calls.acquired(run(self.client, call))
            got = claim if isinstance(claim, str) else claim.lease.fence
            assert got == (held.fence if held is not None else status)
        answer = status if held is None else "claimed"
        COVERED["acquire", answer] += 1
        self.held += [held] if held is not None else []
        return answer

    def record(self, held: Held, *, step: bool = True, again: bool = False) -> str:
        change, write = self._write(held, step)
        answer = self._send(
            "record", held, write, lambda: self.world.record(held, change) or "OK", again
        )
        if answer == "OK":
            held.known |= change.recorded
        return answer

    def suspend(self, held: Held, number: int, *, again: bool = False) -> str:
        change, write = self._write(held, step=False)
        unanswered = [f"i{index}" for index in range(99) if f"!i{index}" not in held.known]
        questions = dict.fromkeys(unanswered[:number], '"?"')
        change = Change(change.number, change.recorded, (*change.tags, "run.interrupted"))
        write.events += self._event(held, "run.interrupted", {})
        write.ending = Suspended(_fact("run.interrupted"), questions)
        return self._send(
            "suspend", held, write, lambda: self.world.suspend(held, change, questions), again
        )

    def finish(self, held: Held, status: Any, *, again: bool = False) -> str:
        change, write = self._write(held, step=False)
        change = Change(change.number, change.recorded, (*change.tags, f"run.finished:{status}"))
        write.events += self._event(held, "run.finished", {"status": status})
        write.ending = Finished(status, _fact("run.finished"), reason="because")
        return self._send(
            "finish", held, write, lambda: self.world.finish(held, change, status), again
        )

    def handover(self, held: Held, *, again: bool = False) -> str:
        change, write = self._write(held, step=True)
        write.ending = HandedOver()
        return self._send("handover", held, write, lambda: self.world.handover(held, change), again)

    def renew(self, worker: str) -> None:
        mine = [held for held in self.held if held.worker == worker][-4:]
        call = self.calls.renew([Lease(held.run_id, held.fence) for held in mine], LEASE)
        answers = self.calls.words(run(self.client, call))
        expected = [self.world.renew(held) for held in mine]
        assert answers == expected, f"renew: {answers}, not {expected}"
        for answer in answers:
            COVERED["renew", answer] += 1

    def _write(self, held: Held, step: bool) -> tuple[Change, Write]:
        held.number += 1
        write = Write(held.number, events=self._event(held, "custom", {}))
        if not step:
            return Change(held.number, {}, ("custom",)), write
        name = held.next_step()
        write.checkpoints[name] = json.dumps(f"{name} by {held.fence}")
        write.events += self._event(held, "step.finished", {"id": name})
        return Change(
            held.number, dict(write.checkpoints), ("custom", f"step.finished:{name}")
        ), write

    def _send(
        self, op: str, held: Held, write: Write, model: Callable[[], str], again: bool
    ) -> str:
        call = self.calls.write(Lease(held.run_id, held.fence), write, 0)
        return self.both(op, call, _equivalent(model), again=again)

    @staticmethod
    def _event(held: Held, mode: str, data: Mapping[str, str]) -> list[str]:
        tree = {"mode": mode, "data": data, "thread": THREAD, "time": 1.0}
        if held.attempt > 1:
            tree["attempt"] = held.attempt
        return [json.dumps(tree), ""]

    def _nonce(self) -> str:
        self._nonces += 1
        return f"n{self._nonces}"

    # -- recovery and trouble -------------------------------------------------------------------

    def expire(self, run_id: str) -> None:
        """Let the lease of a run end, if it has one."""
        if self.client.zadd(self.keys.leases, {run_id: 0}, xx=True, ch=True):
            self.world.runs[run_id].expired = True

    def recover(self, dead: str = "") -> None:
        """Look for what is lost; `dead` names a worker that has died."""
        before = self.bells()
        listed: list[str] = []
        if dead:
            members = cast("set[bytes]", self.client.smembers(self.keys.executions(dead)))
            listed = sorted({member.decode().partition(":")[0] for member in members})
        death = Death(dead, "killed", tuple(listed)) if dead else None
        call = self.calls.recover(CRASHES, -1.0, death)
        got = self.calls.recovered(run(self.client, call))
        looked = self.world.recover(dead, listed)
        unheard = self.world.unheard(before)
        assert list(got.queued) == looked.queued
        assert list(got.given_up) == looked.given_up
        assert set(got.rung) == unheard, f"rung for {got.rung}, unheard were {unheard}"
        assert not got.spoilt, f"spoilt: {got.spoilt}"
        now = self.bells()
        assert set(now) == {*before, *unheard, *(run_id for run_id, _ in self.world.rung)}
        assert len(now) == len(before) + len(self.world.rung) + len(unheard)
        self.world.rung = []
        for what in ("queued", "given_up", "rung"):
            COVERED["bury" if dead else "recover", what] += len(getattr(got, what))
        COVERED["recover", "cancelled"] += len(looked.cancelled)

    # -- what must hold -------------------------------------------------------------------------

    def check(self) -> None:
        """Hold Redis against the invariants, and each run against the model's."""
        now = self.checker.check()
        found = now.runs()
        assert found.keys() == self.world.runs.keys()
        for run_id, expected in self.world.runs.items():
            fields = found[run_id]
            told = {
                "status": expected.status,
                "attempt": str(expected.attempt),
                "crashes": str(expected.crashes),
                "epoch": str(expected.epoch) if expected.epoch else None,
                "fence": expected.fence or None,
                "batch": str(expected.batch),
                "worker": expected.worker,
                "cancel": expected.cancel,
            }
            found_of_it = {name: fields.get(name) for name in told}
            assert found_of_it == told, f"run {run_id} is {found_of_it}, not {told}"
            self._check_rest(run_id, now)
        thread = next(iter(now.hashes[key] for key in now.hashes if ":thread:" in key), {})
        assert thread.get("run", b"").decode() == self.world.active

    def _check_rest(self, run_id: str, now: Snapshot) -> None:
        expected = self.world.runs[run_id]
        recorded = {name: text.decode() for name, text in now.checkpoints(run_id).items()}
        recorded.pop("input")
        assert recorded == expected.recorded, f"run {run_id} has recorded {recorded}"
        asked = now.hashes.get(self.keys.questions(run_id), {})
        if expected.status == "suspended":
            assert asked.keys() == expected.questions.keys(), f"run {run_id} asks {asked}"
        assert [_tag(entry) for entry in now.events(run_id)] == expected.log, f"log of {run_id}"
        assert (run_id in now.waiting(now.runs()[run_id]["thread_key"])) == (
            run_id in self.world.waiting
        )

    def end(self) -> None:
        """See that everything can still come to its end, whatever was lost: I9."""
        for _ in range(40):
            if all(ran.over for ran in self.world.runs.values()):
                return
            for run_id, ran in list(self.world.runs.items()):
                self.expire(run_id)
                if ran.status == "suspended":
                    self.resume(run_id, dict.fromkeys(ran.questions, '"A"'))
            self.recover()
            self.take("healer", 10)
            for held in [held for held in self.held if self.world.owns(held)]:
                self.finish(held, "completed")
            self.check()
        raise AssertionError("some run never ends")


def _equivalent(model: Callable[[], str]) -> Callable[[], str]:
    """Give what a resent write answers: OK where it was applied, however it was answered then."""
    return lambda: model() or "OK"


def _fact(mode: str) -> Fact:
    return Fact(mode, {}, (), 1.0)


def _tag(entry: Entry) -> str:
    data = entry.tree["data"]
    told = data.get("id") or data.get("status")
    return f"{entry.mode}:{told}" if told else entry.mode


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
        ids = list(self.protocol.world.runs)
        return ids[index % len(ids)]

    def lease(self, index: int) -> Held:
        """The lease of an owner mostly, else one that is long lost."""
        held = self.protocol.held
        owned = [each for each in held if self.protocol.world.owns(each)]
        if owned and index < 3:
            return owned[index % len(owned)]
        return held[-1 - index % len(held)]

    @rule(on_busy=st.sampled_from(["queue", "reject", "interrupt", "rollback"]), again=twice)
    def enqueue(self, on_busy: str, again: bool) -> None:
        number = len(self.protocol.world.runs)
        self.protocol.enqueue(f"run-{min(number, 4)}", on_busy, again=again)

    @rule(worker=st.sampled_from(WORKERS), room=st.integers(1, 3), popped=twice, again=twice)
    def take(self, worker: str, room: int, popped: bool, again: bool) -> None:
        self.protocol.take(worker, room, popped=popped, again=again)

    @rule(worker=st.sampled_from(WORKERS), index=few, again=twice)
    def acquire(self, worker: str, index: int, again: bool) -> None:
        self.protocol.acquire(self.run_id(index), worker, again=again)

    @precondition(lambda self: self.protocol.held)
    @rule(index=few, step=twice, again=twice)
    def record(self, index: int, step: bool, again: bool) -> None:
        self.protocol.record(self.lease(index), step=step, again=again)

    @precondition(lambda self: self.protocol.held)
    @rule(index=few, number=st.integers(1, 2), again=twice)
    def suspend(self, index: int, number: int, again: bool) -> None:
        self.protocol.suspend(self.lease(index), number, again=again)

    @precondition(lambda self: self.protocol.held)
    @rule(
        index=few,
        status=st.sampled_from(["completed", "failed", "cancelled"]),
        again=twice,
        do=rare,
    )
    def finish(self, index: int, status: str, again: bool, do: bool) -> None:
        held = self.lease(index)
        asked = self.protocol.world.runs[held.run_id].cancel
        if do or asked or not self.protocol.world.owns(held):
            self.protocol.finish(held, status, again=again)

    @precondition(lambda self: self.protocol.held)
    @rule(index=few, again=twice)
    def handover(self, index: int, again: bool) -> None:
        self.protocol.handover(self.lease(index), again=again)

    @precondition(lambda self: self.protocol.held)
    @rule(worker=st.sampled_from(WORKERS))
    def renew(self, worker: str) -> None:
        self.protocol.renew(worker)

    @rule(index=few, again=twice, do=rare)
    def cancel(self, index: int, again: bool, do: bool) -> None:
        if do or self.protocol.world.runs[self.run_id(index)].status == "running":
            self.protocol.cancel(self.run_id(index), again=again)

    @rule(index=few, asked=few, value=st.sampled_from(['"A"', '"A"', '"B"']), again=twice)
    def resume(self, index: int, asked: int, value: str, again: bool) -> None:
        run_id = self.run_id(index)
        self.protocol.resume(run_id, {f"i{asked}": value}, again=again)

    @rule(value=st.sampled_from(['"A"', '"B"']), again=twice)
    def answer(self, value: str, again: bool) -> None:
        waiting = [ran for ran in self.protocol.world.runs.values() if ran.status == "suspended"]
        if waiting:
            answers = dict.fromkeys(waiting[0].questions, value)
            self.protocol.resume(waiting[0].run_id, answers, again=again)

    @rule(index=few)
    def retry(self, index: int) -> None:
        if self.protocol.world.runs[self.run_id(index)].status != "suspended":
            self.protocol.resume(self.run_id(index), {})

    @rule(index=few, again=twice)
    def wake(self, index: int, again: bool) -> None:
        self.protocol.wake(self.run_id(index), again=again)

    @rule(index=few, look=twice)
    def expire(self, index: int, look: bool) -> None:
        self.protocol.expire(self.run_id(index))
        if look:
            self.protocol.recover()

    @rule()
    def recover(self) -> None:
        self.protocol.recover()

    @rule(worker=st.sampled_from(WORKERS))
    def bury(self, worker: str) -> None:
        self.protocol.recover(worker)

    @rule(junk=st.sampled_from(["", "run-0", "run-1", "never heard of"]))
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
        if sent.op not in ("retry", "wake", "cancel"):  # they ask for no more than what they say
            self.protocol.deliver(sent, "late")

    @invariant()
    def as_the_model_says(self) -> None:
        self.protocol.check()

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:
            self.protocol.end()
