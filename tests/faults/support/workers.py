"""Real worker processes, with the ways to hurt them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import redis

from tests.faults.support.main import main
from tests.support.forked import ForkedProcess
from tests.support.until import until

ROOT = Path(__file__).parents[3]
FLOWS = Path(__file__).parent / "flows.py"
APPS = [str(FLOWS), str(FLOWS.with_name("ill_flows.py"))]

QUICK: Final[Mapping[str, str]] = {"PENSTOCK_LEASE": "2", "PENSTOCK_RENEW": "0.5"}
"""Leases short enough for tests that are not about the defaults."""


class WorkerProcess:
    """One `penstock worker`, or a supervisor of several."""

    def __init__(self, process: subprocess.Popen[bytes] | ForkedProcess, log: Path) -> None:
        self._process = process
        self.log_file = log

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def ready(self, workers: int = 1, timeout: float = 60.0) -> WorkerProcess:
        """Return once this many workers take runs; a busy machine starts many at once."""

        def started() -> bool:
            assert self.running, self.text()
            return len(self.logged("worker.started")) >= workers

        until(started, timeout, "a worker that takes runs")
        return self

    def kill(self) -> None:
        """As the OOM killer or a lost host do it: this process and all its children."""
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Freeze it: it may think that no time passes."""
        os.killpg(self.pid, signal.SIGSTOP)

    def cont(self) -> None:
        """Let it go on after `stop`."""
        os.killpg(self.pid, signal.SIGCONT)

    def term(self) -> None:
        """Ask it to end."""
        os.kill(self.pid, signal.SIGTERM)

    def wait(self, timeout: float = 10.0) -> int:
        """Return its exit status."""
        until(lambda: not self.running, timeout, "the end of the process")
        return self._process.wait()

    def text(self) -> str:
        """All that it printed."""
        return self.log_file.read_text(errors="replace")

    def log(self) -> list[dict[str, Any]]:
        """What it logged, oldest first."""
        lines = (line for line in self.text().splitlines() if line.startswith("{"))
        return [json.loads(line) for line in lines if line.endswith("}")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """What it logged of one kind."""
        return [entry for entry in self.log() if entry.get("event") == event]

    def close(self) -> None:
        """End it in whatever state it is."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()


class Fleet:
    """Starts worker processes on one Redis and one journal, and ends them all."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.journal_file = folder / "journal.jsonl"
        self._workers: list[WorkerProcess] = []

    def start(
        self,
        *,
        url: str = "",
        app: str = "",
        queues: tuple[str, ...] = ("default",),
        environ: Mapping[str, str] = QUICK,
        ready: bool = True,
        **options: Any,
    ) -> WorkerProcess:
        """Start a worker; options are those of `WorkerOptions`, and `processes`."""
        whole = {"app": [app] if app else APPS, "queues": queues, **options}
        told = {"PENSTOCK_REDIS": url or self.url, **environ}
        if all(name.startswith("PENSTOCK_") for name in environ):
            log = self._next_log()
            worker = self._started(ForkedProcess(main, (whole,), log, self._environ(told)), log)
        else:  # the interpreter, or the C library, reads the environment as it starts
            command = [sys.executable, "-m", "tests.faults.support.main", json.dumps(whole)]
            worker = self.run(command, told)
        return worker.ready(max(options.get("processes", 1), 1)) if ready else worker

    def run(self, command: list[str], environ: Mapping[str, str]) -> WorkerProcess:
        """Start any other process that executes runs."""
        log = self._next_log()
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=self._environ(environ),
                start_new_session=True,
            )
        return self._started(process, log)

    def _started(
        self, process: subprocess.Popen[bytes] | ForkedProcess, log: Path
    ) -> WorkerProcess:
        worker = WorkerProcess(process, log)
        self._workers.append(worker)
        return worker

    def _next_log(self) -> Path:
        return self.folder / f"worker-{len(self._workers)}.log"

    def _environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        journal = {"PENSTOCK_TEST_JOURNAL": str(self.journal_file), "TMPDIR": str(self.folder)}
        return {**os.environ, **journal, **environ}

    def journal(self, run_id: str = "", step: str = "") -> list[dict[str, Any]]:
        """The executions of bodies, oldest first, of one run, or of a step named so."""
        if not self.journal_file.exists():
            return []
        lines = [json.loads(line) for line in self.journal_file.read_text().splitlines()]
        return [
            line
            for line in lines
            if (not run_id or line["run"] == run_id) and (not step or line["step"] == step)
        ]

    def executions(self, run_id: str) -> dict[str, int]:
        """How often the body of each step of a run was executed; '' is the entrypoint's own."""
        counts: dict[str, int] = {}
        for line in self.journal(run_id):
            counts[line["step"]] = counts.get(line["step"], 0) + 1
        return counts

    def executing(self, run_id: str, times: int = 1, timeout: float = 10.0) -> dict[str, Any]:
        """Return the journal's last line of a run once it has this many."""
        what = f"execution {times} of run {run_id}"
        until(lambda: len(self.journal(run_id)) >= times, timeout, what)
        return self.journal(run_id)[-1]

    def where(self, client: redis.Redis, run_id: str) -> WorkerProcess:
        """Return the process that a run is executed by; a supervisor for its children."""
        name: Any = client.hget(f"penstock:run:{run_id}", "worker")
        pid: Any = client.hget(f"rq:worker:{name.decode()}", "pid")
        group = os.getpgid(int(pid))
        return next(worker for worker in self._workers if worker.pid == group)

    def last_words(self) -> Iterator[str]:
        """Say of each process whether it still is there, and what it logged last."""
        for worker in self._workers:
            state = "running" if worker.running else f"ended with {worker.wait()}"
            said = "\n  ".join(worker.text().splitlines()[-3:])
            yield f"{worker.log_file.name}, {state}:\n  {said}"

    def close(self) -> None:
        """End all of them."""
        for worker in self._workers:
            worker.close()
