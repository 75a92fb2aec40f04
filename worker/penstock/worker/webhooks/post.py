"""Posting a delivery to its receiver."""

from __future__ import annotations

__all__ = ["LIMIT", "SECONDS", "post"]

import http.client
import importlib.metadata
import ssl
import time
from collections.abc import Mapping
from typing import Final

from penstock.publisher.errors import PenstockError
from penstock.runtime.redis.plans.hook_outbox import Outcome
from penstock.runtime.types.webhook_url import AllowedHosts, checked_url
from penstock.worker.webhooks.pinned import PinnedConnection, Resolve, checked_addresses, looked_up

SECONDS: Final = 10.0
"""Seconds that a receiver has for its whole answer."""

LIMIT: Final = 64 * 1024
"""Bytes of the answer that are read."""

_AGENT: Final = f"Penstock/{importlib.metadata.version('penstock')}"


def post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    allowed: AllowedHosts,
    *,
    resolve: Resolve = looked_up,
    seconds: float = SECONDS,
    context: ssl.SSLContext | None = None,
) -> Outcome:
    """Post a delivery, and say what came of it; raises nothing that a receiver causes."""
    began, at = time.monotonic(), time.time()
    try:
        status, error = _posted(url, headers, body, allowed, resolve, seconds, context)
    except TimeoutError:
        status, error = 0, f"no answer within {seconds:g} s"
    except (OSError, http.client.HTTPException, PenstockError, ValueError) as problem:
        status, error = 0, f"{type(problem).__name__}: {problem}"[:300]
    return Outcome(status, error, round(time.monotonic() - began, 3), at)


def _posted(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    allowed: AllowedHosts,
    resolve: Resolve,
    seconds: float,
    context: ssl.SSLContext | None,
) -> tuple[int, str]:
    began = time.monotonic()
    receiver = checked_url(url, allowed)
    addresses = checked_addresses(receiver, allowed, resolve)
    left = seconds - (time.monotonic() - began)
    if left <= 0:
        raise TimeoutError
    connection = PinnedConnection(receiver, addresses, left, context)
    told = {
        "Host": receiver.authority,
        "Content-Type": "application/json",
        "User-Agent": _AGENT,
        "Connection": "close",
        **headers,
    }
    try:
        connection.request("POST", receiver.target, body, told)
        answer = connection.getresponse()
        _read_to_end(answer)
        if connection.is_cut:  # which looks like the end of an answer without a length
            raise TimeoutError
    except (OSError, http.client.HTTPException, ValueError):
        if connection.is_cut:
            raise TimeoutError from None
        raise
    finally:
        connection.end()
    return answer.status, _problem(answer.status)


def _read_to_end(answer: http.client.HTTPResponse) -> None:
    """Read the answer to its end, or the limit: one that breaks off is none."""
    size = 0
    while size < LIMIT and (some := answer.read(LIMIT - size)):
        size += len(some)
    if answer.length and size < LIMIT:
        raise http.client.IncompleteRead(b"", answer.length)


def _problem(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"it answered {status}, a redirect, which is not followed"
    if status == 410:
        return "it answered 410: it asks for no more deliveries"
    return f"it answered {status}"
