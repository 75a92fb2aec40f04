"""One run of an async entrypoint, in process or on a worker in memory, as a test drives it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from penstock.runtime import Command, InMemorySaver, RedisSaver
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import RunFailedError
from penstock.runtime.func.task import Task
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.types.interrupt import Interrupt
from penstock.runtime.types.run import RunStatus
from penstock.runtime.workflow.entrypoint import AnyEntrypoint

CONFIG: Final[dict[str, Any]] = {"configurable": {"thread_id": "thread"}}
AT_WORK: Final = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.SUSPENDED)
RESULT_TIMEOUT: Final = 5.0
MOST_TURNS: Final = 200


class Way(Protocol):
    """A run that a test begins, answers, lets sleep, and asks for its result."""

    def begin(
        self, flow: AnyEntrypoint, value: Any = "", tasks: Iterable[Task[..., Any]] = ()
    ) -> None:
        """Begin a run, and let it work until it is over or waits."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        ...

    @property
    def asked(self) -> list[Interrupt]:
        """The open questions."""
        ...

    def resume(self, answers: Mapping[str, Any]) -> None:
        """Answer questions, each by its id, and let the run work on."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass, and let the run work on what is due then."""
        ...

    @property
    def result(self) -> Any:
        """The run's result, or the error that its body raised."""
        ...


class InProcess:
    """The run is invoked in this process; `wait` takes as long as it says."""

    def __init__(self, saver: RedisSaver | None = None) -> None:
        self._saver = saver or InMemorySaver()
        self._last: Any = None
        self._error: BaseException | None = None

    def begin(
        self, flow: AnyEntrypoint, value: Any = "", tasks: Iterable[Task[..., Any]] = ()
    ) -> None:
        self._flow = flow.copy({"checkpointer": self._saver})
        self._go(value)

    def _go(self, value: Any) -> None:
        try:
            self._last = asyncio.run(self._flow.ainvoke(value, CONFIG))
        except Exception as error:
            self._error = error

    @property
    def is_over(self) -> bool:
        return self._error is not None or not self._asks()

    def _asks(self) -> bool:
        return isinstance(self._last, dict) and "__interrupt__" in self._last

    @property
    def asked(self) -> list[Interrupt]:
        return [] if self.is_over else list(self._last["__interrupt__"])

    def resume(self, answers: Mapping[str, Any]) -> None:
        assert not self.is_over, f"the run is over, nobody asks: {self._error or self._last}"
        self._go(Command(resume=dict(answers)))

    def wait(self, seconds: float) -> None:
        if not self.is_over:
            time.sleep(seconds)
            self._go(None)

    @property
    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        assert self.is_over, f"the run still asks {questions(self)}"
        return self._last


class OnMemoryWorker:
    """The run is enqueued to a worker in memory, where time passes at once."""

    def __init__(self) -> None:
        self.worker: InMemoryWorker | None = None
        self.run: RunHandle | None = None

    def begin(
        self, flow: AnyEntrypoint, value: Any = "", tasks: Iterable[Task[..., Any]] = ()
    ) -> None:
        self.worker = InMemoryWorker([flow], tasks=tasks)
        self.run = self.worker.client.enqueue(flow, value)
        self.worker.work()

    @property
    def _begun(self) -> tuple[InMemoryWorker, RunHandle]:
        assert self.worker is not None and self.run is not None
        return self.worker, self.run

    @property
    def is_over(self) -> bool:
        return self._begun[1].status() not in AT_WORK

    @property
    def asked(self) -> list[Interrupt]:
        worker, run = self._begun
        if run.status() is not RunStatus.SUSPENDED:
            return []
        return list(worker.client.do(worker.client.plans.interrupts(run.run_id)))

    def resume(self, answers: Mapping[str, Any]) -> None:
        worker, run = self._begun
        assert not self.is_over, f"the run is {run.status()}, nobody asks"
        run.resume(dict(answers))
        worker.work()

    def wait(self, seconds: float) -> None:
        self._begun[0].advance(seconds)

    @property
    def result(self) -> Any:
        run = self._begun[1]
        assert self.is_over, f"the run is {run.status()}, asks {questions(self)}: {run.info()}"
        try:
            return run.result(RESULT_TIMEOUT)
        except RunFailedError as error:
            raise error.__cause__ or error from None

    def wakes_at(self) -> datetime | None:
        """Return when the run goes on by itself, None if nothing is to wake it."""
        return self._begun[1].info().wakes_at

    def close(self) -> None:
        if self.worker is not None:
            self.worker.close()


def questions(way: Way) -> list[Any]:
    """The texts of the open questions, in alphabetical order."""
    return sorted(question.value for question in way.asked)


def ids(way: Way) -> dict[Any, str]:
    """The ids of the open questions, by their texts."""
    return {question.value: question.id for question in way.asked}


def answer(way: Way, *texts: str) -> None:
    """Answer the questions with these texts, each by its own text in brackets."""
    known = ids(way)
    missing = [text for text in texts if text not in known]
    assert not missing, f"{missing} are not asked; open: {sorted(known)}"
    way.resume({known[text]: answer_to(text) for text in texts})


def answer_to(question: Any) -> str:
    """What somebody answers: a text that only this question can have got."""
    return f"<{question}>"


def finish(way: Way, seconds: float = 1.0) -> Any:
    """Answer whatever is asked, and let time pass, until the run is over; returns its result."""
    for _ in range(MOST_TURNS):
        if way.is_over:
            return way.result
        if asked := way.asked:
            way.resume({question.id: answer_to(question.value) for question in asked})
        else:
            way.wait(seconds)
    raise AssertionError(f"the run does not end; it asks {questions(way)}")
