"""The demo from beginning to end: a run, a kill, a recovery, a report, and what it proves."""

from __future__ import annotations

__all__ = ["show"]

import logging
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from penstock.publisher.event import Event
from penstock.runtime.client.client import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.settings import Settings
from penstock.worker.demo.conclusion import conclude
from penstock.worker.demo.flow import FILES, Survey, survey
from penstock.worker.demo.folder import Listing, copy_texts, text_files
from penstock.worker.demo.follow import PATIENCE, Follower
from penstock.worker.demo.oracle import Oracle
from penstock.worker.demo.promises import Evidence, judge, read_trace
from penstock.worker.demo.screen import Screen, print_trimmed
from penstock.worker.demo.tables import plural, report_table
from penstock.worker.demo.workers import DemoError, DemoWorkers, end_on_signals
from penstock.worker.embedded import EmbeddedServer

AT_ONCE = 8
"""Steps of the run that are executed at once."""

LENGTH = 6.0
"""Seconds that the run takes, about, without the time its worker is dead."""

KILL_AT = 0.55
"""The part of the steps after which a worker is killed: all files counted, some described."""

GONE = "its connection to Redis is closed, another worker continues within {}"

NOTICED = 3.0
"""Seconds within which other workers notice a death by its closed connection."""

PHASES = {"count": "count words", "describe": "find terms and links"}


def show(folder: Path, console: Console) -> int:
    """Show the demo over a folder; returns 0 if every promise was kept, else 1.

    Raises:
        ConfigurationError: the folder has nothing to read.
        DemoError: a worker does not start, or ends by itself.
    """
    logging.getLogger("penstock.publisher").addHandler(logging.NullHandler())
    end_on_signals()
    listing = _list_files(folder)
    pause = _pause(len(listing.files))
    title = f"Penstock demo: {_described(listing, folder)}"
    console.print(title, style="bold", soft_wrap=True)
    with (
        tempfile.TemporaryDirectory(prefix="penstock-demo-") as scratch,
        EmbeddedServer() as server,
        DemoWorkers(server.url, Path(scratch)) as workers,
        Client(settings=Settings(redis=server.url)) as client,
    ):
        _introduce(server, workers, pause, console)
        copied = copy_texts(folder, listing, Path(scratch) / "files")
        order = Survey(str(Path(scratch) / "files"), pause=pause)
        return _Demo(order, copied, Path(scratch) / "trace", workers, client).run(console)


def _introduce(
    server: EmbeddedServer, workers: DemoWorkers, pause: float, console: Console
) -> None:
    pids = " and ".join(str(worker.pid) for worker in workers.workers)
    console.print(f"{server.kind} {server.version()} on {server.url}, workers {pids}", style="dim")
    note = f"each step of a file also pauses for {1000 * pause:.0f} ms, so that you can watch"
    console.print(f"{note}\n", style="dim")


def _list_files(folder: Path) -> Listing:
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise ConfigurationError(f"{folder} {what}; name a folder with text files.")
    listing = text_files(str(folder), FILES)
    if not listing.files:
        raise ConfigurationError(f"no text files in {folder}; name a folder that has some.")
    return listing


def _described(listing: Listing, folder: Path) -> str:
    count = len(listing.files)
    files = plural(count, "text file")
    if listing.more:
        files = f"the {count} newest files (of {count + listing.more})"
    return f"one run over {files} of {_home(folder)}"


def _home(folder: Path) -> str:
    try:
        return f"~/{folder.relative_to(Path.home())}".removesuffix("/.")
    except ValueError:
        return str(folder)


@dataclass(slots=True)
class _Kill:
    """The worker that was killed, and what is known of that moment."""

    pid: int
    moment: float
    finished: int
    resumed: float = 0.0
    """Seconds until the next step was recorded."""


@dataclass(slots=True)
class _Progress:
    """Finished steps, by the events that came so far."""

    files: int
    finished: Counter[str] = field(default_factory=Counter[str])

    @property
    def total(self) -> int:
        return 2 * self.files + 2

    @property
    def done(self) -> int:
        return self.finished.total()

    @property
    def is_halfway(self) -> bool:
        if self.files <= AT_ONCE:  # those end all at once: before any is described
            return self.done > self.files
        return self.done >= KILL_AT * self.total


