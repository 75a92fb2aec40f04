"""URLs of Redis: those of Sentinel, which redis-py cannot read, and all as they may be shown."""

from __future__ import annotations

__all__ = ["SentinelURL", "redacted"]

import re
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlencode

import redis.connection

_FORM = re.compile(
    r"(?P<scheme>rediss?)\+sentinel://(?:(?P<user>[^@/?#]*)@)?(?P<hosts>[^@/?#]+)"
    r"/(?P<service>[^/?#]+)(?:/(?P<db>\d*))?(?:\?(?P<query>[^#]*))?"
)
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(?P<port>\d+))?")
_SECRET = re.compile(r"(?<=://)([^/?#@:]*):[^?#]*@")
_QUERY = re.compile(r"(?i)([?&][a-z_]*password=)[^&#]*")
PORT = 26379
_OF_SENTINELS = "sentinel_"


@dataclass(frozen=True, slots=True, repr=False)
class SentinelURL:
    """A service that Sentinels know the primary of.

    `redis+sentinel://user:password@host1:26379,host2:26379/mymaster/0`; `rediss+sentinel://` is the
    same with TLS, to the Sentinels too. User and password are those of the Redis servers; the
    Sentinels' own go into the query, as `?sentinel_username=...&sentinel_password=...`, and so do
    other settings of redis-py's, as `ssl_ca_certs=...`.
    """

    hosts: tuple[tuple[str, int], ...]
    service: str
    options: dict[str, Any]
    """Settings of connections to the Redis servers."""
    sentinel_options: dict[str, Any]
    """Settings of connections to the Sentinels."""

    @staticmethod
    def parse(url: str) -> SentinelURL | None:
        """Read a URL; None if it is of another kind.

        Raises:
            ValueError: it is one of Sentinel, and cannot be read.
        """
        if "+sentinel://" not in url.partition("?")[0]:
            return None
        found = _FORM.fullmatch(url)
        if found is None:
            raise ValueError(
                "one of Sentinel is redis+sentinel://host1:26379,host2:26379/service/0"
            )
        query = dict(parse_qsl(found["query"] or ""))
        own = {name: value for name, value in query.items() if name.startswith(_OF_SENTINELS)}
        shared = {name: value for name, value in query.items() if name not in own}
        options = _options(found["scheme"], found["user"], found["db"], shared)
        sentinel = _options(found["scheme"], None, None, shared)
        sentinel |= {name.removeprefix(_OF_SENTINELS): value for name, value in own.items()}
        hosts = tuple(_host(text) for text in found["hosts"].split(","))
        return SentinelURL(hosts, unquote(found["service"]), options, sentinel)

    def __repr__(self) -> str:
        return f"<SentinelURL {self.service}>"


def redacted(url: str) -> str:
    """Return a URL without its passwords, as logs, reprs and errors may have it."""
    return _QUERY.sub(r"\1***", _SECRET.sub(r"\1:***@", url))


def _options(
    scheme: str, user: str | None, db: str | None, query: dict[str, str]
) -> dict[str, Any]:
    """Read what all Redis URLs have as redis-py reads it."""
    login = f"{user}@" if user else ""
    url = f"{scheme}://{login}host/{db or 0}?{urlencode(query)}"
    options = cast("dict[str, Any]", redis.connection.parse_url(url))
    del options["host"]
    if options.pop("connection_class", None) is redis.connection.SSLConnection:
        options["ssl"] = True
    return options


def _host(text: str) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    if found is None:
        raise ValueError("a Sentinel is a host and a port, as in host1:26379")
    return found["name"].strip("[]"), int(found["port"] or PORT)
