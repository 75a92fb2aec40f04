"""A receiver of webhooks: a real HTTP server in a thread, which can misbehave."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast


@dataclass(frozen=True, slots=True)
class Received:
    """A request that came."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.time)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[["Handler"], object]


class Handler(BaseHTTPRequestHandler):
    """Notes a request, then answers as the receiver is told to."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        receiver = cast("_Server", self.server).receiver
        size = int(self.headers.get("content-length", 0))
        body = self.rfile.read(size)
        headers = {name.lower(): value for name, value in self.headers.items()}
        receiver.take(Received(self.path, headers, body))
        with contextlib.suppress(OSError):
            receiver.behaviour(self)
        self.close_connection = True

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Write nothing: whoever misbehaves meets broken connections."""


def well(handler: Handler) -> None:
    handler.answer(204)


def status(code: int, **headers: str) -> Behaviour:
    return lambda handler: handler.answer(code, b"no", **headers)


class Receiver:
    """Receives until the end of the context; `behaviour` says how it answers."""

    def __init__(self, behaviour: Behaviour = well, host: str = "127.0.0.1") -> None:
        self.behaviour = behaviour
        self.received: list[Received] = []
        self._changed = threading.Condition()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        kind = type("_Bound", (_Server,), {"address_family": family})
        self._server: _Server = kind((host, 0), Handler)
        self._server.receiver = self
        self.port: int = self._server.server_address[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}/in"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def take(self, received: Received) -> None:
        with self._changed:
            self.received.append(received)
            self._changed.notify_all()

    def wait_for(self, count: int, timeout: float = 20.0) -> list[Received]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.received) >= count, timeout), (
                f"{len(self.received)} of {count} deliveries came"
            )
            return list(self.received)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def is_signed(received: Received, secret: str) -> bool:
    """Verify a delivery as the specification of Standard Webhooks says, without Penstock's code."""
    key = base64.b64decode(secret.split("_", 1)[1])
    head = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}."
    wanted = hmac.digest(key, head.encode() + received.body, hashlib.sha256)
    given = [
        base64.b64decode(each.split(",", 1)[1])
        for each in received.headers.get("webhook-signature", "").split()
        if each.startswith("v1,")
    ]
    is_now = abs(time.time() - int(received.headers["webhook-timestamp"])) < 300
    return is_now and any(hmac.compare_digest(each, wanted) for each in given)