class _Demo:
    def __init__(
        self, order: Survey, files: Sequence[str], trace: Path, workers: DemoWorkers, client: Client
    ) -> None:
        self._files = files
        self._trace = trace
        self._workers = workers
        self._client = client
        self._url = client.settings.redis
        self._run_id = f"demo-{uuid.uuid4().hex[:8]}"
        self._order = order
        self._progress = _Progress(len(files))
        self._kill: _Kill | None = None
        self._oracle = Oracle(self._order)

    def run(self, console: Console) -> int:
        live = Follower(self._url, self._run_id)
        restless = Follower(self._url, self._run_id, restless=True)
        live.start()
        restless.start()
        with Screen(console, list(PHASES.values()), len(self._files)) as screen:
            handle = self._enqueue()
            screen.print(f"run {self._run_id} enqueued, two subscribers wait for it")
            self._watch(live, handle, screen)
            screen.print(f"the run is {handle.status()}", style="bold")
            evidence = self._evidence(handle, live, restless)
            for error in (live.error, restless.error):
                if error is not None:
                    screen.print(f"a subscriber failed: {error}", style="red")
        return self._conclude(console, evidence)

    def _enqueue(self) -> RunHandle:
        return self._client.enqueue(
            survey,
            self._order,
            run_id=self._run_id,
            context={"trace": str(self._trace)},
            config={"max_concurrency": AT_ONCE},
        )

    # -- while it runs --------------------------------------------------------------------------

    def _watch(self, live: Follower, handle: RunHandle, screen: Screen) -> None:
        """Show the events of the live subscriber; kill the worker in the middle."""
        due = float("inf")
        for event in live.arrivals():
            if event is None:
                self._workers.check(self._kill.pid if self._kill else 0)
            else:
                self._show(event, handle, screen)
                if event.terminal:
                    return
                if self._progress.is_halfway:  # steps are in flight a moment later
                    due = min(due, time.monotonic() + self._order.pause / 2)
            if self._kill is None and time.monotonic() >= due:
                self._kill_worker(handle, screen)
            screen.draw()

    def _show(self, event: Event, handle: RunHandle, screen: Screen) -> None:
        if event.mode == "run.started" and event.attempt == 1:
            pid = self._workers.pid_of(handle.info().worker)
            screen.print(f"worker {pid} executes it, {AT_ONCE} steps at once")
        elif event.mode == "step.finished":
            if self._kill is not None and event.attempt > 1 and not self._kill.resumed:
                self._show_resumed(self._kill, handle, screen)
            name = event.data["id"].partition(":")[0]
            self._progress.finished[name] += 1
            if name in PHASES:
                screen.count(PHASES[name], self._progress.finished[name])

    def _kill_worker(self, handle: RunHandle, screen: Screen) -> None:
        pid = self._workers.pid_of(handle.info().worker)
        if not self._workers.kill(pid):
            return
        self._kill = _Kill(pid, time.monotonic(), self._progress.done)
        screen.print(
            f"SIGKILL to worker {pid}, after {self._progress.done} of {self._progress.total} steps",
            style="bold red",
        )
        if not screen.moves:
            screen.print(GONE.format(f"{NOTICED:.0f} s"))
        screen.wait(GONE, NOTICED)
        self._oracle.start()

    def _show_resumed(self, kill: _Kill, handle: RunHandle, screen: Screen) -> None:
        kill.resumed = time.monotonic() - kill.moment
        other = self._workers.pid_of(handle.info().worker)
        screen.wait("", 0)
        screen.print(
            f"worker {other} continues after the {self._progress.done} recorded steps",
            style="bold green",
            detail=f"{kill.resumed:.1f} s after the kill",
        )

    # -- when it is over ------------------------------------------------------------------------

    def _evidence(self, handle: RunHandle, live: Follower, restless: Follower) -> Evidence:
        late = Follower(self._url, self._run_id)
        late.start()
        for follower in (live, restless, late):
            follower.join(PATIENCE)
        run = handle.info()
        if run.reason:
            raise DemoError(f"the run is {run.status}: {run.reason}")
        completed = run.status == "completed"
        return Evidence(
            status=run.status,
            result=handle.result() if completed else None,
            listed=self._files,
            expected=self._oracle.report(),
            live=live.events,
            late=late.events,
            returning=restless.events,
            returns=restless.returns,
            executions=read_trace(self._trace),
            killed_pid=self._kill.pid if self._kill else 0,
        )

    def _conclude(self, console: Console, evidence: Evidence) -> int:
        if evidence.result is not None:
            print_trimmed(console, report_table(evidence.result, console.width))
        figures = "" if self._kill is None else _figures(evidence, self._kill)
        return conclude(console, judge(evidence), figures)


def _figures(evidence: Evidence, kill: _Kill) -> str:
    twice, total = len(evidence.twice), len(evidence.recorded)
    return (
        f"{twice} of {total} steps ran twice (only those in flight), "
        f"{kill.resumed:.1f} s from kill to resumption."
    )


def _pause(files: int) -> float:
    """Choose how long a step about a file pauses, so that the run takes some seconds."""
    return round(min(0.5, max(0.02, LENGTH * AT_ONCE / (2 * files))), 3)
