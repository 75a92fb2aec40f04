"""Worker processes that are forked from one which has imported what they execute already.

To import it takes longer than most of what tests see a worker do. Tests of how a process starts run
its command instead.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.until import until

_FORKING: Final = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(["tests.faults.support.main", "tests.langgraph.hosting.worker"])


class ForkedProcess:
    """A process of its own session, with an environment of its own, as `subprocess.Popen` has it.

    The environment can only say what is read after the interpreter has started.
    """

    def __init__(
        self,
        main: Callable[..., int],
        given: tuple[Any, ...],
        log: Path,
        environ: Mapping[str, str],
    ) -> None:
        """Call a function of a module, which returns the exit status; what it prints is logged."""
        log.touch()
        self._process = _FORKING.Process(target=_run, args=(main, given, str(log), dict(environ)))
        self._process.start()
        pid = self._process.pid
        assert pid is not None
        self.pid: int = pid
        until(self._has_session, what="a session of its own", every=0.001)

    def _has_session(self) -> bool:
        try:
            return os.getsid(self.pid) == self.pid
        except ProcessLookupError:
            return True  # it has ended already

    def poll(self) -> int | None:
        """Return its exit status, None while it runs."""
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        """Its exit status, None while it runs; the negative number of a signal that ended it."""
        return self.poll()

    def terminate(self) -> None:
        """Ask it to end, unless it has ended."""
        self._process.terminate()

    def send_signal(self, signum: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        """End it by SIGKILL, unless it has ended."""
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit status.

        Raises:
            TimeoutExpired: it still runs after `timeout` seconds.
        """
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired("worker", timeout or 0)
        return status


def _run(
    main: Callable[..., int], given: tuple[Any, ...], log: str, environ: dict[str, str]
) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environ)
    out = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)
    sys.exit(main(*given))
