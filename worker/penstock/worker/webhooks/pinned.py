"""Connections to an address that was checked, not to what a name stands for a moment later."""

from __future__ import annotations

__all__ = ["PinnedConnection", "RefusedAddressError", "checked_addresses"]

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from penstock.publisher.errors import PenstockError
from penstock.runtime.types.webhook_url import AllowedHosts, Receiver

Resolve: TypeAlias = Callable[[str, int], Sequence[tuple[int, tuple[Any, ...]]]]
"""Looks a host and a port up: pairs of an address family and a socket address."""


class RefusedAddressError(PenstockError):
    """The host of a receiver has an address that nothing is sent to."""


def looked_up(host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    """Look a host up."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(int(family), address) for family, _, _, _, address in found]


def checked_addresses(
    receiver: Receiver, allowed: AllowedHosts, resolve: Resolve = looked_up
) -> Sequence[tuple[int, tuple[Any, ...]]]:
    """Look a receiver up, and check every address that it has.

    Raises:
        RefusedAddressError: one of them is not on the internet, and not allowed.
        OSError: it has none.
    """
    found = resolve(receiver.host, receiver.port)
    if not found:
        raise OSError(f"host {receiver.host} has no address")
    for _, address in found:
        if not allowed.admits(receiver.host, str(address[0])):
            raise RefusedAddressError(
                f"host {receiver.host} has the address {address[0]}, which is not on the internet: "
                "name it in the setting webhook_hosts if webhooks may be sent there"
            )
    return found


class PinnedConnection(http.client.HTTPConnection):
    """An HTTP connection to the first checked address that answers; closed after `seconds`.

    The limit is for all together: a receiver that sends a byte now and then is cut off, too.
    """

    def __init__(
        self,
        receiver: Receiver,
        addresses: Sequence[tuple[int, tuple[Any, ...]]],
        seconds: float,
        context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(receiver.host, receiver.port)
        self._receiver = receiver
        self._addresses = addresses
        self._context = context
        self._ends = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._socket: socket.socket | None = None
        self.is_cut = False

    def connect(self) -> None:
        """Connect to one of the addresses, and for https prove that it is the host."""
        self._timer.start()
        self.sock = self._socket = self._first()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._receiver.is_secure:
            context = self._context or ssl.create_default_context()
            secure = context.wrap_socket(
                self.sock, server_hostname=self._receiver.host, do_handshake_on_connect=False
            )
            self.sock = self._socket = secure
            secure.do_handshake()

    def _first(self) -> socket.socket:
        error: OSError = TimeoutError("no address was tried")
        for number, (family, address) in enumerate(self._addresses):
            left = self._ends - time.monotonic()
            if left <= 0:
                break
            found = socket.socket(family, socket.SOCK_STREAM)
            try:
                # The others have their share of the time, too, if this one does not answer.
                found.settimeout(left / (len(self._addresses) - number))
                found.connect(address)
                found.settimeout(left)
            except OSError as refusal:
                found.close()
                error = refusal
            else:
                return found
        raise error

    def _cut(self) -> None:
        """End the connection under whoever reads from it, also in the middle of the answer."""
        self.is_cut = True
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def end(self) -> None:
        """Close the connection for good, which http.client does not do in `close` alone."""
        self._timer.cancel()
        self.close()
