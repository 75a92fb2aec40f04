"""The demo's worker processes: start, find and kill them."""

from __future__ import annotations

__all__ = ["DemoError", "DemoWorkers", "WorkerProcess", "end_on_signals"]

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from redis import Redis

from penstock.publisher.redis.connection import connect
from penstock.runtime.errors import PenstockError
from penstock.runtime.redis.keys import Keys

APP = "penstock.worker.demo.flow"
START_TIMEOUT = 30.0
LOG_LINES = 5
"""Lines of a worker's log that are shown if it failed."""

# PR_SET_PDEATHSIG, which exec keeps: the kernel ends a worker when the demo is gone.
_TETHER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
parent, *command = sys.argv[1:]
if os.getppid() == int(parent):
    os.execv(command[0], command)
"""


class DemoError(PenstockError):
    """The demo cannot go on."""


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """One `penstock worker`, as a child of this process."""

    child: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its process."""
        return self.child.pid

    def log_tail(self) -> str:
        """Return the end of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return "\n".join(lines[-LOG_LINES:]) or "the log is empty"


class DemoWorkers:
    """Two workers for the length of a `with` block, in a folder of their own.

    They get a session of their own, so that Ctrl-C reaches only the demo, and none of the settings
    that the user has made for other workers.
    """

    def __init__(self, url: str, folder: Path, app: str = APP, size: int = 2) -> None:
        self._url = url
        self._folder = folder
        self._app = app
        self._size = size
        self._keys = Keys()
        self._client: Redis = connect(url)
        self.workers: list[WorkerProcess] = []

    def __enter__(self) -> Self:
        try:
            for number in range(self._size):
                self.workers.append(self._start(self._folder / f"worker-{number + 1}.log"))
            self._wait_until_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def pid_of(self, name: str) -> int:
        """Return the process of the worker that RQ knows by this name, 0 if it knows none."""
        pid: Any = self._client.hget(self._keys.worker(name), "pid")
        return int(pid or 0)

    def kill(self, pid: int) -> bool:
        """Send SIGKILL to a worker, and wait until it is gone; False if it is none of these."""
        for worker in self.workers:
            if worker.pid == pid:
                worker.child.kill()
                worker.child.wait()
                return True
        return False

    def check(self, killed: int = 0) -> None:
        """Raise DemoError if a worker ended that was not killed."""
        for worker in self.workers:
            status = worker.child.poll()
            if status is not None and worker.pid != killed:
                raise DemoError(
                    f"a worker ended with status {status}; the end of its log: {worker.log_tail()}"
                )

    def _start(self, log: Path) -> WorkerProcess:
        worker = [sys.executable, "-m", "penstock.worker.cli", "worker", self._app]
        worker += ["--redis", self._url, "-q", "default", "--concurrency", "8"]
        tether = [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid())]
        with log.open("wb") as output:
            child = subprocess.Popen(
                [*tether, *worker],
                cwd=self._folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return WorkerProcess(child, log)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            registered: Any = self._client.scard(self._keys.workers)
            if registered >= self._size and self._client.zcard(self._keys.entrypoints):
                return
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(
                    f"the workers did not start in {START_TIMEOUT:.0f} s; the log of the first "
                    f"one: {self.workers[0].log_tail()}"
                )
            time.sleep(0.02)

    def _end(self) -> None:
        for worker in self.workers:
            worker.child.kill()
        for worker in self.workers:
            worker.child.wait()
        self._client.close()


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP end the demo as Ctrl-C does: with its workers and its Redis."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGHUP, _leave)


def _leave(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


def _environment() -> dict[str, str]:
    foreign = ("PENSTOCK_", "RQ_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
