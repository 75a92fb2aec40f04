"""Following a run on the terminal: its events as they come, then its status."""

from __future__ import annotations

__all__ = ["FACTS", "Follower"]

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.text import Text

from penstock.publisher.event import Event
from penstock.publisher.subscribe import subscribe
from penstock.runtime.client.client import Client
from penstock.runtime.client.run_stream import seen, viewed
from penstock.runtime.types.interrupt import Interrupt
from penstock.runtime.types.run import Run, RunStatus
from penstock.worker.cli.errors import FAILED, INTERRUPTED, WAITS, note
from penstock.worker.cli.options import shell_quoted
from penstock.worker.cli.output import COLOURS, emit, one_line, print_line

FACTS: Final = "facts"
"""The mode that shows the stored events themselves, not chunks made of them."""

MOVING: Final = (RunStatus.QUEUED, RunStatus.RUNNING)


class Follower:
    """Prints a run's events, until the run is over or waits for an answer."""

    def __init__(self, client: Client, run_id: str, modes: Sequence[str], as_json: bool) -> None:
        self._client = client
        self._run_id = run_id
        self._modes = modes
        self._as_json = as_json
        self._width = 16 if FACTS in modes else 9

    def follow(self, after: int = 0) -> int:
        """Print the events after a cursor; returns the exit status."""
        self._info()  # raises if there is no such run
        cursor = after
        try:
            for event in self._events(after):
                cursor = event.seq
                self._print(event)
        except KeyboardInterrupt:
            note(f"the run goes on; penstock tail {self._run_id} --after {cursor} shows the rest")
            return INTERRUPTED
        return self._conclude()

    def _info(self) -> Run:
        return self._client.do(self._client.plans.info(self._run_id))

    def _events(self, after: int) -> Iterator[Event]:
        """Give events in the wanted modes; a failed run that was resumed has several ends."""
        client, cursor, view = self._client, after, None
        if FACTS not in self._modes:
            view = client.do(viewed(client.plans, self._run_id, self._modes))
        while not self._rests_at(cursor):
            with subscribe(
                self._run_id,
                cursor,
                connection=client.connection,
                prefix=client.settings.prefix,
                codec=client.codec,
            ) as events:
                for event in events:
                    yield from [event] if view is None else seen(view, event)
                    cursor = event.seq
                    if event.mode == "run.interrupted" and self._rests_at(cursor):
                        return

    def _rests_at(self, seq: int) -> bool:
        """Return whether nothing comes after an event for now: the run is over, or waits."""
        last = self._client.do(self._client.plans.last_seq(self._run_id))
        return last <= seq and self._info().status not in MOVING

    def _print(self, event: Event) -> None:
        if self._as_json:
            emit(event)
            return
        data: Any = event.data
        if event.mode == "messages":  # the chunk, and what it belongs to
            data = data[0]
        self._print_line(event.mode, one_line(data), "dim")

    def _print_line(self, label: str, text: str, style: str) -> None:
        margin = " " * (self._width + 2)
        text = text.replace("\n", f"\n{margin}")
        print_line(Text.assemble((f"{label:<{self._width}}  ", style), text))

    def _conclude(self) -> int:
        run = self._info()
        asks: list[Interrupt] = []
        if run.status is RunStatus.SUSPENDED:
            asks = self._client.do(self._client.plans.interrupts(run.run_id))
        result = None
        if run.status is RunStatus.COMPLETED:
            result = self._client.do(self._client.plans.outcome(run))
        if self._as_json:
            emit(_status_object(run, result, asks))
        else:
            self._print_status(run, result, asks)
        if run.status is RunStatus.SUSPENDED:
            return WAITS
        return 0 if run.status is RunStatus.COMPLETED else FAILED

    def _print_status(self, run: Run, result: Any, asks: Sequence[Interrupt]) -> None:
        text = one_line(result) if run.status is RunStatus.COMPLETED else one_line(run.reason)
        lines = [one_line(question.value) for question in asks] or [text]
        for line in lines:
            self._print_line(run.status, line, COLOURS[run.status])
        for question in asks:
            note(answer_hint(run.run_id, question, len(asks) > 1))


def answer_hint(run_id: str, question: Interrupt, is_one_of_several: bool) -> str:
    """Write the command that answers a question."""
    which = f" --interrupt {question.id}" if is_one_of_several else ""
    return f"answer it: penstock resume {run_id} {shell_quoted('ANSWER')}{which}"


def _status_object(run: Run, result: Any, asks: Sequence[Interrupt]) -> dict[str, Any]:
    status: dict[str, Any] = {"run_id": run.run_id, "status": run.status}
    if run.status is RunStatus.SUSPENDED:
        return status | {"interrupts": asks}
    if run.status is RunStatus.COMPLETED:
        return status | {"result": result}
    return status | {"reason": run.reason}
