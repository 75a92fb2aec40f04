"""A gateway as a process of its own, under uvicorn."""

from __future__ import annotations

__all__ = ["run_server"]

import asyncio
import logging
import signal
import socket
from types import FrameType
from typing import Final

import uvicorn

from penstock.gateway.app import guarded
from penstock.gateway.settings import GatewaySettings
from penstock.gateway.shared import Shared
from penstock.gateway.streams import StreamCut
from penstock.runtime.client.async_client import AsyncClient

logger = logging.getLogger(__name__)

LAST: Final = 2.0
"""Seconds that requests have to end after all streams were cut."""


def run_server(client: AsyncClient, settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT; then end requests, and cut streams so that they come back.

    Each request needs an API key, unless only this machine can reach the address.
    """
    is_open = settings.is_loopback or settings.insecure
    app, shared = guarded(client, settings=settings, is_open=is_open)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        lifespan="on",
        ws_max_size=settings.body_limit,
        timeout_graceful_shutdown=round(settings.drain + LAST),
    )
    logging.getLogger("uvicorn.error").addFilter(_is_no_cut)
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again at its end
        signal.signal(number, _ended)
    _Server(config, shared).run()


class _Server(uvicorn.Server):
    """Cuts the streams before it waits for requests to end."""

    def __init__(self, config: uvicorn.Config, shared: Shared) -> None:
        super().__init__(config)
        self._shared = shared

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            settings = self._shared.settings
            logger.info("serving on http://%s:%d", settings.host, self._port())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if len(self._shared.streams):
            logger.info("ending: %d streams are cut", len(self._shared.streams))
        draining = asyncio.ensure_future(self._shared.streams.drain(self._shared.settings.drain))
        await super().shutdown(sockets)
        await draining

    def _port(self) -> int:
        return int(self.servers[0].sockets[0].getsockname()[1])


def _ended(signum: int, frame: FrameType | None) -> None:
    """Take a signal that uvicorn has acted on."""


def _is_no_cut(record: logging.LogRecord) -> bool:
    return record.exc_info is None or not isinstance(record.exc_info[1], StreamCut)
