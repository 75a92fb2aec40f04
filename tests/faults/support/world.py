"""The run protocol in plain Python: what each script has to answer, and what it has to leave.

One thread and its runs. Written from the invariants, not from the scripts: where the two differ,
one of them is wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

CRASHES: Final = 2
"""Deaths after which a run is given up that records no step between; 4 times as many if it does."""


@dataclass(slots=True)
class Ran:
    """A run as it should be."""

    run_id: str
    status: str = "queued"
    epoch: int = 0
    fence: str = ""
    worker: str | None = None
    attempt: int = 1
    dead: list[str] = field(default_factory=list[str])
    """The fences of its attempts whose processes count as dead, since it was opened."""
    got_on: int = 0
    """How many of these there were when a step was recorded last."""
    isolated: bool = False
    """Whether it is by itself in its process, to show whether it kills that."""
    reserved: bool = False
    """Whether a worker keeps it back until it can be by itself."""
    lapses: set[str] = field(default_factory=set[str])
    """Fences whose leases ended without anybody knowing that their process died."""
    forgone: str = ""
    """A fence that its owner has given up, alive."""
    requeued: bool = False
    """Whether somebody has put its ticket back with RQ's tools."""
    batch: int = 0
    cancel: str | None = None
    expired: bool = False
    timed: bool = False
    """Whether it goes on by itself, at a time."""
    due: bool = False
    """Whether that time has come."""
    recorded: dict[str, str] = field(default_factory=dict[str, str])
    questions: dict[str, str] = field(default_factory=dict[str, str])
    log: list[str] = field(default_factory=list[str])

    @property
    def deaths(self) -> int:
        return len(self.dead)

    @property
    def crashes(self) -> int:
        """Deaths without a recorded step after them."""
        return len(self.dead) - self.got_on

    @property
    def suspect(self) -> bool:
        return self.crashes >= max(1, CRASHES - 1) or self.deaths >= 2 * CRASHES

    @property
    def at_work(self) -> bool:
        """Whether it keeps its thread: also where it sleeps, as it asks nobody anything."""
        sleeps = self.status == "suspended" and not self.questions
        return sleeps or self.status in ("queued", "running")

    @property
    def over(self) -> bool:
        return self.status in ("completed", "failed", "cancelled")


@dataclass(slots=True)
class Held:
    """What a worker believes to own, and how far it is in writing."""

    run_id: str
    fence: str
    worker: str
    attempt: int
    known: dict[str, str]
    number: int = 0

    def next_step(self) -> str:
        return f"step:{sum(name.startswith('step:') for name in self.known)}"


@dataclass(frozen=True, slots=True)
class Change:
    """One write of an attempt: its number, what it records, the tags of its events."""

    number: int
    recorded: Mapping[str, str]
    tags: tuple[str, ...]


@dataclass(slots=True)
class Looked:
    """What a recovery is to report."""

    queued: list[str] = field(default_factory=list[str])
    given_up: list[str] = field(default_factory=list[str])
    cancelled: list[str] = field(default_factory=list[str])
    woken: list[str] = field(default_factory=list[str])


