"""Questions of executing runs, and the answers and outcomes that arrive for their branches."""

from __future__ import annotations

__all__ = ["Arrivals"]

import asyncio
import contextvars
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import RedisError

from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.ending import asked_by
from penstock.runtime.journal.outcome import Outcome
from penstock.runtime.redis.journal.journal import RedisJournal
from penstock.runtime.redis.journal.sender import Sender
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.replies import Lease

logger = logging.getLogger(__name__)

CHECK_EVERY: Final = 0.25
"""Seconds between two checks of the open waits of the runs of this process."""

CHECKS: Final = 8
"""Checks after which a run's waits are looked up in Redis, in case a message was lost."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The answers and outcomes that Redis has for the waits of a run, by their names."""

    answers: Mapping[str, bytes]
    outcomes: Mapping[str, bytes]
    lost: Mapping[str, str]
    """`!<status> <reason>` of steps elsewhere that have no outcome."""


class _RunWaits:
    """The waits of one executing run: its listed questions, and the answers that came."""

    def __init__(self, attempt: Attempt, journal: RedisJournal) -> None:
        self.attempt = attempt
        self.journal = journal
        self.is_reading = False
        self.reads_again = False
        self._open: set[str] = set()
        """The questions that were open at the last check."""
        recorded = journal.fields()
        self._listed = {
            name[1:] for name in recorded if name[:1] == "?" and f"!{name[1:]}" not in recorded
        }
        self._awaited: set[str] = set()
        self._refused: set[str] = set()
        """Waits with an answer that does not fit, or the like: a later attempt sees to them."""
        self._checks = 0

    def list_questions(self) -> None:
        """List questions that were open at the last check too, and remove closed ones.

        Most runs that ask leave the process at once: they store their questions as they do.
        """
        questions = self.attempt.questions
        is_open = {each.id: each for each in questions.open}
        new = [
            each
            for name, each in is_open.items()
            if name in self._open and name not in self._listed
        ]
        closed = (self._listed & questions.reached) - is_open.keys()
        self._open = set(is_open)
        if new or closed:
            self.journal.ask(asked_by(self.attempt, new), closed)
            self._listed = (self._listed - closed) | {each.id for each in new}

    def is_due(self) -> bool:
        """Return whether to look up the run's waits: one is new, or it is time."""
        self._checks += 1
        awaited = {*self.awaited("question"), *self.awaited("step")}
        is_new = not awaited <= self._awaited
        self._awaited = awaited
        return bool(awaited) and (is_new or self._checks % CHECKS == 0)

    def awaited(self, kind: Any) -> list[str]:
        """Name the waits of a kind that can be over in this attempt."""
        waits = self.attempt.waits.of(kind)
        parked = self.attempt.parked
        names = (each.name for each in waits)
        return [name for name in names if name in parked and name not in self._refused]

    def take(self, found: _Found) -> None:
        """Let branches go on with the answers and outcomes that have come for them."""
        for name, text in found.answers.items():
            if self._is_awaited(name):
                self._answer(name, text)
        for name, text in found.outcomes.items():
            if self._is_awaited(name):
                self._take_outcome(name, text)
        for name, reply in found.lost.items():
            if self._is_awaited(name):
                self._resolve(name, reply)

    def _is_awaited(self, name: str) -> bool:
        parked = self.attempt.parked.get(name)
        return parked is not None and not parked.done() and not self.attempt.is_ending

    def _answer(self, name: str, text: bytes) -> None:
        self.journal.learn(f"!{name}", text)
        self._listed.discard(name)  # the script that took the answer has seen to it
        try:
            answer = self.attempt.questions.read(name, text)
        except Exception as error:  # it is raised where the code asks
            self.attempt.parked[name].set_exception(error)
            return
        if answer is None:
            self._refused.add(name)
        else:
            self._resolve(name, answer)

    def _take_outcome(self, name: str, text: bytes) -> None:
        replay = self.attempt.replay
        try:
            outcome = replay.read(name, text)
        except Exception:  # it is raised where a later attempt comes upon it
            logger.exception("the outcome of step %r cannot be read", name)
            self._refused.add(name)
            return
        replay.remember(name, outcome)
        self._resolve(name, outcome)

    def _resolve(self, name: str, value: tuple[Any] | Outcome | str) -> None:
        self.attempt.parked[name].set_result(value)


