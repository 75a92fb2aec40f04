"""Requests to Redis that are sent again, and the one error where no answer comes."""

from __future__ import annotations

__all__ = ["awith_retries", "unavailable", "with_retries"]

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError, NoPermissionError, RedisError, TimeoutError

from penstock.publisher.errors import RedisRightsError, RedisUnavailableError
from penstock.publisher.redis.cause import explained

T = TypeVar("T")

TRIES: Final = 3
"""Requests are sent again, as none of them does its work twice."""

PAUSE: Final = 0.1
"""Seconds before the second try, twice as many before the third."""


def with_retries(send: Callable[[], T], client: Callable[[], Redis]) -> T:
    """Return a function's reply from Redis; the function is called again if no answer comes.

    `client` gives the client that it uses, which helps to explain an error.

    Raises:
        RedisUnavailableError: Redis does not answer, or refuses.
    """
    tries = 0
    while True:
        tries += 1
        try:
            return send()
        except (ConnectionError, TimeoutError, OSError) as error:
            if tries == TRIES:
                raise unavailable(error, client()) from error
            time.sleep(PAUSE * tries)
        except RedisError as error:
            raise unavailable(error, client()) from error


async def awith_retries(send: Callable[[], Awaitable[T]], client: Callable[[], AsyncRedis]) -> T:
    """As `with_retries`, on the running loop."""
    tries = 0
    while True:
        tries += 1
        try:
            return await _uncancelled(send())
        except (ConnectionError, TimeoutError, OSError) as error:
            if tries == TRIES:
                raise await asyncio.to_thread(unavailable, error, client()) from error
            await asyncio.sleep(PAUSE * tries)
        except RedisError as error:
            raise await asyncio.to_thread(unavailable, error, client()) from error


async def _uncancelled(answer: Awaitable[T]) -> T:
    """Await an answer, and do not go on if the caller was cancelled as it came.

    Before Python 3.12, `asyncio.wait_for`, which redis-py sends with, swallows such a cancellation:
    a time limit of the caller would be over, and nobody would tell the caller.
    """
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    found = await answer
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return found


def unavailable(error: Exception, connection: Any = None) -> RedisUnavailableError:
    """Make one error that says why Redis refuses or does not answer, and names the fix."""
    kind = RedisRightsError if isinstance(error, NoPermissionError) else RedisUnavailableError
    return kind(f"Redis cannot do this now: {explained(error, connection)}.")
