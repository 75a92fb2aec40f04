"""The thread protocol over one WebSocket: subscriptions, their events, and commands."""

from __future__ import annotations

__all__ = ["socket_route"]

import asyncio
import itertools
import json
import logging
from contextlib import aclosing
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call
from penstock.gateway.compatible.asks import THREADS_READ
from penstock.gateway.compatible.protocol.command import CommandBody, failure, success
from penstock.gateway.compatible.protocol.commands import execute
from penstock.gateway.compatible.protocol.endpoints import EVENTS
from penstock.gateway.compatible.protocol.subscription import EventsBody
from penstock.gateway.compatible.protocol.thread_events import follow_thread
from penstock.gateway.compatible.request_model import NoFields
from penstock.gateway.errors import RequestError, refusal, status_of
from penstock.gateway.json_text import json_text
from penstock.gateway.raw_route import RawWebSocketRoute
from penstock.gateway.shared import Shared
from penstock.publisher.errors import CursorExpiredError, PenstockError

logger = logging.getLogger(__name__)

_AGAIN: Final = 1012
"""The code of a connection that is cut, so that its client comes back."""

_FAILED: Final = 1011

MOST: Final = 100
"""Subscriptions of one connection."""


def socket_route(shared: Shared) -> WebSocketRoute:
    """Return the route; those who may follow a thread by requests may open it."""

    async def opened(websocket: WebSocket) -> None:
        try:
            call = await _admitted(shared, websocket)
            slot = shared.streams.slot(call.identity)
        except PenstockError as error:
            status = status_of(error) or 500
            await websocket.send_denial_response(JSONResponse(refusal(error), status))
            return
        with slot as cut:
            await websocket.accept()
            await _ThreadSocket(websocket, call).serve(cut)

    return RawWebSocketRoute(EVENTS.path, opened, name="socket")


async def _admitted(shared: Shared, websocket: WebSocket) -> Call[Any, Any]:
    # functions of an Auth object expect the request that opens a connection
    request = Request({**websocket.scope, "type": "http", "method": "GET"})
    user, identity = await EVENTS.admit(shared, request)
    path, headers = websocket.path_params, websocket.headers
    nothing = NoFields()
    call: Call[Any, Any] = Call(shared, identity, path, nothing, nothing, headers, user)
    return await THREADS_READ(call)


class _ThreadSocket:
    """One connection: reads commands, and sends answers and events, one at a time."""

    def __init__(self, websocket: WebSocket, call: Call[Any, Any]) -> None:
        self._websocket = websocket
        self._call = call
        self._names = itertools.count(1)
        self._following: dict[str, asyncio.Task[None]] = {}
        self._sending = asyncio.Lock()
        self._broken = asyncio.Event()
        """Set when a subscription could not go on: the client is to come back."""

    async def serve(self, cut: asyncio.Event) -> None:
        """Serve until the client leaves, the process ends, or Redis is away."""
        reading = asyncio.ensure_future(self._read())
        ends = [asyncio.ensure_future(each.wait()) for each in (cut, self._broken)]
        try:
            await asyncio.wait([reading, *ends], return_when=asyncio.FIRST_COMPLETED)
        finally:
            every: list[asyncio.Future[Any]] = [reading, *ends, *self._following.values()]
            for task in every:
                task.cancel()
            await asyncio.gather(*every, return_exceptions=True)
        code = _code_of(reading)
        if code is not None:
            await self._websocket.close(code)

    async def _read(self) -> None:
        while True:
            try:
                text = await self._websocket.receive_text()
            except WebSocketDisconnect:
                return
            await self._send(await self._answer(text))

    async def _answer(self, text: str) -> dict[str, Any] | None:
        try:
            command = CommandBody.model_validate(json.loads(text))
        except (ValidationError, ValueError, RecursionError):
            why = "a command is JSON with an id, which is a number, a method and params."
            return failure(None, why)
        match command.method:
            case "subscription.subscribe":
                return await self._subscribe(command)
            case "subscription.unsubscribe":
                return self._unsubscribe(command)
            case _:
                return await self._execute(command)

    async def _subscribe(self, command: CommandBody) -> dict[str, Any] | None:
        try:
            wanted = EventsBody.model_validate(command.params)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            return failure(command.id, f"{'.'.join(map(str, first['loc']))}: {first['msg']}.")
        if len(self._following) >= MOST:
            return failure(command.id, f"a connection has {MOST} subscriptions at most.")
        name = str(next(self._names))
        result = {"subscription_id": name, "replayed_events": 0}
        await self._send(success(command.id, result, None))  # before the first of its events
        self._following[name] = asyncio.ensure_future(self._follow(wanted))
        return None

    def _unsubscribe(self, command: CommandBody) -> dict[str, Any]:
        following = self._following.pop(str(command.params.get("subscription_id")), None)
        if following is None:
            return failure(command.id, "there is no such subscription.", "no_such_subscription")
        following.cancel()
        return success(command.id, {}, None)

    async def _execute(self, command: CommandBody) -> dict[str, Any]:
        try:
            self._call.identity.check(Role.CLIENT)
            return await execute(self._call, command)
        except RequestError as error:
            code = "permission_denied" if error.status in (401, 403) else "unknown_error"
            return failure(command.id, error, code)
        except PenstockError as error:
            if status_of(error) is None:
                raise
            return failure(command.id, error, "unknown_error")

    async def _follow(self, wanted: EventsBody) -> None:
        try:
            async with aclosing(follow_thread(self._call, wanted)) as events:
                async for each in events:
                    await self._send(each.view)
        except CursorExpiredError as error:
            await self._send(failure(None, error, "unknown_error"))
        except Exception:
            logger.info("a subscription to thread %r was cut", self._call.path["thread_id"])
            self._broken.set()
            raise

    async def _send(self, message: dict[str, Any] | None) -> None:
        if message is None:
            return
        async with self._sending, asyncio.timeout(self._call.shared.settings.send_timeout):
            await self._websocket.send_text(json_text(message))


def _code_of(reading: asyncio.Task[None]) -> int | None:
    """Return what a connection is closed with; None if its client has left."""
    if reading.cancelled():
        return _AGAIN
    error = reading.exception()
    if error is None or isinstance(error, WebSocketDisconnect):
        return None
    logger.error("a WebSocket failed", exc_info=error)
    return _FAILED
