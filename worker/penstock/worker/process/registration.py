"""A worker's name in RQ, and how the name of a dead worker passes to the next one."""

from __future__ import annotations

__all__ = ["Registration", "identity", "running"]

import importlib.metadata
import logging
import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis.exceptions import WatchError
from rq import worker_registration
from rq.utils import now

from penstock.publisher.errors import ConfigurationError
from penstock.runtime.diagnostics.workers import APP, RELEASE
from penstock.worker.process.presence import PRESENCE
from penstock.worker.process.rq_worker import RQWorker

logger = logging.getLogger(__name__)

SILENCE: Final = 10.0
"""Seconds without a beat after which a worker counts as dead; each beats every two."""

SILENCE_OF_OTHERS: Final = 40.0
"""The same for workers that have no token, which beat every 15 s."""

_TOKEN: Final = "penstock_token"
_PROCESS: Final = "penstock_process"


@dataclass(frozen=True, slots=True)
class _Holder:
    """The fields that a worker has written into its hash."""

    token: str
    process: str
    beat: str
    place: str
    presence: str

    @staticmethod
    def read(fields: dict[bytes, bytes]) -> _Holder | None:
        """Read a worker's hash; None if the name is free.

        A hash without a birth is no registration: RQ has counted a job of a worker whose
        registration Redis had lost.
        """
        if b"birth" not in fields or b"death" in fields:
            return None
        text = {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items()}
        return _Holder(
            text.get(_TOKEN, ""),
            text.get(_PROCESS, ""),
            text.get("last_heartbeat", ""),
            f"pid {text.get('pid', '?')} on {text.get('hostname', '?')}",
            text.get(PRESENCE, ""),
        )


class Registration:
    """Registers a worker with RQ, once its name is free or its holder known to be dead.

    A process that was killed leaves its registration behind. Host and process id do not identify
    it: a restarted container has the same ones, and so may another container. If this machine can
    check whether the process still runs, that decides; otherwise its heartbeat does.
    """

    def __init__(self, worker: RQWorker, end_leases: Callable[[str], None], app: str = "") -> None:
        self._worker = worker
        self._about = {APP: app, RELEASE: importlib.metadata.version("penstock")}
        self._end_leases = end_leases
        self._token = uuid.uuid4().hex
        self._process = identity(os.getpid())
        self._seen: _Holder | None = None
        self._since = 0.0
        self._is_known = False
        """Whether this worker has been registered before."""
        self._presence = ""

    def take(self) -> bool:
        """Register the worker if its name is free or can be taken over; return whether it is.

        Raises:
            ConfigurationError: a live worker has the name.
        """
        try:
            return self._take()
        except WatchError:  # changed meanwhile: the next look sees it
            return False

    def is_held(self) -> bool:
        """Return whether the name is still this worker's; register again if Redis has lost it."""
        holder = self._holder()
        if holder is None:
            with suppress(ConfigurationError):  # another one was quicker
                self.take()
            holder = self._holder()
        if holder is None:
            return True
        is_own = holder.token == self._token
        if is_own and holder.presence != self._presence:
            self._write_presence()
        return is_own

    def note_presence(self, listens: str) -> None:
        """Note where the worker is subscribed to its channel, by which its death is detected."""
        self._presence = f"{listens} {self._token}"
        self._write_presence()

    def _write_presence(self) -> None:
        worker: Any = self._worker
        with worker.connection.pipeline() as pipeline, suppress(WatchError):
            pipeline.watch(worker.key)
            holder = _Holder.read(pipeline.hgetall(worker.key))
            if holder is None or holder.token != self._token:
                return  # the next look registers it again, or lets it end
            pipeline.multi()
            pipeline.hset(worker.key, PRESENCE, self._presence)
            pipeline.execute()

    def release(self) -> None:
        """Take the worker off RQ's lists, unless another has its name by now."""
        worker: Any = self._worker
        holder = self._holder()
        if holder is not None and holder.token == self._token:
            worker.register_death()

    def _holder(self) -> _Holder | None:
        worker: Any = self._worker
        return _Holder.read(worker.connection.hgetall(worker.key))

    def _take(self) -> bool:
        worker: Any = self._worker
        with worker.connection.pipeline() as pipeline:
            pipeline.watch(worker.key)
            holder = _Holder.read(pipeline.hgetall(worker.key))
            if holder is not None and holder.token != self._token:
                if not self._is_dead(holder):
                    return False
                reason = f"worker {worker.name} ({holder.place}) died, another has taken its name"
                logger.warning(
                    "%s", reason, extra={"worker": worker.name, "event": "worker.replaced"}
                )
                self._end_leases(reason)
            pipeline.multi()
            pipeline.delete(worker.key)
            if not self._is_known:  # else it is what this worker executes
                pipeline.delete(worker.executions_key)
            worker.birth_date = worker.last_heartbeat = now()
            own = {_TOKEN: self._token, _PROCESS: self._process, **self._about}
            pipeline.hset(worker.key, mapping=worker.serialize() | own)
            worker_registration.register(worker, pipeline)
            pipeline.expire(worker.key, worker.worker_ttl + 60)
            pipeline.execute()
        self._is_known = True
        return True

    def _is_dead(self, holder: _Holder) -> bool:
        """Return whether the holder of the name is dead; False while that is not certain."""
        runs = running(holder.process)
        if runs is not None:
            if runs:
                raise self._refusal(holder)
            return True
        if self._seen is None:
            self._seen, self._since = holder, time.monotonic()
            logger.warning(
                "the name %s belongs to a worker (%s); waiting to see whether it still lives",
                self._worker.name,
                holder.place,
            )
        if (holder.token, holder.beat) != (self._seen.token, self._seen.beat):
            raise self._refusal(holder)
        silence = SILENCE if holder.token else SILENCE_OF_OTHERS
        return time.monotonic() - self._since > silence

    def _refusal(self, holder: _Holder) -> ConfigurationError:
        return ConfigurationError(
            f"a worker named {self._worker.name!r} is alive ({holder.place}): give this one "
            "another --name, or omit it."
        )


def running(process: str) -> bool | None:
    """Return whether a process runs; None if it is none of this machine's, as far as is known."""
    here = identity(os.getpid())
    if not here or process.split(":")[:2] != here.split(":")[:2]:
        return None
    return identity(int(process.split(":")[2])) == process


def identity(pid: int) -> str:
    """Return a unique name of a process: boot, PID namespace, id, start; "" if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = Path("/proc/self/ns/pid").stat().st_ino
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if state == "Z" else f"{boot}:{namespace}:{pid}:{fields[18]}"
