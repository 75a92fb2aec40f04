"""A minimal HTTP server for probes: one short answer a connection, no thread of its own."""

from __future__ import annotations

__all__ = ["Answer", "HTTPServer"]

import dataclasses
import logging
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from penstock.worker.health.address import Address

logger = logging.getLogger(__name__)

MOST: Final = 32
"""Connections at once; the oldest is closed for a new one."""

LONGEST: Final = 8192
"""Bytes of a request."""

PATIENCE: Final = 5.0
"""Seconds that a client has to send its request."""

SENDING: Final = 1.0
"""Seconds that a client may keep the server from sending its answer."""

_REASONS: Final = {
    200: "OK",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    501: "Not Implemented",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back: a status, a text, and of which type it is."""

    status: int
    body: str
    content_type: str = "application/json"


@dataclass(slots=True)
class _Client:
    began: float = field(default_factory=time.monotonic)
    request: bytes = b""


class HTTPServer:
    """Answers GET and HEAD. Its owner waits for `fileno`, and calls `serve` when it is readable.

    So a process that forks needs no thread for it, and one that is stuck does not answer.
    """

    def __init__(self, address: Address, answer: Callable[[str], Answer]) -> None:
        self._answer = answer
        self._listener = address.listen()
        logger.info(
            "health is served on %s",
            dataclasses.replace(address, port=self.port),
            extra={"event": "health.served", "port": self.port},
        )
        self._clients: dict[socket.socket, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._listener.getsockname()[1])

    def fileno(self) -> int:
        """Return what becomes readable when there is something to do."""
        number: int = self._selector.fileno()
        return number

    def serve(self, timeout: float = 0.0) -> None:
        """Take connections and answer requests that are there, or come within `timeout` s."""
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._listener:
                self._accept()
            elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._clients:
                self._read(key.fileobj)  # it is none any more if a newcomer has just pushed it out
        oldest = time.monotonic() - PATIENCE
        for client in [each for each, state in self._clients.items() if state.began < oldest]:
            self._drop(client)

    def close(self) -> None:
        """Close all connections, in this process: one that it was forked from goes on."""
        for client in self._clients:  # not unregistered, as the selector is shared with that one
            client.close()
        self._selector.close()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it has gone
            client, _ = self._listener.accept()
            client.setblocking(False)
            if len(self._clients) >= MOST:
                self._drop(next(iter(self._clients)))
            self._clients[client] = _Client()
            self._selector.register(client, selectors.EVENT_READ)

    def _read(self, client: socket.socket) -> None:
        state = self._clients[client]
        try:
            received = client.recv(LONGEST)
        except OSError:
            received = b""
        state.request += received
        is_whole = b"\r\n\r\n" in state.request or b"\n\n" in state.request
        if received and not is_whole and len(state.request) < LONGEST:
            return
        try:
            if is_whole:
                self._send(client, state.request)
        finally:
            self._drop(client)

    def _send(self, client: socket.socket, request: bytes) -> None:
        method, _, rest = request.partition(b" ")
        path = rest.split()[0].decode("latin-1") if rest.split() else "/"
        answer = Answer(405, "only GET\n", "text/plain")
        if method in (b"GET", b"HEAD"):
            answer = self._answer_to(path.partition("?")[0])
        body = answer.body.encode()
        head = (
            f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unavailable')}\r\n"
            f"Content-Type: {answer.content_type}\r\nContent-Length: {len(body)}\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        with suppress(OSError):
            client.settimeout(SENDING)
            client.sendall(head.encode() + (b"" if method == b"HEAD" else body))

    def _answer_to(self, path: str) -> Answer:
        try:
            return self._answer(path)
        except Exception:  # such as a collector of the app's that raises
            logger.exception("%s cannot be answered", path, extra={"event": "health.broken"})
            return Answer(500, "this failed; the log of the process says why\n", "text/plain")

    def _drop(self, client: socket.socket) -> None:
        del self._clients[client]
        self._selector.unregister(client)
        client.close()
