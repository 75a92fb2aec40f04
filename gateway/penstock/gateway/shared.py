"""What all requests of a gateway process share."""

from __future__ import annotations

__all__ = ["Shared"]

import asyncio
from types import TracebackType
from typing import Self

from penstock.gateway.auth.authenticator import Authenticator
from penstock.gateway.auth.handlers import Handlers
from penstock.gateway.settings import GatewaySettings
from penstock.gateway.streams import Streams
from penstock.gateway.thread_news import ThreadNews
from penstock.runtime.client.async_client import AsyncClient


class Shared:
    """The client, the settings, and the open streams; opened by the first who needs it."""

    def __init__(
        self,
        client: AsyncClient,
        settings: GatewaySettings,
        *,
        is_open: bool,
        handlers: Handlers | None = None,
    ) -> None:
        self.client = client
        self.settings = settings
        self.streams = Streams(settings.streams, settings.streams_each)
        self.news = ThreadNews()
        self.authenticator = Authenticator(client, is_open=is_open)
        self.handlers = handlers
        """The functions of the Auth object that decides; None for API keys."""
        self._opening: asyncio.Future[AsyncClient] | None = None

    async def open(self) -> None:
        """Open the client, once: an app that this one is mounted into may have run no lifespan.

        A client that is open belongs to whoever opened it.
        """
        if self._opening is None and self.client.hub.is_open:
            return
        if self._opening is None:
            self._opening = asyncio.ensure_future(self.client.__aenter__())
        await asyncio.shield(self._opening)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._opening is not None:
            self._opening = None
            await self.client.__aexit__(kind, error, traceback)
