"""RQ's worker as Penstock needs it: what RQ's tools see, and nothing that ends the process."""

from __future__ import annotations

__all__ = ["RQWorker"]

import json
import logging
import os
import signal
import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq.timeouts import TimerDeathPenalty
from rq.worker import BaseWorker

logger = logging.getLogger(__name__)


class RQWorker(BaseWorker):
    """Registers with RQ, sends heartbeats, and obeys RQ's commands."""

    death_penalty_class = TimerDeathPenalty

    @property
    def is_ending(self) -> bool:
        """Whether it was asked to end."""
        return bool(self._stop_requested)

    @abstractmethod
    def stop_job(self, job_id: str) -> None:
        """Stop the ordinary job, or the run, of a job id."""

    def handle_payload(self, message: Mapping[str, Any]) -> None:
        """Obey an RQ command: shutdown, stop-job, stop-execution; ignore all others."""
        try:
            payload = json.loads(message["data"])
            command, job_id = payload["command"], str(payload.get("job_id", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            logger.warning("ignored a command that is not one of RQ's")
            return
        if command == "shutdown":
            os.kill(os.getpid(), signal.SIGINT)
        elif command in ("stop-job", "stop-execution"):
            self.stop_job(job_id)

    def _pubsub_exception_handler(self, exc: Exception, pubsub: Any, pubsub_thread: Any) -> None:
        """Keep listening after any error; RQ's own handler ends its thread."""
        logger.warning("the subscription to RQ's commands broke, trying again: %s", exc)
        time.sleep(1.0)

    def _set_ip_address(self, connection: Redis) -> None:
        """Ask Redis for this worker's address, which an emulated server does not know."""
        try:
            super()._set_ip_address(connection)
        except (RedisError, ValueError):
            self.ip_address = "unknown"

    def _set_connection(self, connection: Redis) -> Redis:
        """Keep the connection as it is; RQ's own sets its timeout to minutes."""
        return connection
