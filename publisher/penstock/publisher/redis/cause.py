"""Causes of Redis errors, and fixes for them."""

from __future__ import annotations

__all__ = ["explained", "fix_for", "waits_for"]

import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from redis.exceptions import (
    ConnectionError,
    InvalidResponse,
    RedisError,
    TimeoutError,
)

from penstock.publisher.redis.connection import refusal

PROBE: Final = 1.0
"""Seconds for a look whether a port speaks TLS."""

_CLUSTER: Final = (
    "it runs in cluster mode, where the keys of a run would not be together: give the URL of a "
    "Redis with `cluster-enabled no`; replicas and Sentinel are fine"
)
_OF_CODES: Final = {
    "ASK": _CLUSTER,
    "BUSY": "a script has been running for long: wait, or end it by `redis-cli script kill`",
    "CLUSTERDOWN": _CLUSTER,
    "CROSSSLOT": _CLUSTER,
    "DENIED": "it is in protected mode: set a password for it, or `protected-mode no`",
    "LOADING": "it is reading its data from disk: wait until `redis-cli ping` answers PONG",
    "MASTERDOWN": "it is a replica that has lost its primary: wait, or connect to the primary",
    "MISCONF": "it cannot write to its disk: see its log, and free space",
    "MOVED": _CLUSTER,
    "NOAUTH": "it requires a password: put it into the Redis URL, as in redis://:PASSWORD@host, or "
    "redis://USER:PASSWORD@host",
    "NOPERM": "see which rights its user lacks: penstock doctor --user app (or worker, or reader)",
    "NOREPLICAS": "too few of its replicas are connected: start them, or lower "
    "`min-replicas-to-write`",
    "OOM": "it is out of memory: raise maxmemory, or shorten the setting `retention`",
    "READONLY": "this is a replica: connect to the primary",
    "TRYAGAIN": _CLUSTER,
    "WRONGPASS": "check user and password in the Redis URL",
}
_OF_TEXTS: Final = {
    "without any password configured": "it has no password: take it out of the Redis URL, or set "
    "one by `requirepass`",
    "in cluster mode": _CLUSTER,
    "in a cluster": _CLUSTER,
    "the cluster is down": _CLUSTER,
    "to the same slot": _CLUSTER,
    "DB index is out of range": "it has no such database: end the Redis URL in a number that it "
    "has, /0 to /15 unless the option `databases` is higher",
    "max number of clients": "all its connections are in use: raise `maxclients`, or close some "
    "(`redis-cli client list`)",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted here: name its CA in the Redis "
    "URL, as in rediss://host:6379?ssl_ca_certs=/path/to/ca.pem",
    "Too many open files": "this process has no socket left: close clients that are not used, or "
    "raise the limit (`ulimit -n`)",
    "no Sentinel that answers": "ask the Sentinels: redis-cli -p 26379 sentinel masters",
}
_START: Final = "start it, or give the right URL: PENSTOCK_REDIS_URL, --redis, or Client(url)"
_PASSING: Final = frozenset({"BUSY", "LOADING", "MASTERDOWN"})


def fix_for(error: Exception, connection: Any = None) -> str:
    """Return the fix for an error of redis-py; with its client, also for wrong TLS."""
    for text, fix in _OF_TEXTS.items():
        if text in str(error):
            return fix
    if (code := refusal(error)) in _OF_CODES:
        return _OF_CODES[code]
    if code or not isinstance(error, RedisError | OSError):
        return "see `penstock doctor`"
    return _against_tls(connection) or (
        _START if _is_unresponsive(error) else "see `penstock doctor`"
    )


def explained(error: Exception, connection: Any = None) -> str:
    """Return the error's message and its fix, as one sentence without a full stop."""
    code, text = refusal(error), " ".join(str(error).split()) or type(error).__name__
    if code == "DENIED":  # a page of advice
        text = text.partition(". ")[0]
    if code in ("MOVED", "ASK"):
        text = f"{code} {text}"
    return f"{text.rstrip('.')}; {fix_for(error, connection)}"


def waits_for(error: Exception) -> bool:
    """Return whether Redis only refuses commands for now, so that waiting helps, even at start."""
    return refusal(error) in _PASSING or "max number of clients" in str(error)


def _is_unresponsive(error: Exception) -> bool:
    return isinstance(error, ConnectionError | TimeoutError | InvalidResponse | OSError)


def _against_tls(connection: Any) -> str:
    pool: Any = getattr(connection, "connection_pool", None)
    settings = getattr(pool, "connection_kwargs", {})
    host, port = settings.get("host"), settings.get("port", 6379)
    if host is None or hasattr(pool, "sentinel_manager"):
        return ""
    if "SSL" in pool.connection_class.__name__:
        if _probe(host, port, _answers_plainly):
            return "it does not speak TLS there: write redis:// in its URL, not rediss://"
    elif _probe(host, port, _answers_tls):
        return "it speaks TLS there: write rediss:// in its URL, not redis://"
    return ""


def _probe(host: str, port: int, test: Callable[[socket.socket], bool]) -> bool:
    try:
        with socket.create_connection((host, port), PROBE) as line:
            return test(line)
    except (OSError, ValueError):
        return False


def _answers_plainly(line: socket.socket) -> bool:
    line.sendall(b"PING\r\n")
    return line.recv(1) in (b"+", b"-")


def _answers_tls(line: socket.socket) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent on it
    try:
        context.wrap_socket(line).close()
    except ssl.SSLError as error:  # also one that wants a certificate of ours speaks it
        return "ALERT" in (error.reason or "")
    return True
