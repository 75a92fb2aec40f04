"""Does a workflow survive a crash after any of its steps? Finds out by crashing it."""

from __future__ import annotations

__all__ = ["crash_after_each_step"]

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.publisher.event import parse
from penstock.publisher.redis.script import Argument, Call
from penstock.publisher.stored import event_of
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import LeaseLostError, RunFailedError
from penstock.runtime.func.task import Task
from penstock.runtime.redis.journal.journal import RedisJournal
from penstock.runtime.redis.journal.sender import Outbox, Sender
from penstock.runtime.testing.worker import InMemoryWorker
from penstock.runtime.types.interrupt import Interrupt
from penstock.runtime.types.run import RunStatus
from penstock.runtime.workflow.entrypoint import AnyEntrypoint

Answer = Callable[[Interrupt], Any]

DAY: Final = 24 * 3600.0
"""Seconds that pass where a run waits for a time."""

MOST_WAITS: Final = 1000


def crash_after_each_step(
    workflow: AnyEntrypoint,
    input: Any,
    *,
    answer: Answer | None = None,
    context: Any = None,
    tasks: Iterable[Task[..., Any]] = (),
) -> Any:
    """Run a workflow once without a crash, then once for each of its steps with a crash after it.

    Each run has to end as the first one did, with each step recorded once. Interrupts are
    answered by `answer(interrupt)`; `tasks` are those with a queue of their own. Returns the
    result.

    Raises:
        AssertionError: a crash changed the result of the run, or had a step recorded twice.
        RunFailedError: the first run failed, and so did the others.
    """
    trial = _Trial(workflow, input, answer, context, tuple(tasks))
    expected, steps = trial.run(None)
    for number in range(1, sum(steps.values()) + 1):
        found, recorded = trial.run(number)
        where = f"after a crash behind recorded step {number} of {workflow.name!r}"
        _check_end(found, expected, where)
        twice = [name for name, times in recorded.items() if times > 1]
        assert not twice, f"{where} these steps are recorded more than once: {twice}"
        if expected.error is None:
            assert recorded == steps, f"{where} it took the steps {recorded}, not {steps}"
    if expected.error is not None:
        raise expected.error
    return expected.value


def _check_end(found: _End, expected: _End, where: str) -> None:
    """Hold the end of a run against that of the undisturbed one.

    Where several steps fail side by side, either error may come first, and how many of the others
    are recorded by then is chance: so the undisturbed one's own error is what there is to be said.
    """
    if found == expected:
        return
    if expected.error is not None and found.error is not None:
        expected.error.add_note(f"{where} it failed with {found.reason}")
        return
    raise AssertionError(f"{where} it ended with {found}, not with {expected}") from (
        found.error or expected.error
    )


@dataclass(frozen=True, slots=True)
class _End:
    value: Any = None
    reason: str = ""
    error: RunFailedError | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _End) and (self.value, self.reason) == (other.value, other.reason)

    def __repr__(self) -> str:
        return f"error {self.reason}" if self.reason else f"result {self.value!r}"


@dataclass(frozen=True, slots=True)
class _Trial:
    workflow: AnyEntrypoint
    input: Any
    answer: Answer | None
    context: Any
    tasks: Sequence[Task[..., Any]]

    def run(self, crash: int | None) -> tuple[_End, Counter[str]]:
        """Run to the end, with a crash after so many steps; returns what came and was recorded."""
        with InMemoryWorker([self.workflow], tasks=self.tasks) as worker:
            handle = worker.client.enqueue(
                self.workflow, self.input, context=self.context, durability="sync"
            )
            if crash is not None:
                worker.work(lambda _: Mortal(worker, handle.run_id, crash))
                worker.advance(worker.settings.lease)
            self._finish(worker, handle)
            return _end(handle), Counter(recorded_steps(worker, handle.run_id))

    def _finish(self, worker: InMemoryWorker, handle: RunHandle) -> None:
        worker.work()
        for _ in range(MOST_WAITS):
            info = handle.info()
            if info.status is not RunStatus.SUSPENDED:
                return
            if info.asks and self.answer is not None:
                asked = worker.client.do(worker.client.plans.interrupts(handle.run_id))
                handle.resume({question.id: self.answer(question) for question in asked})
                worker.work()
            elif info.wakes_at is not None:
                worker.advance(DAY)
            else:
                raise AssertionError(
                    f"{self.workflow.name!r} waits for an answer: give "
                    "crash_after_each_step(..., answer=lambda interrupt: ...)."
                )


class Mortal(Sender):
    """Dies when a run has recorded so many steps: nothing it would still write gets to Redis."""

    def __init__(self, worker: InMemoryWorker, run_id: str, steps: int) -> None:
        super().__init__(worker.connection)
        self._worker = worker
        self._run_id = run_id
        self._steps = steps
        self._is_dead = False

    def ask(self, request: Call | tuple[Argument, ...], check: Callable[[], None]) -> Any:
        if self._is_dead:
            raise LeaseLostError("the process crashed, as it was to")
        return super().ask(request, check)

    def _send(self, outboxes: Sequence[Outbox], calls: Sequence[Call]) -> bool:
        if not self._is_dead:
            taken = super()._send(outboxes, calls)
            self._is_dead = len(recorded_steps(self._worker, self._run_id)) >= self._steps
            if not self._is_dead:
                return taken
        for outbox in outboxes:
            if isinstance(outbox, RedisJournal):
                outbox.fail(LeaseLostError("the process crashed, as it was to"))
        return True


def _end(handle: RunHandle) -> _End:
    try:
        return _End(value=handle.result(0))
    except RunFailedError as error:
        return _End(reason=handle.info().reason, error=error)


def recorded_steps(worker: InMemoryWorker, run_id: str) -> list[str]:
    """Name the steps that a run has recorded, in that order."""
    items = worker.connection.lrange(worker.client.plans.keys.events(run_id), 0, -1)
    facts = [parse(text, seq, run_id) for seq, text in map(event_of, items)]
    return [
        fact["data"]["id"]
        for fact in facts
        if fact["mode"] == "step.finished" and fact["data"].get("recorded", True)
    ]
