"""Serves the metrics of one Redis; needs `penstock[prometheus]`."""

from __future__ import annotations

__all__ = ["Exporter"]

import threading
from contextlib import closing
from types import FrameType

from prometheus_client import CollectorRegistry, generate_latest

from penstock.runtime.client.client import Client
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.hook_states import (
    FeedState,
    OutboxState,
    feed_state,
    outbox_state,
)
from penstock.runtime.redis.plans.queues import overview
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.telemetry.hook_metrics import HookMetrics
from penstock.runtime.telemetry.redis_metrics import RedisMetrics
from penstock.worker.health.address import Address
from penstock.worker.health.http import HTTPServer
from penstock.worker.health.probes import answer
from penstock.worker.health.status import Status


class Exporter:
    """Reads a Redis over a client each time that Prometheus asks."""

    def __init__(self, client: Client) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(RedisMetrics(lambda: client.do(overview(client.plans.calls))))
        self._registry.register(HookMetrics(lambda: client.do(_changes(client.plans.keys))))
        self._ended = threading.Event()

    def metrics(self) -> str:
        """Write the metrics as they are now."""
        return generate_latest(self._registry).decode()

    def serve(self, listen: str) -> None:
        """Answer until `stop` is called; `/live` and `/ready` say that the process lives.

        Raises:
            ConfigurationError: the address is none, or another program listens there.
        """
        live = Status({"exporter": ""})
        server = HTTPServer(
            Address.parse(listen), lambda path: answer(path, lambda: live, self.metrics)
        )
        with closing(server):
            while not self._ended.is_set():
                server.serve(1.0)

    def stop(self, signum: int = 0, frame: FrameType | None = None) -> None:
        """Let `serve` return within a second; fit for a handler of signals."""
        self._ended.set()


def _changes(keys: Keys) -> Plan[tuple[OutboxState, FeedState]]:
    outbox = yield from outbox_state(keys)
    return outbox, (yield from feed_state(keys))
