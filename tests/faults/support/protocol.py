"""One operation at a time on the real scripts and on their model, which have to agree.

Each may be sent twice, as after a lost answer, and late, as after a long pause. Leases end by their
score in Redis. `COVERED` counts which answers each operation gave.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import redis

from penstock.publisher.redis.script import Call, run
from penstock.runtime.journal.endings import Finished, HandedOver, Suspended
from penstock.runtime.journal.fact import Fact
from penstock.runtime.redis.calls import Calls, Creation, Death, Write
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.replies import Lease
from penstock.runtime.redis.run_record import DEFAULTS
from penstock.runtime.redis.thread_calls import Amendment, ThreadCalls
from penstock.runtime.redis.thread_calls import Change as ThreadChange
from penstock.runtime.settings import Settings
from tests.faults.support.invariants import Checker
from tests.faults.support.snapshot import Entry, Snapshot
from tests.faults.support.world import CRASHES, Change, Held, World

LEASE: Final = 3600.0
FAR: Final = 4e12
"""A time in ms that does not come by itself."""

QUEUE: Final = "q"
THREAD: Final = "the thread"

RESULT: Final = {"result": '{"value":1}', "saved": "1"}

COVERED: Counter[tuple[str, str]] = Counter()
"""How often each operation gave each answer, over all examples."""


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
        self.threads = ThreadCalls(self.keys, Settings())
        self.world = World()
        self.checker = Checker(client)
        self.held: list[Held] = []
        self.sent: list[Sent] = []
        self._nonces = 0

    # -- both sides -----------------------------------------------------------------------------

    def both(self, op: str, call: Call, model: Callable[[], str], *, again: bool = False) -> str:
        """Do it, perhaps twice; returns the first answer, which has to be the model's."""
        front_before = self.tickets()
        answer = self._one(op, call, model)
        self._check_requeued(front_before)
        self.sent.append(Sent(op, call, model))
        if again:
            self.deliver(self.sent[-1], "again")
        return answer

    def deliver(self, sent: Sent, when: str) -> None:
        """Deliver a call that was answered before."""
        tickets = self.tickets()
        self._one(f"{sent.op} {when}", sent.call, sent.again)
        self._check_requeued(tickets)

    def _one(self, op: str, call: Call, model: Callable[[], str]) -> str:
        expected = model()
        answer = self.word(run(self.client, call))
        COVERED[op, answer] += 1
        assert answer == expected, f"{op} {call.args[2:]}: {answer}, not {expected}"
        return answer

    def word(self, reply: object) -> str:
        return self.calls.word(cast("list[object]", reply)[0] if isinstance(reply, list) else reply)

    def tickets(self) -> list[str]:
        """Return the tickets in the queue."""
        return [
            name.decode() for name in cast(Any, self.client.lrange(self.keys.queue(QUEUE), 0, -1))
        ]

    def _check_requeued(self, before: list[str]) -> None:
        now, requeued = self.tickets(), self.world.requeued
        fronts = [run_id for run_id, front in requeued if front]
        backs = [run_id for run_id, front in requeued if not front]
        self.world.requeued = []
        assert now == [*reversed(fronts), *before, *backs], (
            f"tickets {before} became {now}: {requeued}"
        )

    # -- clients --------------------------------------------------------------------------------

    def enqueue(self, run_id: str, on_busy: Any, *, again: bool = False) -> str:
        queued = json.dumps({"mode": "run.queued", "data": {}, "thread": THREAD, "time": 1.0})
        fields: dict[str, str | int] = {"entrypoint": "flow", "retention": 3_600_000, "keep": 0}
        fields["feed"] = 1000
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
        epoch = self.world.runs[run_id].epoch
        call = self.calls.resume(run_id, event, str(epoch or ""), answers)
        op = "resume" if answers else "retry"
        return self.both(op, call, lambda: self.world.resume(run_id, epoch, answers), again=again)

    def update(self, checkpoint: str = "", *, again: bool = False) -> str:
        change = ThreadChange(THREAD, checkpoint, self._nonce(), "flow")
        call = self.threads.update(change, Amendment("1", "", self.world.active, RESULT["result"]))
        kept = checkpoint or str(self.world.head)
        return self.both("update", call, lambda: self.world.update(change.nonce, kept), again=again)

    def wake(self, run_id: str, *, again: bool = False) -> str:
        call = self.calls.wake(run_id)
        return self.both("wake", call, lambda: self.world.wake(run_id), again=again)

    # -- workers --------------------------------------------------------------------------------

    def take(
        self,
        worker: str,
        room: int,
        *,
        popped: bool = False,
        busy: int = 0,
        again: bool = False,
    ) -> str:
        nonce, tickets = self._nonce(), self.tickets()
        if popped and tickets:
            self.client.lmove(self.keys.queue(QUEUE), self.keys.popped(QUEUE))
        first, rest, mine, goes_on = tickets[: int(popped)], list(tickets), list[Held](), True
        while goes_on and rest and len(mine) < room:
            held, goes_on = self.world.take(rest.pop(0), nonce, worker, busy + len(mine))
            mine += [held] if held is not None else []
        call = self.calls.take(
            worker,
            nonce,
            LEASE,
            room,
            [QUEUE],
            (QUEUE, first[0]) if first else ("", ""),
            busy=busy,
            crashes=CRASHES,
        )
        for _ in range(1 + again):
            claims = self.calls.taken(run(self.client, call)).claims
            assert [claim.lease.fence for claim in claims] == [held.fence for held in mine]
            assert self.tickets() == rest
            assert self.client.llen(self.keys.popped(QUEUE)) == 0
        COVERED["take a popped one" if first else "take", str(len(mine))] += 1
        self.held += mine
        return str(len(mine))

    def take_kept(self, run_id: str, worker: str) -> str:
        """Take a suspect that was kept back, with all that the worker has at work."""
        nonce = self._nonce()
        held, _ = self.world.take(run_id, nonce, worker, 1, alone=True)
        call = self.calls.take(
            *(worker, nonce, LEASE, 1, ()),
            (QUEUE, run_id),
            busy=1,
            crashes=CRASHES,
            mode="alone",
        )
        claims = self.calls.taken(run(self.client, call)).claims
        assert [claim.lease.fence for claim in claims] == ([held.fence] if held else [])
        self.held += [held] if held is not None else []
        answer = "claimed" if held is not None else "nothing"
        COVERED["take a kept one", answer] += 1
        return answer

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

    def ask(
        self, held: Held, opened: Collection[str], closed: Collection[str], *, again: bool = False
    ) -> str:
        """Let questions be seen, and others not any more, while the run is at work."""
        change, write = self._write(held, step=False)
        write.questions = {**dict.fromkeys(opened, '"?"'), **dict.fromkeys(closed)}
        listed = dict(write.questions)
        return self._send(
            "ask" if listed else "record",
            held,
            write,
            lambda: self.world.ask(held, change, listed) or "OK",
            again,
        )

    def suspend(self, held: Held, number: int, *, timed: bool = False, again: bool = False) -> str:
        """Wait for answers to so many questions, for a time, or for either."""
        unanswered = [f"i{index}" for index in range(99) if f"!i{index}" not in held.known]
        return self.suspend_for(held, unanswered[:number], timed=timed, again=again)

    def suspend_for(
        self, held: Held, names: Collection[str], *, timed: bool = False, again: bool = False
    ) -> str:
        """Wait for answers to these questions alone, whatever was asked before."""
        change, write = self._write(held, step=False)
        questions = dict.fromkeys(names, '"?"')
        withdrawn = self.world.runs[held.run_id].questions.keys() - questions.keys()
        mode = "run.interrupted" if questions else "run.suspended"
        change = Change(change.number, change.recorded, (*change.tags, mode))
        write.events += self._event(held, mode, {})
        write.ending = Suspended(_fact(mode), questions, FAR if timed else None)
        answer = self._send(
            "suspend" if questions else "sleep",
            held,
            write,
            lambda: self.world.suspend(held, change, questions, timed),
            again,
        )
        COVERED["withdraw", answer] += bool(withdrawn)
        return answer

    def finish(self, held: Held, status: Any, *, again: bool = False) -> str:
        change, write = self._write(held, step=False)
        result = RESULT if status == "completed" else {}
        change = Change(change.number, result, (*change.tags, f"run.finished:{status}"))
        write.events += self._event(held, "run.finished", {"status": status})
        write.ending = Finished(status, _fact("run.finished"), reason="because")
        write.checkpoints |= result
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

    def forgo(self, held: Held, *, again: bool = False) -> str:
        call = self.calls.forgo([Lease(held.run_id, held.fence)])
        return self.both("forgo", call, lambda: self.world.forgo(held), again=again)

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

    def let_be_due(self, run_id: str) -> None:
        """Let the time come that a run waits for, if it does."""
        if self.client.zadd(self.keys.timers, {run_id: 0}, xx=True, ch=True):
            self.world.runs[run_id].due = True

    def requeue(self, run_id: str) -> None:
        """Put a run's ticket back as RQ's tools do, if RQ counts it among those that failed."""
        if self.client.zrem(f"rq:failed:{QUEUE}", run_id):
            self.client.rpush(self.keys.queue(QUEUE), run_id)
            self.world.requeue(run_id)

    def let_go(self, run_id: str) -> None:
        """Let the time be over for which a worker may keep a run back."""
        self.client.hdel(self.keys.run(run_id), "reserved")
        self.world.runs[run_id].reserved = False

    def recover(self, dead: str = "") -> None:
        """Look for what is lost; `dead` names a worker that has died."""
        before = self.tickets()
        listed: list[str] = []
        if dead:
            members = cast("set[bytes]", self.client.smembers(self.keys.executions(dead)))
            listed = sorted({member.decode().partition(":")[0] for member in members})
        death = Death(dead, "killed", tuple(listed)) if dead else None
        call = self.calls.recover(CRASHES, -1.0, death)
        got = self.calls.recovered(run(self.client, call))
        looked = self.world.recover(dead, listed)
        ticketless = self.world.ticketless(before)
        assert list(got.queued) == looked.queued
        assert list(got.given_up) == looked.given_up
        assert list(got.woken) == looked.woken
        assert set(got.requeued) == ticketless, (
            f"requeued {got.requeued}, ticketless were {ticketless}"
        )
        assert not got.corrupt, f"corrupt: {got.corrupt}"
        now = self.tickets()
        assert set(now) == {*before, *ticketless, *(run_id for run_id, _ in self.world.requeued)}
        assert len(now) == len(before) + len(self.world.requeued) + len(ticketless)
        self.world.requeued = []
        for what in ("queued", "given_up", "requeued", "woken"):
            COVERED["report_death" if dead else "recover", what] += len(getattr(got, what))
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
            found_of_it = {name: fields.get(name, DEFAULTS.get(name)) for name in told}
            for name in ("deaths", "lonely"):
                assert int(fields.get(name, 0)) == expected.deaths, f"{name} of run {run_id}"
            assert ("isolated" in fields) == expected.isolated or expected.status != "running"
            assert found_of_it == told, f"run {run_id} is {found_of_it}, not {told}"
            self._check_rest(run_id, now)
        threads = [fields for key, fields in now.hashes.items() if ":thread:" in key]
        assert [fields.get("run", b"").decode() for fields in threads] == [self.world.active]
        assert [int(fields["head"]) for fields in threads] == [self.world.head]

    def _check_rest(self, run_id: str, now: Snapshot) -> None:
        expected = self.world.runs[run_id]
        recorded = {name: text.decode() for name, text in now.checkpoints(run_id).items()}
        recorded.pop("input")
        assert recorded == expected.recorded, f"run {run_id} has recorded {recorded}"
        asked = now.hashes.get(self.keys.questions(run_id), {})
        if expected.status in ("running", "suspended"):
            assert asked.keys() == expected.questions.keys(), f"run {run_id} asks {asked}"
        if expected.status == "suspended":
            fields = now.runs()[run_id]
            assert fields["asks"] == str(int(bool(asked))), f"run {run_id} says it asks: {fields}"
            assert bool(fields["wakes"]) == expected.timed, f"run {run_id} is to wake: {fields}"
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
                self.let_go(run_id)
                self.let_be_due(run_id)
                if ran.status == "suspended" and ran.questions:
                    self.resume(run_id, dict.fromkeys(ran.questions, '"A"'))
            self.recover()
            self.take("healer", 10)
            for held in [held for held in self.held if self.world.owns(held)]:
                self.finish(held, "completed", again=True)
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
