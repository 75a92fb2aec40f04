"""What a client that reads slowly, or not at all, costs."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncGenerator, Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from penstock.gateway.auth.identity import LOCAL
from penstock.gateway.event_stream import EventStream
from penstock.gateway.settings import GatewaySettings
from penstock.gateway.shared import Shared
from penstock.gateway.streams import StreamCut
from penstock.publisher import Event
from penstock.runtime import AsyncClient
from tests.support.until import until

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Endless:
    """Serves events without end on a real socket, and sees how streams end."""

    def __init__(self) -> None:
        settings = GatewaySettings(send_timeout=0.5)
        self.shared = Shared(AsyncClient(), settings, is_open=True)
        self.made = 0
        self.cut = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = EventStream(self._events(), self.shared, LOCAL)
        try:
            await stream(scope, receive, send)
        except StreamCut:
            self.cut.set()
            raise

    async def _events(self) -> AsyncGenerator[Event]:
        while True:
            self.made += 1
            yield Event(self.made, "r", "r", "custom", (), "x" * 100_000, 1, 0.0)


@pytest.fixture
def endless() -> Iterator[tuple[Endless, int]]:
    """The app, and the port where it is served."""
    app = Endless()
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield app, listener.getsockname()[1]
    server.should_exit = server.force_exit = True
    thread.join(10.0)


def test_a_client_that_takes_nothing_is_cut_without_an_end(endless: tuple[Endless, int]) -> None:
    app, port = endless
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(REQUEST)

        assert app.cut.wait(20.0)
        assert app.made < 200  # what the buffers of two sockets hold, and no more
        received = b"".join(iter(lambda: _taken(client), b""))

    assert received.startswith(b"HTTP/1.1 200 OK")
    assert not received.endswith(b"0\r\n\r\n")
    assert len(app.shared.streams) == 0


def test_a_client_that_leaves_ends_its_stream(endless: tuple[Endless, int]) -> None:
    app, port = endless
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(REQUEST)
        client.recv(100)
        assert len(app.shared.streams) == 1

    until(lambda: not len(app.shared.streams), 10.0, "a stream that ends")
    assert not app.cut.is_set()


def _taken(client: socket.socket) -> bytes:
    try:
        return client.recv(1 << 20)
    except ConnectionResetError:
        return b""
