"""Where health is asked for: `[HOST:]PORT`."""

from __future__ import annotations

__all__ = ["Address"]

import os
import socket
from dataclasses import dataclass
from typing import Self

from penstock.publisher.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port; without a host, all addresses of this machine."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `9100`, `127.0.0.1:9100` or `[::1]:9100`; port 0 is any free one.

        Raises:
            ConfigurationError: it is none of these.
        """
        host, _, port = text.rpartition(":")
        if not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ConfigurationError(
                f"{text!r} is no [HOST:]PORT; write a port, as in 9100, or 127.0.0.1:9100."
            )
        return cls(host.removeprefix("[").removesuffix("]"), int(port))

    def listen(self) -> socket.socket:
        """Return a socket that listens there, and does not block.

        Raises:
            ConfigurationError: the system refuses it, as another program listens there.
        """
        try:
            listener = self._bound()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else error
            raise ConfigurationError(
                f"cannot listen on {self}: {why}; use another address."
            ) from error
        listener.setblocking(False)
        return listener

    def _bound(self) -> socket.socket:
        if not self.host and socket.has_dualstack_ipv6():
            where = ("", self.port)
            try:
                return socket.create_server(where, family=socket.AF_INET6, dualstack_ipv6=True)
            except OSError:  # IPv6 may be switched off
                return socket.create_server(where)
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        return socket.create_server((self.host, self.port), family=family)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host or "*"
        return f"{host}:{self.port}"
