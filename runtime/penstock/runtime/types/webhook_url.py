"""URLs of receivers of webhooks, and the addresses that nothing is sent to."""

from __future__ import annotations

__all__ = ["AllowedHosts", "Receiver", "checked_url", "is_public"]

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from penstock.runtime.errors import ConfigurationError

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

LIMIT: Final = 2048

_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 addresses as networks without IPv4 write them: the last four bytes."""

_UNICAST: Final = ipaddress.ip_network("2000::/3")
"""All IPv6 addresses of the internet."""

_PROTOCOLS: Final = ipaddress.ip_network("192.0.0.0/24")
"""IPv4 addresses that protocols use among machines beside each other."""

_METADATA: Final = frozenset({ipaddress.ip_address("168.63.129.16")})
"""Services of clouds for their machines that have a public address (Azure)."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """What a URL says of where to send, and what to ask there."""

    is_secure: bool
    host: str
    port: int
    target: str
    """The path, with the query."""

    @property
    def authority(self) -> str:
        """The header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_secure else 80) else f"{host}:{self.port}"


class AllowedHosts:
    """Hosts that may have private addresses: names, addresses, and networks as `10.0.0.0/8`."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._names = frozenset(host.lower().rstrip(".") for host in hosts)
        self._networks = [found for host in self._names if (found := _network(host)) is not None]

    def admits(self, host: str, address: str) -> bool:
        """Tell whether something may be sent to an address that a host has."""
        if host.lower().rstrip(".") in self._names:
            return True
        found = _plain(ipaddress.ip_address(address.partition("%")[0]))
        return is_public(address) or any(
            found.version == network.version and found in network for network in self._networks
        )


def is_public(address: str) -> bool:
    """Tell whether an address is one of the internet, and of no machine behind it.

    Private, loopback, link-local, shared, reserved and multicast ones are not, nor are those that
    carry such an IPv4 address inside, nor the services of clouds that know a machine's secrets.
    """
    found = _plain(ipaddress.ip_address(address.partition("%")[0]))
    if isinstance(found, ipaddress.IPv6Address):
        return found in _UNICAST and found.is_global and not (found.sixtofour or found.teredo)
    is_special = found.is_multicast or found in _PROTOCOLS or found in _METADATA
    return found.is_global and not is_special


def checked_url(url: object, allowed: AllowedHosts) -> Receiver:
    """Read the URL of a receiver.

    Raises:
        ConfigurationError: it is no http or https URL of a host, has a password or a fragment, or
            a private address that is not allowed.
    """
    if not isinstance(url, str) or not 1 <= len(url) <= LIMIT or not url.isascii():
        raise ConfigurationError(f"the URL of a webhook is an ASCII text of 1 to {LIMIT} bytes.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigurationError(f"the URL of a webhook cannot be read: {error}.") from None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or parts.fragment:
        raise ConfigurationError(
            "the URL of a webhook is https://HOST[:PORT][/PATH][?QUERY], or http, without user, "
            "password or fragment."
        )
    if any(character <= " " or character == "\x7f" for character in url):
        raise ConfigurationError("the URL of a webhook has no blanks or control characters.")
    _check_address(host, allowed)
    is_secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Receiver(is_secure, host, port or (443 if is_secure else 80), target)


def _check_address(host: str, allowed: AllowedHosts) -> None:
    """Refuse at once what will not be sent to; names are looked up when something is sent."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        is_refused = host.rstrip(".") == "localhost" and not allowed.admits(host, "127.0.0.1")
    else:
        is_refused = not allowed.admits(host, host)
    if is_refused:
        raise ConfigurationError(
            f"host {host!r} of a webhook is not on the internet: name it in the setting "
            "webhook_hosts of the workers and of this process if webhooks may be sent there."
        )


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, else the address."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _TRANSLATED:
            return ipaddress.ip_address(int(address) & 0xFFFFFFFF)
    return address


def _network(host: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(host, strict=False)
    except ValueError:
        return None