class World:
    """The thread's runs; each method is an operation and returns its answer."""

    def __init__(self) -> None:
        self.runs: dict[str, Ran] = {}
        self.waiting: list[str] = []
        self.active = ""
        self.head = 0
        """How many checkpoints the thread has had."""
        self.updates: set[str] = set()
        self.requeued: list[tuple[str, bool]] = []
        """Which runs got a ticket since it was emptied, and whether at the queue's front."""

    # -- clients --------------------------------------------------------------------------------

    def enqueue(self, run_id: str, on_busy: str) -> str:
        if run_id in self.runs:
            return "exists"
        active = self.runs.get(self.active)
        busy = active is not None and active.at_work
        if busy and on_busy == "reject":
            return "busy"
        new = self.runs[run_id] = Ran(run_id, log=["run.queued"])
        if active is not None and busy:
            self.waiting.append(run_id)
            self._interrupt(active, on_busy)
            return "created"
        self._begin(run_id)
        if active is not None and active.status == "suspended":
            self._end_here(active)
        self._ring(new)
        return "created"

    def _interrupt(self, active: Ran, on_busy: str) -> None:
        if on_busy in ("interrupt", "rollback"):
            active.cancel = on_busy if on_busy == "rollback" else active.cancel or on_busy
            if active.status != "running":
                self._end_here(active)

    def cancel(self, run_id: str, reason: str) -> str:
        run = self.runs[run_id]
        if run.status == "running":
            run.cancel = run.cancel or reason
        elif not run.over:
            self._end_here(run)
        return run.status

    def resume(self, run_id: str, epoch: int, answers: Mapping[str, str]) -> str:
        run = self.runs[run_id]
        word = self._refuse(run, answers) if answers else self._refuse_retry(run, epoch)
        if not word and self.active != run_id:
            word = "moved"
        if word:
            return word
        for name, answer in answers.items():
            run.recorded[f"!{name}"] = answer
            run.questions.pop(name, None)
        if run.status == "running":
            run.log.append("run.resumed")
            return "queued"
        self._reopen(run)
        if run.status != "queued":
            self._queue(run)
        return "queued"

    @staticmethod
    def _reopen(run: Ran) -> None:
        run.log.append("run.resumed")
        run.cancel, run.dead, run.got_on, run.requeued = None, [], 0, False
        run.worker = None

    def requeue(self, run_id: str) -> None:
        self.runs[run_id].requeued = self.runs[run_id].status == "failed"

    def _refuse(self, run: Ran, answers: Mapping[str, str]) -> str:
        given = {name: run.recorded.get(f"!{name}") for name in answers}
        for name, answer in answers.items():
            if given[name] not in (None, answer):
                return "answered"
            if given[name] is None and name not in run.questions:
                return "unknown" if run.status in ("suspended", "queued") else run.status
        if None not in given.values():
            return "queued"  # the same answers again change nothing
        return "" if run.status in ("suspended", "queued", "running") else run.status

    def _refuse_retry(self, run: Ran, epoch: int) -> str:
        if run.epoch != epoch:
            return "queued"  # it has gone on since
        return "" if run.status == "failed" else run.status

    def update(self, nonce: str, checkpoint: str) -> str:
        if nonce in self.updates:
            return "OK"
        active = self.runs.get(self.active)
        if active is not None and active.at_work:
            return "BUSY"
        self.updates.add(nonce)
        pending = active is not None and active.status in ("suspended", "failed")
        if active is not None and pending and checkpoint == str(self.head):
            if active.status == "failed":
                active.log.append("run.resumed")
            active.recorded |= {"result": '{"value":1}', "saved": "1"}
            self._end_here(active, "completed")
            return "OK"
        if active is not None and active.status == "suspended":
            self._end_here(active)
        self.active = ""
        self.head += 1
        return "OK"

    def wake(self, run_id: str) -> str:
        run = self.runs[run_id]
        if run.status == "suspended":
            self._queue(run)
        return run.status

    # -- workers --------------------------------------------------------------------------------

    def claim(self, run_id: str, nonce: str, worker: str) -> Held | None:
        run = self.runs.get(run_id)
        if run is None or run.status != "queued" or run_id in self.waiting:
            return None
        run.epoch += 1
        run.fence = f"{run.epoch}.{nonce}"
        run.status, run.worker, run.batch, run.expired = "running", worker, 0, False
        run.isolated = run.reserved = False
        return Held(run_id, run.fence, worker, run.attempt, dict(run.recorded))

    def take(
        self, ticket: str, nonce: str, worker: str, busy: int, *, alone: bool = False
    ) -> tuple[Held | None, bool]:
        """Claim the run of a popped ticket; also tell whether to go on with the next one."""
        run = self.runs.get(ticket)
        if run is not None and run.requeued:
            run.requeued = False
            if self.active == ticket and run.status == "failed":
                self._reopen(run)
                run.status = "queued"
        if run is None or run.status != "queued":
            return None, True
        if run.suspect and not alone:
            if run.reserved:
                return None, True
            if busy:
                run.reserved = True
                return None, False
        suspect = run.suspect
        held = self.claim(ticket, nonce, worker)
        run.isolated = suspect and held is not None
        return held, not run.isolated

    def owns(self, held: Held) -> bool:
        run = self.runs[held.run_id]
        return run.status == "running" and run.fence == held.fence

    def record(self, held: Held, change: Change) -> str:
        run = self.runs[held.run_id]
        if run.fence == held.fence and run.batch >= change.number:
            return "OK"
        if not self.owns(held) or run.batch != change.number - 1:
            return "FENCED"
        run.batch = change.number
        run.recorded |= change.recorded
        if change.recorded and run.crashes:
            run.got_on, run.isolated = run.deaths, run.isolated and run.deaths >= 2 * CRASHES
        run.log += change.tags
        return ""

    def ask(self, held: Held, change: Change, listed: Mapping[str, str | None]) -> str:
        answer = self.record(held, change)
        if answer:
            return answer
        run = self.runs[held.run_id]
        for name, text in listed.items():
            if text is None:
                run.questions.pop(name, None)
            elif f"!{name}" not in run.recorded:
                run.questions[name] = text
        return "OK"

    def suspend(self, held: Held, change: Change, questions: Mapping[str, str], timed: bool) -> str:
        answer = self.record(held, change)
        if answer:
            return answer
        run = self.runs[held.run_id]
        run.questions = {
            name: questions[name] for name in questions if f"!{name}" not in run.recorded
        }
        if run.cancel:
            self._end_here(run)
            return "CANCELLED"
        run.status, run.worker, run.timed = "suspended", None, timed
        if self.waiting and run.questions:
            self._end_here(run)
        elif len(run.questions) < len(questions):
            run.status = "queued"
            self._ring(run, front=True)
        return "OK"

    def finish(self, held: Held, change: Change, status: str) -> str:
        run = self.runs[held.run_id]
        if self.owns(held) and run.cancel == "rollback":
            run.batch = change.number  # sent again, it is told OK
            self._end_here(run)
            return "CANCELLED"
        answer = self.record(held, change)
        if not answer:
            self._end(run, status)
        return answer or "OK"

    def handover(self, held: Held, change: Change) -> str:
        answer = self.record(held, change)
        if answer:
            return answer
        run = self.runs[held.run_id]
        if run.cancel:
            self._end_here(run)
            return "CANCELLED"
        run.status, run.worker = "queued", None
        self._ring(run, front=True)
        return "OK"

    def renew(self, held: Held) -> str:
        run = self.runs[held.run_id]
        if not self.owns(held):
            return "LOST"
        run.expired = False
        return "CANCEL" if run.cancel else "OK"

    def forgo(self, held: Held) -> str:
        """Hear that the owner of a lease lives: it was no death, or will be none."""
        run = self.runs[held.run_id]
        if self.owns(held):
            run.forgone = held.fence
        elif held.fence in run.lapses and not run.over:
            run.lapses.remove(held.fence)
            if held.fence in run.dead:  # else it does not count any more
                at = run.dead.index(held.fence)
                run.got_on -= at < run.got_on
                del run.dead[at]
        return "OK"

    # -- recovery -------------------------------------------------------------------------------

    def recover(self, dead: str = "", listed: Iterable[str] = ()) -> Looked:
        looked = Looked()
        for run_id in listed:
            run = self.runs[run_id]
            if run.worker == dead and run.status == "running":
                self._expire(run, looked, is_known=True)
        for run in sorted(self.runs.values(), key=lambda run: run.run_id):
            if run.status == "running" and run.expired:
                self._expire(run, looked)
        for run in sorted(self.runs.values(), key=lambda run: run.run_id):
            if run.status == "suspended" and run.timed and run.due:
                self._queue(run, front=True)
                looked.woken.append(run.run_id)
        return looked

    def ticketless(self, tickets: Collection[str]) -> set[str]:
        """Return the runs that need a ticket, when those in the queue are these."""
        heard = {*tickets, *(run_id for run_id, _ in self.requeued)}
        ready = (run for run in self.runs.values() if run.status == "queued")
        ids = {run.run_id for run in ready if run.run_id not in self.waiting and not run.reserved}
        return ids - heard

    def _expire(self, run: Ran, looked: Looked, *, is_known: bool = False) -> None:
        run.expired = False
        if run.cancel:
            self._end_here(run)
            looked.cancelled.append(run.run_id)
            return
        if run.forgone != run.fence and self._dies(run, is_known):
            self._end_here(run, "failed")
            looked.given_up.append(run.run_id)
            return
        run.attempt += 1
        run.status, run.worker = "queued", None
        self._ring(run, front=True)
        looked.queued.append(run.run_id)

    @staticmethod
    def _dies(run: Ran, is_known: bool) -> bool:
        """Count a death, which is the run's own, as each is the only one at work."""
        run.dead.append(run.fence)
        if not is_known:
            run.lapses.add(run.fence)
        return run.crashes >= CRASHES or run.deaths >= 4 * CRASHES

    # -- ends -----------------------------------------------------------------------------------

    def _end_here(self, run: Ran, status: str = "cancelled") -> None:
        run.log.append(f"run.finished:{status}")
        self._end(run, status)

    def _begin(self, run_id: str) -> None:
        self.active = run_id
        self.head += 1

    def _end(self, run: Ran, status: str) -> None:
        self.head += status == "completed"
        if run.status == "running":
            run.questions = {}
        run.status, run.expired = status, False  # it keeps the name of its last worker
        run.timed = run.due = False
        if self.active != run.run_id:
            self.waiting = [other for other in self.waiting if other != run.run_id]
        elif self.waiting:
            self._begin(self.waiting.pop(0))
            self._ring(self.runs[self.active])

    def _queue(self, run: Ran, *, front: bool = False) -> None:
        run.status, run.timed, run.due = "queued", False, False
        self._ring(run, front=front)

    def _ring(self, run: Ran, *, front: bool = False) -> None:
        self.requeued.append((run.run_id, front))