class Arrivals:
    """Lists the open questions of the runs of a process, and delivers what they wait for.

    All methods except `notify` are called on the loop of the runs. If a message is lost, the
    delivery comes two seconds later.
    """

    def __init__(self, keys: Keys, sender: Sender) -> None:
        self._keys = keys
        self._sender = sender
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runs: dict[Lease, _RunWaits] = {}
        self._reading: set[asyncio.Task[None]] = set()
        self._is_glancing = False

    def follow(self, attempt: Attempt, journal: RedisJournal) -> None:
        """Look after a run from now on."""
        self._loop = asyncio.get_running_loop()
        self._runs[journal.lease] = _RunWaits(attempt, journal)
        self._check_later()

    def forget(self, lease: Lease) -> None:
        """Look after a run no longer."""
        self._runs.pop(lease, None)

    def notify(self, run_id: str) -> None:
        """Look up what has come for a run, if it is one of this process; from any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nothing is at work any more
                self._loop.call_soon_threadsafe(
                    self._notified, run_id, context=contextvars.Context()
                )

    def _notified(self, run_id: str) -> None:
        for lease, run in self._runs.items():
            if lease.run_id == run_id:
                self._look_up(run)

    def _check_later(self) -> None:
        if self._runs and not self._is_glancing and self._loop is not None:
            self._is_glancing = True
            self._loop.call_later(CHECK_EVERY, self._check, context=contextvars.Context())

    def _check(self) -> None:
        self._is_glancing = False
        for run in tuple(self._runs.values()):
            if run.attempt.is_ending:
                continue
            try:
                run.list_questions()
                if run.is_due():
                    self._look_up(run)
            except Exception:  # one run's question that cannot be written is not to stop the others
                run_id = run.journal.lease.run_id
                logger.exception("the questions of run %s cannot be listed", run_id)
        self._check_later()

    def _look_up(self, run: _RunWaits) -> None:
        if run.is_reading:
            run.reads_again = True
            return
        run.is_reading = True
        task = asyncio.get_running_loop().create_task(
            self._bring(run), context=contextvars.Context()
        )
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _bring(self, run: _RunWaits) -> None:
        try:
            while True:
                run.reads_again = False
                questions, steps = run.awaited("question"), run.awaited("step")
                if questions or steps:
                    lease = run.journal.lease
                    run.take(await asyncio.to_thread(self._find, lease, questions, steps))
                if not run.reads_again:
                    return
        except (RedisError, OSError) as error:
            logger.warning("the answers to open waits cannot be read, trying again: %s", error)
        except Exception:  # nobody awaits this task; the next look asks again
            logger.exception("the answers for run %s cannot be read", run.journal.lease.run_id)
        finally:
            run.is_reading = False

    def _find(self, lease: Lease, questions: Sequence[str], steps: Sequence[str]) -> _Found:
        """Read what has come for the waits of a run."""
        home = lease.home or lease.run_id
        fields = [*(f"!{name}" for name in questions), *steps]
        with self._sender.connection.pipeline(transaction=False) as pipeline:
            pipeline.hmget(self._keys.checkpoints(home), fields)
            if (
                steps
            ):  # after the checkpoints, as an end that comes between is found at the next look
                pipeline.hmget(self._keys.remote(home), steps)
            recorded, *rest = pipeline.execute()
        texts = _present(fields, recorded)
        answers = {name: texts[f"!{name}"] for name in questions if f"!{name}" in texts}
        outcomes = {name: texts[name] for name in steps if name in texts}
        under_way = _present(steps, rest[0]) if rest else {}
        lost = {
            name: text.decode()
            for name, text in under_way.items()
            if text[:1] == b"!" and name not in outcomes
        }
        return _Found(answers, outcomes, lost)


def _present(fields: Sequence[str], texts: Sequence[bytes | None]) -> dict[str, bytes]:
    """Return the fields of a hash that are there."""
    return {name: text for name, text in zip(fields, texts, strict=True) if text is not None}
