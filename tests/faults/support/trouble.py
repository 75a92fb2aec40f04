"""What breaks, by chance: processes, connections, tickets, Redis; one thing or two at once."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast

import redis

from tests.faults.support import journeys, new_version
from tests.faults.support.workers import Fleet, WorkerProcess
from tests.support.proxy import Proxy
from tests.support.server import RedisServer

ENVIRON: Final = {
    "PENSTOCK_LEASE": "2",
    "PENSTOCK_RENEW": "0.5",
    "PENSTOCK_PATIENCE": "0.5",
    "PENSTOCK_CRASHES": "1000",
}
"""Here innocent runs die often, and are not to be given up for it."""

OLD: Final = str(journeys.__file__)
NEW: Final = str(new_version.__file__)
"""Two versions of the code: the older one lacks an entrypoint and a task of the newer."""

QUEUES: Final = ("default", "far")

NOBODY: Final = 0x3FFFFF
"""A process id that no process has."""


class Trouble:
    """Two supervisors of two workers each, one behind a proxy; and what hurts them."""

    def __init__(self, server: RedisServer, fleet: Fleet, chance: random.Random) -> None:
        self.faults: Counter[str] = Counter()
        self._server = server
        self._fleet = fleet
        self._chance = chance
        self._raw = server.client(socket_timeout=5)
        self._proxy = Proxy(server.port)
        self._urls = [server.url, self._proxy.url]
        self._versions = [OLD, NEW]
        self._groups = [self._start(index) for index in range(2)]
        self._stopped: dict[int, float] = {}
        self._healed = 0.0
        self._acts: list[tuple[int, Callable[[], None]]] = [
            (6, self._kill_a_process),
            (4, self._stop_a_process),
            (3, self._drain_a_group),
            (3, self._deploy_another_version),
            (2, self._kill_a_group),
            (4, self._cut_a_connection),
            (2, self._cut_all_connections),
            (3, self._part_a_group),
            (2, self._lose_tickets),
            (1, self._lose_scripts),
            (1, self._restart_redis),
            (1, self._crash_redis),
            (2, self._freeze_redis),
        ]

    def strike(self) -> None:
        """Break something, now and then two things at once."""
        weights, acts = [weight for weight, _ in self._acts], [act for _, act in self._acts]
        for act in self._chance.choices(acts, weights, k=self._chance.choice([1, 1, 2])):
            with suppress(redis.RedisError, ProcessLookupError):
                act()
                self.faults[act.__name__.strip("_").replace("_", " ")] += 1

    def relent(self, *, wholly: bool = False) -> None:
        """Let go on what was stopped or parted for long enough, or all of it."""
        self._start_again()
        now = time.monotonic()
        for pid, due in list(self._stopped.items()):
            if wholly or due < now:
                del self._stopped[pid]
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        if wholly or self._healed < now:
            self._proxy.heal()
        if wholly and NEW not in self._versions:
            self._deploy(0, NEW)  # whose runs nobody else can execute

    def close(self) -> None:
        """End the proxy."""
        self._proxy.close()

    def _start_again(self) -> None:
        """Replace groups that have ended: one that finds no Redis at its start does, by contract.

        Docker does so by `restart: unless-stopped`, Kubernetes by itself.
        """
        for index, group in enumerate(self._groups):
            if not group.running:
                self._groups[index] = self._start(index)

    def _start(self, index: int) -> WorkerProcess:
        return self._fleet.start(
            app=self._versions[index],
            url=self._urls[index],
            queues=QUEUES,
            processes=2,
            environ=ENVIRON,
            ready=False,
            grace=5.0,
        )

    def _a_worker(self) -> int:
        keys = cast("set[bytes]", self._raw.smembers("rq:workers"))
        pids = [cast("bytes | None", self._raw.hget(key.decode(), "pid")) for key in sorted(keys)]
        return self._chance.choice([int(pid) for pid in pids if pid is not None] or [NOBODY])

    def _kill_a_process(self) -> None:
        os.kill(self._a_worker(), signal.SIGKILL)

    def _stop_a_process(self) -> None:
        pid = self._a_worker()
        os.kill(pid, signal.SIGSTOP)
        self._stopped[pid] = time.monotonic() + self._chance.choice([0.5, 4.0, 8.0])

    def _drain_a_group(self) -> None:
        self._replace(self._chance.randrange(len(self._groups)))

    def _deploy_another_version(self) -> None:
        """Go on to the newer version with one group of workers, or back to the older one."""
        self._deploy(self._chance.randrange(len(self._groups)), self._chance.choice([OLD, NEW]))

    def _deploy(self, index: int, version: str) -> None:
        self._versions[index] = version
        self._replace(index)

    def _replace(self, index: int) -> None:
        old, self._groups[index] = self._groups[index], self._start(index)
        old.cont()
        old.term()

    def _kill_a_group(self) -> None:
        index = self._chance.randrange(len(self._groups))
        self._groups[index].kill()
        self._groups[index] = self._start(index)

    def _cut_a_connection(self) -> None:
        clients: Any = self._raw.client_list()
        self._raw.client_kill_filter(_id=self._chance.choice(clients)["id"])

    def _cut_all_connections(self) -> None:
        kind = self._chance.choice(["normal", "pubsub"])
        self._raw.client_kill_filter(_type=kind, skipme=True)

    def _part_a_group(self) -> None:
        how = self._chance.choice(["cut", "refuse", "blackhole", "replies", "slow"])
        self._healed = time.monotonic() + self._chance.choice([0.5, 1.5, 5.0])
        match how:
            case "cut":
                self._proxy.cut()
            case "refuse":
                self._proxy.refuse()
            case "slow":
                self._proxy.delay(0.1)
            case "replies":
                self._proxy.blackhole("replies")
            case _:
                self._proxy.blackhole()

    def _lose_tickets(self) -> None:
        self._raw.delete(f"rq:queue:{self._chance.choice(QUEUES)}")

    def _lose_scripts(self) -> None:
        self._raw.script_flush()

    def _restart_redis(self) -> None:
        self._server.restart()

    def _crash_redis(self) -> None:
        self._server.kill()
        self._server.start()

    def _freeze_redis(self) -> None:
        self._server.pause()
        time.sleep(self._chance.choice([0.3, 1.5, 3.0, 6.0]))  # also for longer than a lease
        self._server.resume()
