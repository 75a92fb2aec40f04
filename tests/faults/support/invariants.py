"""The invariants of the protocol, held against what Redis and the subscribers really have.

I1   a fence is never issued twice; one attempt at a time owns a run
I2   a stale attempt changes nothing: attempts never go back within a log
I3   what is recorded of a step never changes, and each step is recorded once
I4   nothing of a run changes after its end; one terminal event, the last
I5   events are numbered without gaps
I6   indexes say what the runs say
I7   no run waits for an answer that is there, or after it was cancelled
I14  one running run a thread; those that wait for it are queued
I15  a subscriber has seen exactly what is stored, in order
I21  no key of an open run expires; all keys of one that is over do
I22  what is said again was taken back before, and nothing else was
I23  the checkpoints of a thread have no gaps, the last is its head, and the run it is at has one
I24  a remote step is performed by one run, which its home expects; none waits for nobody
I34  no run fails for code that its worker lacks; pinned ones are executed by their version alone
I35  each run is found by each of its facets, once
I36  a failed run is resumed once, whoever resumes it
I37  the feed tells of each change of a run once, in order
I38  what is to be delivered to a webhook waits, is due, and is sent by somebody
I40  nothing is kept of a run for a feature that it does not use
RQ   RQ's registries name what is being executed, and nothing else
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import redis

from penstock.publisher.event import Event
from tests.faults.support.fed import fed_wrongly
from tests.faults.support.hooked import hooked_wrongly
from tests.faults.support.listed import kept_for, listed_wrongly
from tests.faults.support.placed import placed_wrongly
from tests.faults.support.snapshot import Entry, Snapshot
from tests.faults.support.unused import used_unasked
from tests.faults.support.voids import left_standing, remote_steps, speaks_for

TERMINAL = frozenset({"completed", "failed", "cancelled"})
KINDS = ("run", "checkpoints", "questions", "remote", "events", "legs")

Run = Mapping[str, str]


class Checker:
    """Checks one Redis again and again; remembers what it saw, for what must never change."""

    def __init__(self, client: redis.Redis, prefix: str = "penstock", rq: str = "rq") -> None:
        self._client = client
        self._prefix = prefix
        self._rq = rq
        self._past: Snapshot | None = None

    def check(self, *, over: bool = False) -> Snapshot:
        """Hold the server against the invariants; with `over`, all its runs have to be over.

        Raises:
            AssertionError: listing whatever is violated.
        """
        now = Snapshot.take(self._client, self._prefix, self._rq)
        broken = list(_violations(now))
        if self._past is not None:
            broken += _changes(self._past, now)
        if over:
            broken += [
                f"I9 run {run_id} is still {run['status']}"
                for run_id, run in now.runs().items()
                if run["status"] not in TERMINAL
            ]
        self._past = now
        assert not broken, "\n".join(broken)
        return now

    def check_seen(self, run_id: str, events: Sequence[Event], after: int = 0) -> None:
        """Hold what a subscriber of facts has seen from a cursor against what is stored."""
        stored = [entry for entry in self.check().events(run_id) if entry.seq > after]
        seen = [(event.seq, event.mode, event.attempt) for event in events]
        kept = [(entry.seq, entry.mode, entry.attempt) for entry in stored]
        assert seen == kept, f"I15 run {run_id}:\nseen   {seen}\nstored {kept}"


def _violations(now: Snapshot) -> Iterator[str]:
    running: Counter[str] = Counter()
    for run_id, run in now.runs().items():
        running[run["thread_key"]] += run["status"] == "running"
        yield from _log(run_id, run, now.events(run_id))
        yield from _indexes(run_id, run, now)
        yield from _wake_up(run_id, run, now)
        yield from _retention(run_id, run, now)
        yield from left_standing(run_id, run, now.events(run_id))
    yield from (
        f"I14 {count} runs at once on thread {key}" for key, count in running.items() if count > 1
    )
    for run_id, run in now.remotes().items():
        yield from _remote(run_id, run, now)
    yield from _strangers(now)
    yield from _registries(now)
    yield from _parked(now)
    yield from _histories(now)
    yield from listed_wrongly(now)
    yield from fed_wrongly(now)
    yield from hooked_wrongly(now)
    yield from placed_wrongly(now)
    yield from used_unasked(now)


def _log(run_id: str, run: Run, log: Sequence[Entry]) -> Iterator[str]:
    seqs = [entry.seq for entry in log]
    first = seqs[0] if seqs else 1
    if seqs != list(range(first, first + len(seqs))):
        yield f"I5 run {run_id}: seqs {seqs}"
    yield from _count(run_id, run, seqs)
    if not seqs or (first != 1 and run.get("keep", "0") == "0"):
        yield f"I5 run {run_id}: its log begins at {seqs[:1]}"
    remote = set(remote_steps(log))  # whose attempts are their own
    attempts = [
        entry.attempt
        for entry in log
        if entry.mode not in ("run.queued", "run.resumed") and not speaks_for(entry, remote)
    ]
    if run["status"] in TERMINAL and log and log[-1].attempt == 1:
        attempts.pop()  # written by a script, not by an attempt
    if attempts != sorted(attempts):
        yield f"I2 run {run_id}: attempts go back: {attempts}"
    yield from _recorded_twice(run_id, log)
    yield from _resumed_twice(run_id, log)
    ends = [entry.seq for entry in log if entry.mode == "run.finished"]
    resumed = [entry.seq for entry in log if entry.mode == "run.resumed"]
    ends = [seq for seq in ends if not resumed or seq > resumed[-1]]
    if run["status"] in TERMINAL and ends != seqs[-1:]:
        yield f"I4 run {run_id} is {run['status']}, terminal events {ends} of {seqs[-1:]}"
    elif run["status"] in TERMINAL and log[-1].tree["data"]["status"] != run["status"]:
        yield f"I4 run {run_id} is {run['status']}, its last event says {log[-1].tree['data']}"
    elif run["status"] not in TERMINAL and ends:
        yield f"I4 run {run_id} is {run['status']} after its end"


def _count(run_id: str, run: Run, seqs: Sequence[int]) -> Iterator[str]:
    if seqs and run["seq"] != str(seqs[-1]):
        yield f"I5 run {run_id}: its newest event is {seqs[-1]}, its hash says {run['seq']}"


def _recorded_twice(run_id: str, log: Sequence[Entry]) -> Iterator[str]:
    done: Counter[str] = Counter()
    for entry in log:
        if entry.mode == "run.resumed":  # what has failed may be done again
            done.clear()
        elif entry.mode == "step.finished":
            done[entry.tree["data"]["id"]] += 1
    for name, times in done.items():
        if times > 1:
            yield f"I3 run {run_id}: step {name} recorded {times} times"


def _resumed_twice(run_id: str, log: Sequence[Entry]) -> Iterator[str]:
    before = ""
    for entry in log:
        if entry.mode == "run.resumed" and not entry.tree["data"].get("interrupts", True):
            if before == "run.resumed":
                yield f"I36 run {run_id} was resumed twice after one failure"
        before = entry.mode


def _indexes(run_id: str, run: Run, now: Snapshot) -> Iterator[str]:
    status = run["status"]
    waits = run_id in now.waiting(run["thread_key"])
    expected = {
        "leases": status == "running",
        "ready": status == "queued",
        "timers": status == "suspended" and bool(run.get("wakes")) and run["queue"] != "",
    }
    for name, should in expected.items():
        if (run_id in now.index(name)) != should:
            yield f"I6 run {run_id} is {status}, {'not ' if should else ''}in {name}"
    if waits and status != "queued":
        yield f"I14 run {run_id} is {status} and waits for its turn"
    if "parked" in run and status != "queued":
        yield f"I6 run {run_id} is {status}, and parked"
    if status not in TERMINAL and (status == "running") != ("worker" in run):
        yield f"I6 run {run_id} is {status}, its worker {run.get('worker')!r}"


def _wake_up(run_id: str, run: Run, now: Snapshot) -> Iterator[str]:
    questions = now.hashes.get(f"{now.prefix}:questions:{run_id}", {})
    if run["status"] != "suspended":
        return
    timed = run_id in now.index("timers")
    if not questions and not timed:
        yield f"I7 run {run_id} waits for nothing"
    if (run.get("asks") == "1") != bool(questions):
        yield f"I7 run {run_id} says asks={run.get('asks')}, its questions are {list(questions)}"
    if "cancel" in run:
        yield f"I7 run {run_id} waits though it was cancelled"
    answered = [name for name in questions if f"!{name}" in now.checkpoints(run_id)]
    if answered:
        yield f"I7 run {run_id} waits for answers that are there: {answered}"
    left = [each.tree["data"] for each in now.events(run_id) if each.mode == "run.suspended"]
    awaited = left[-1].get("steps", ()) if left and not questions else ()
    away = now.remote(run_id)
    if awaited and not any(away.get(step, "!") in now.remotes() for step in awaited):
        yield f"I24 run {run_id} waits for {awaited}, under way are {away}"


def _remote(run_id: str, run: Run, now: Snapshot) -> Iterator[str]:
    status = run["status"]
    for name, should in {"leases": status == "running", "ready": status == "queued"}.items():
        if (run_id in now.index(name)) != should:
            yield f"I6 remote run {run_id} is {status}, {'not ' if should else ''}in {name}"
    home = now.runs().get(run["home"], {"status": "gone"})
    expected = now.remote(run["home"]).get(run["home_step"]) == run_id
    if status in TERMINAL and expected:
        yield f"I24 remote run {run_id} is {status}, and expected by run {run['home']}"
    if status in ("queued", "suspended") and home["status"] in TERMINAL:
        yield f"I24 remote run {run_id} is {status}, its home is {home['status']}"
    ttl = now.ttls[f"{now.prefix}:run:{run_id}"]
    if (status in TERMINAL) != (ttl != -1):
        yield f"I21 remote run {run_id} is {status}, its TTL is {ttl} ms"


def _retention(run_id: str, run: Run, now: Snapshot) -> Iterator[str]:
    for kind in KINDS:
        ttl = now.ttls.get(f"{now.prefix}:{kind}:{run_id}")
        if ttl is None:
            continue
        if run["status"] in TERMINAL and not 0 <= ttl <= kept_for(run):
            yield f"I21 run {run_id} is {run['status']}, TTL of its {kind} is {ttl} ms"
        if run["status"] not in TERMINAL and ttl != -1:
            yield f"I21 run {run_id} is {run['status']}, its {kind} expires in {ttl} ms"
    thread = now.ttls.get(f"{now.prefix}:thread:{run['thread_key']}", -1)
    if run["status"] not in TERMINAL and thread != -1:
        yield f"I21 run {run_id} is {run['status']}, its thread expires in {thread} ms"


def _strangers(now: Snapshot) -> Iterator[str]:
    runs = now.runs()
    performing = now.remotes()
    for name in ("leases", "ready", "timers"):
        strange = [each for each in now.index(name) if each not in runs and each not in performing]
        yield from (f"I6 no run {each}, in {name}" for each in strange)
    for kind in KINDS[1:]:
        start = f"{now.prefix}:{kind}:"
        orphans = [
            key for key in now.ttls if key.startswith(start) and key.removeprefix(start) not in runs
        ]
        yield from (
            f"I21 {key} belongs to no run and stays" for key in orphans if now.ttls[key] == -1
        )


def _parked(now: Snapshot) -> Iterator[str]:
    """Name what is parked and does not know of it: it would be looked for on its queue."""
    runs = {**now.runs(), **now.remotes()}
    start = f"{now.prefix}:parked:"
    for key, members in now.scores.items():
        if key.startswith(start):
            _, _, name = key.removeprefix(start).partition(":")
            strange = [each for each in members if runs.get(each, {}).get("parked") != name]
            yield from (f"I6 run {each} is parked for want of {name}, unasked" for each in strange)


def _registries(now: Snapshot) -> Iterator[str]:
    running = {
        f"{run_id}:{run['fence']}"
        for run_id, run in {**now.runs(), **now.remotes()}.items()
        if run["status"] == "running" and run.get("worker") and run["queue"]
    }
    listed: set[str] = set()
    for key, members in now.scores.items():
        if key.startswith(f"{now.rq}:wip:"):
            listed |= {each for each in members if members[each] == float("inf")}
    if listed != running:
        yield f"RQ's list of begun jobs has {sorted(listed)}, running are {sorted(running)}"


def _histories(now: Snapshot) -> Iterator[str]:
    threads = now.threads()
    for name, numbers in now.histories.items():
        head = int(threads.get(name, {}).get("head", 0))
        if numbers != list(range(numbers[0], head + 1)):
            yield f"I23 thread {name} is at checkpoint {head} and has {numbers}"
        ttls = [now.ttls[f"{now.prefix}:{kind}:{name}"] for kind in ("history", "thread")]
        if (ttls[0] == -1) != (ttls[1] == -1):  # they are read one after the other
            yield f"I23 the TTLs of thread {name} and its history are {ttls} ms"
    for name, fields in threads.items():
        run = now.runs().get(fields.get("run", ""))
        if "head" not in fields or name not in now.histories:
            yield f"I23 thread {name} has no history"
        elif (
            run is not None
            and run["status"] not in TERMINAL
            and run["checkpoint"] != fields["head"]
        ):
            yield f"I23 thread {name} is at {fields['head']}, its run at {run['checkpoint']}"


def _changes(past: Snapshot, now: Snapshot) -> Iterable[str]:
    before, after = past.runs(), now.runs()
    for run_id in before.keys() & after.keys():
        old, new = before[run_id], after[run_id]
        if int(new.get("epoch", 0)) < int(old.get("epoch", 0)):
            yield f"I1 run {run_id}: epoch {old['epoch']} became {new.get('epoch')}"
        if old.get("epoch") == new.get("epoch") and old.get("fence") != new.get("fence"):
            yield f"I1 run {run_id}: two fences of one epoch: {old['fence']}, {new['fence']}"
        resumed = any(entry.mode == "run.resumed" for entry in now.events(run_id))
        if old["status"] in TERMINAL and not resumed:
            if old != new:
                yield f"I4 run {run_id} changed after its end: {old} became {new}"
            if past.events(run_id) != now.events(run_id):
                yield f"I4 the log of run {run_id} changed after its end"
        yield from _rewritten(run_id, past, now)


def _rewritten(run_id: str, past: Snapshot, now: Snapshot) -> Iterator[str]:
    old, new = past.checkpoints(run_id), now.checkpoints(run_id)
    for name in old.keys() & new.keys():
        if old[name] != new[name] and name not in ("result", "saved"):
            yield f"I3 run {run_id}: {name} was {old[name]!r}, is {new[name]!r}"
    log = past.events(run_id)
    if now.events(run_id)[: len(log)] != log and now.events(run_id)[:1] == log[:1]:
        yield f"I5 the log of run {run_id} was rewritten"
