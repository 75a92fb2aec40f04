"""A real Sentinel for tests, and the primary and replica it watches."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import redis

from penstock.worker.redis_server import ending_with_parent, free_port
from tests.support.server import RedisServer
from tests.support.until import until

SERVICE = "mymaster"

_CONF = """\
port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor {service} 127.0.0.1 {primary} 1
sentinel down-after-milliseconds {service} 500
sentinel failover-timeout {service} 2000
sentinel known-replica {service} 127.0.0.1 {replica}
"""


class Watched:
    """A primary with a replica, and one Sentinel that fails over from one to the other."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self.primary = RedisServer("--appendonly", "yes", *options)
        self._options = options
        self._servers = ExitStack()
        self._sentinel: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What a client connects to; the first Sentinel it names is not there."""
        return f"redis+sentinel://127.0.0.1:1,127.0.0.1:{self.port}/{SERVICE}/0"

    def __enter__(self) -> Self:
        self._servers.enter_context(self.primary)
        of = ("--replicaof", "127.0.0.1", str(self.primary.port))
        self.replica = RedisServer("--appendonly", "yes", *of, *self._options)
        self._servers.enter_context(self.replica)
        until(lambda: self._info(self.replica.client())["master_link_status"] == "up")
        self.port = free_port()
        conf = self._folder / "sentinel.conf"
        conf.write_text(
            _CONF.format(
                port=self.port,
                folder=self._folder,
                service=SERVICE,
                primary=self.primary.port,
                replica=self.replica.port,
            )
        )
        with (self._folder / "sentinel.log").open("wb") as log:
            command = [str(self.primary.binary.path), str(conf), "--sentinel"]
            self._sentinel = subprocess.Popen(ending_with_parent(command), stdout=log, stderr=log)
        until(self._answers)
        return self

    def fail_over(self) -> None:
        """Kill the primary, and return once the replica has taken its place."""
        until(lambda: bool(self._asked("REPLICAS")))  # which it was told of
        self.primary.kill()
        until(lambda: self._info(self.replica.client())["role"] == "master")
        until(lambda: self._address()[1] == self.replica.port)

    def _answers(self) -> bool:
        try:
            return bool(self._asked("MASTER"))
        except redis.RedisError:
            return False

    def _address(self) -> tuple[str, int]:
        with redis.Redis("127.0.0.1", self.port, decode_responses=True) as sentinel:
            name = "GET-MASTER-ADDR-BY-NAME"
            host, port = cast(
                "tuple[str, str]", sentinel.execute_command("SENTINEL", name, SERVICE)
            )
        return host, int(port)

    def _asked(self, what: str) -> object:
        with redis.Redis("127.0.0.1", self.port) as sentinel:
            return cast(object, sentinel.execute_command("SENTINEL", what, SERVICE))

    @staticmethod
    def _info(client: redis.Redis) -> Any:
        return client.info("replication")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._sentinel is not None:
            self._sentinel.kill()
            self._sentinel.wait()
        self._servers.close()
