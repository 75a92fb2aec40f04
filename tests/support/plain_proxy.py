"""A TCP proxy for connections whose bytes have no lines, as those of WebSockets."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from tests.support.proxy import Proxy


class PlainProxy(Proxy):
    """Passes on bytes as they come: those of WebSockets have no lines."""

    def _pump_requests(self, link: Any) -> None:
        _pump(link, link.client, link.server)

    def _pump_replies(self, link: Any) -> None:
        _pump(link, link.server, link.client)


def _pump(link: Any, source: socket.socket, target: socket.socket) -> None:
    with link, suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
