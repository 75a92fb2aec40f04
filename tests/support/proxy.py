"""A TCP proxy before a Redis server, to break connections in chosen ways."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

Direction = Literal["requests", "replies"]

_SUBSCRIBING = {
    *(b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE"),
    *(b"UNSUBSCRIBE", b"PUNSUBSCRIBE", b"SUNSUBSCRIBE"),
}
_PUSHED = {name.lower() for name in _SUBSCRIBING} | {b"message", b"pmessage", b"smessage"}


class Proxy:
    """Passes everything through until told otherwise; `heal` passes again.

    | call       | as in life                                                          |
    |------------|---------------------------------------------------------------------|
    | cut        | every connection breaks, new ones work                              |
    | refuse     | every connection breaks, new ones too                               |
    | blackhole  | a partition: connections stay, nothing arrives until it heals       |
    | delay      | a slow network: each reply comes later                              |
    | drop_reply | a command is carried out, but its reply is lost with the connection |
    | switch     | a failover: every connection breaks, new ones reach another server  |
    """

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._refusing = False
        self._delay = 0.0
        self._drop: _Drop | None = None
        self._open: dict[Direction, threading.Event] = {
            "requests": threading.Event(),
            "replies": threading.Event(),
        }
        self.dropped = threading.Event()
        self.heal()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """What a client connects to in place of the server."""
        return f"redis://127.0.0.1:{self.port}"

    def heal(self) -> None:
        """Let everything pass again; what a blackhole held up arrives now."""
        self._refusing = False
        self._delay = 0.0
        self._drop = None
        for gate in self._open.values():
            gate.set()

    def cut(self) -> None:
        """Break the connections there are."""
        with self._lock:
            links, self._links = self._links, set()
        for link in links:
            link.close()

    def refuse(self) -> None:
        """Break the connections there are and any new one."""
        self._refusing = True
        self.cut()

    def switch(self, port: int) -> None:
        """Lead to another server from now on."""
        self._upstream = port
        self.cut()

    def blackhole(self, *directions: Direction) -> None:
        """Hold up what goes through, both ways or only "requests" or "replies"."""
        for direction in directions or self._open:
            self._open[direction].clear()

    def delay(self, seconds: float) -> None:
        """Let replies wait."""
        self._delay = seconds

    def drop_reply(self, nth: int = 1, command: str = "") -> None:
        """Lose the nth reply from now on, of any command or of this one, and its connection.

        `dropped` is set once it has happened.
        """
        self.dropped.clear()
        self._drop = _Drop(nth, command.upper().encode())

    def close(self) -> None:
        """End the proxy and all connections."""
        self.heal()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.refuse()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                client.close()
                continue
            link = _Link(client, server)
            with self._lock:
                self._links.add(link)
            if self._refusing:
                self.cut()
            for pump in (self._pump_requests, self._pump_replies):
                threading.Thread(target=pump, args=[link], daemon=True).start()

    def _pump_requests(self, link: _Link) -> None:
        frames = _Frames()
        with link, suppress(OSError):
            while data := link.client.recv(65536):
                self._open["requests"].wait()
                with self._lock:
                    link.awaited.extend(_commands(frames.feed(data)))
                link.server.sendall(data)

    def _pump_replies(self, link: _Link) -> None:
        frames = _Frames()
        with link, suppress(OSError):
            while data := link.server.recv(65536):
                self._open["replies"].wait()
                time.sleep(self._delay)
                for frame in frames.feed(data):
                    if self._loses(frame, link):
                        return self.dropped.set()
                    link.client.sendall(frame)

    def _loses(self, frame: bytes, link: _Link) -> bool:
        if _is_push(frame):
            return False
        with self._lock:
            command = link.awaited.popleft() if link.awaited else b""
            drop = self._drop
            if drop is None or (drop.command and drop.command != command):
                return False
            drop.left -= 1
            if drop.left:
                return False
            self._drop = None
            return True


@dataclass
class _Drop:
    left: int
    command: bytes


@dataclass(eq=False)
class _Link:
    """One client's connection and ours to the server; broken as soon as either side ends."""

    client: socket.socket
    server: socket.socket
    awaited: deque[bytes] = field(default_factory=deque[bytes])

    def close(self) -> None:
        for side in (self.client, self.server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Frames:
    """Cuts a byte stream into whole RESP values."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        frames: list[bytes] = []
        self._rest += data
        while (end := _end(self._rest, 0)) is not None:
            frames.append(self._rest[:end])
            self._rest = self._rest[end:]
        return frames


def _end(data: bytes, start: int) -> int | None:
    """Where the RESP value at `start` ends, if it is all there."""
    line = data.find(b"\r\n", start)
    if line < 0:
        return None
    kind, after = data[start : start + 1], line + 2
    if kind not in b"$=!*~>%|":
        return after
    size = int(data[start + 1 : line])
    if kind in b"$=!":
        end = after if size < 0 else after + size + 2
        return end if end <= len(data) else None
    for _ in range(size * 2 if kind in b"%|" else size):
        part = _end(data, after)
        if part is None:
            return None
        after = part
    return after


def _commands(requests: list[bytes]) -> list[bytes]:
    """The names of the commands that will be answered, one reply each."""
    names = [_first_word(request).upper() for request in requests]
    return [name for name in names if name not in _SUBSCRIBING]


def _is_push(frame: bytes) -> bool:
    """Whether a frame answers no command: pub/sub, in RESP3 and RESP2."""
    return frame[:1] == b">" or (frame[:1] == b"*" and _first_word(frame) in _PUSHED)


def _first_word(array: bytes) -> bytes:
    parts = array.split(b"\r\n", 3)
    return parts[2] if len(parts) > 2 else b""
