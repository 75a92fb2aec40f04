"""What a run that is not over waits for: a worker, its turn, an answer, a time."""

from __future__ import annotations

__all__ = ["Waiting", "read_waiting"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from penstock.publisher.errors import RedisRightsError
from penstock.runtime.diagnostics.duration import duration
from penstock.runtime.diagnostics.steps import remote_steps
from penstock.runtime.journal.checkpoint_names import TIMER
from penstock.runtime.redis.keys import Keys, thread_key
from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.redis.world import World
from penstock.runtime.types.code_name import describe
from penstock.runtime.types.interrupt import Interrupt
from penstock.runtime.types.moment import moment_of
from penstock.runtime.types.run import Run, RunStatus

LOOK: Final = timedelta(hours=1)
"""How long after its suspension a run checks its steps elsewhere: LOOK of suspend.lua."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a run waits for, as a sentence, and the command that lets it go on, if there is one."""

    waits_for: str = ""
    fix: str = ""
    questions: Sequence[Interrupt] = ()
    label: str = "waits for"


def read_waiting(plans: RequestPlans, run: Run) -> Plan[Waiting]:
    """Read what a run waits for; nothing if it is over.

    If the Redis user may not read it, the sentence says so.
    """
    try:
        return (yield from _read(plans, run))
    except RedisRightsError:
        return Waiting("something that this Redis user may not read")


def _read(plans: RequestPlans, run: Run) -> Plan[Waiting]:
    if run.status is RunStatus.QUEUED:
        return (yield from _queued(plans.keys, run))
    if run.status is RunStatus.RUNNING:
        questions = yield from plans.interrupts(run.run_id)
        return replace((yield from _running(plans.keys, run)), questions=questions)
    if run.status is RunStatus.SUSPENDED:
        return (yield from _suspended(plans, run))
    return Waiting()


def _queued(keys: Keys, run: Run) -> Plan[Waiting]:
    thread = thread_key(run.thread_id)
    leader = yield ("HGET", keys.thread(thread), "run")
    if leader is not None and leader.decode() != run.run_id:
        place = yield ("LPOS", keys.waiting(thread), run.run_id)
        nth = "" if place is None else f", {_nth(place + 1)} in line"
        return Waiting(f"its turn on thread {run.thread_id!r}, behind run {leader.decode()}{nth}")
    if not run.queue:
        return Waiting(
            "the process that invoked it, which has ended",
            "send new input to its thread: that closes the run",
        )
    found = yield from _on_queue(keys, run)
    return found if found.fix else (yield from _with_code(keys, run, found))


def _on_queue(keys: Keys, run: Run) -> Plan[Waiting]:
    wanted, reserved = yield ("HMGET", keys.run(run.run_id), "parked", "reserved")
    if reserved is not None and float(reserved) > (yield from _now(keys)):
        return Waiting("the worker that will execute it alone, because its workers have died")
    if wanted is not None:
        return Waiting(
            f"a worker that has {describe(wanted.decode())}, on queue {run.queue!r}",
            f"penstock worker <the file that defines it> -q {run.queue}",
        )
    place = yield ("LPOS", keys.queue(run.queue), World(keys.prefix).job(run.run_id))
    if place is None:
        return Waiting(
            f"a new ticket on queue {run.queue!r}, from any live worker: its own is lost",
            "penstock doctor --fix",
        )
    length = yield ("LLEN", keys.queue(run.queue))
    waits_for = f"a worker: {_nth(place + 1)} of {length} on queue {run.queue!r}"
    try:
        return (yield from _worker_for(keys, run, waits_for))
    except RedisRightsError:
        return Waiting(f"{waits_for}; not allowed to read which workers serve it")


def _worker_for(keys: Keys, run: Run, waits_for: str) -> Plan[Waiting]:
    paused = yield ("EXISTS", keys.suspended)
    if paused:
        return Waiting(f"{waits_for}; all workers pause", "rq resume")
    workers = yield ("SMEMBERS", keys.workers_of(run.queue))
    alive = (yield ("EXISTS", *(name.decode() for name in workers))) if workers else 0
    if not alive:
        return Waiting(
            f"{waits_for}; no worker listens there", f"penstock worker flows.py -q {run.queue}"
        )
    return Waiting(waits_for)


def _with_code(keys: Keys, run: Run, found: Waiting) -> Plan[Waiting]:
    """Add that no worker has the code of the run, if nothing else keeps it from being taken."""
    announced = yield ("ZSCORE", keys.entrypoints, run.entrypoint)
    now = yield from _now(keys)
    if announced is not None and announced >= now:
        return found
    return Waiting(
        f"{found.waits_for}; no live worker has entrypoint {run.entrypoint!r}",
        f"penstock worker <the file that defines it> -q {run.queue}",
    )


def _running(keys: Keys, run: Run) -> Plan[Waiting]:
    ends = yield ("ZSCORE", keys.leases, run.run_id)
    now = yield from _now(keys)
    who = f"worker {run.worker}" if run.worker else "the process that invoked it"
    if ends is None or ends >= now:
        left = "" if ends is None else f", lease for {duration((ends - now) / 1000)} more"
        return Waiting(f"{who}{left}", label="at work")
    late = duration((now - ends) / 1000)
    return Waiting(
        f"another worker: {who} let its lease end {late} ago",
        "penstock worker flows.py, or penstock doctor --fix",
    )


def _suspended(plans: RequestPlans, run: Run) -> Plan[Waiting]:
    """Describe everything that a run waits for: answers, steps elsewhere, a time."""
    questions = yield from plans.interrupts(run.run_id)
    steps = yield from remote_steps(plans, run.run_id)
    limits = yield from _limits(plans.keys, run, questions)
    parts: list[str] = []
    fix = ""
    if questions:
        parts.append((yield from _answers(plans.keys, questions, limits)))
    if steps:
        away = yield from _away(plans.keys, steps)
        parts.append(away.waits_for)
        fix = away.fix
    looks = bool(steps) and (yield from _looks(plans.keys, run))
    if run.wakes_at is not None and run.wakes_at not in limits and not looks:
        left = yield from _until(plans.keys, run.wakes_at)
        parts.append(f"its timer: it goes on in {left}")
    return Waiting("; and for ".join(parts) or "something unknown", fix, questions)


def _limits(keys: Keys, run: Run, questions: Sequence[Interrupt]) -> Plan[list[datetime]]:
    """Read the times at which questions are over, of those that have one."""
    if not questions:
        return []
    names = [f"{TIMER}{question.id}" for question in questions]
    limits = yield ("HMGET", keys.checkpoints(run.run_id), *names)
    return sorted(moment_of(limit) for limit in limits if limit is not None)


def _answers(keys: Keys, questions: Sequence[Interrupt], limits: Sequence[datetime]) -> Plan[str]:
    parts = "an answer" if len(questions) == 1 else f"answers to {len(questions)} questions"
    if not limits:
        return parts
    which = "" if len(limits) == len(questions) else "to one of them "
    return f"{parts}, {which}at most {yield from _until(keys, limits[0])} more"


def _looks(keys: Keys, run: Run) -> Plan[bool]:
    """Return whether a run wakes only to check its steps elsewhere."""
    updated = yield ("HGET", keys.run(run.run_id), "updated")
    return updated is not None and moment_of(updated) + LOOK == run.wakes_at


def _away(keys: Keys, steps: Mapping[str, Run]) -> Plan[Waiting]:
    """Describe what remote steps wait for: the first of them, and how many more there are."""
    step_id, run = next(iter(steps.items()))
    parts, fix = "it goes on by itself", ""
    if run.status is RunStatus.QUEUED:
        found = yield from _on_queue(keys, run)
        parts, fix = found.waits_for, found.fix
    elif run.status is RunStatus.RUNNING:
        found = yield from _running(keys, run)
        parts, fix = f"{found.waits_for} executes it", found.fix
    count = len(steps) - 1
    more = f"; and for {count} more step{'s' * (count > 1)}" if count else ""
    return Waiting(f"step {step_id}, on queue {run.queue!r}: {parts}{more}", fix)


def _until(keys: Keys, moment: datetime) -> Plan[str]:
    now = yield from _now(keys)
    return duration(max(0.0, moment.timestamp() - now / 1000))


def _now(keys: Keys) -> Plan[float]:
    clock: Any = yield ("TIME",)
    seconds, microseconds = clock
    return float(seconds * 1000 + microseconds / 1000)


def _nth(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
