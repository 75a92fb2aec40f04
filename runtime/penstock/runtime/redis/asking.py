"""Sending requests of clients: again where no answer came, and one error where none comes."""

from __future__ import annotations

__all__ = ["aask", "ask", "unavailable"]

import asyncio
import time
from typing import Any, Final, cast

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError, NoPermissionError, RedisError, TimeoutError

from penstock.publisher.cause import explained
from penstock.publisher.errors import RedisRightsError, RedisUnavailableError
from penstock.publisher.script import Call, arun, run
from penstock.runtime.redis.requests import Request

TRIES: Final = 3
"""Requests are sent again, as none of them does its work twice."""

PAUSE: Final = 0.1
"""Seconds before the second try, twice as many before the third."""


def ask(connection: Redis, request: Request) -> Any:
    """Send a request and return the reply.

    Raises:
        RedisUnavailableError: Redis does not answer, or refuses.
    """
    for tries in range(1, TRIES + 1):
        try:
            if isinstance(request, Call):
                return run(connection, request)
            return cast(Any, connection.execute_command(*request))
        except (ConnectionError, TimeoutError, OSError) as error:
            if tries == TRIES:
                raise unavailable(error, connection) from error
            time.sleep(PAUSE * tries)
        except RedisError as error:
            raise unavailable(error, connection) from error


async def aask(connection: AsyncRedis, request: Request) -> Any:
    """As `ask`, on the running loop."""
    for tries in range(1, TRIES + 1):
        try:
            if isinstance(request, Call):
                return await arun(connection, request)
            return cast(Any, await connection.execute_command(*request))
        except (ConnectionError, TimeoutError, OSError) as error:
            if tries == TRIES:
                raise await asyncio.to_thread(unavailable, error, connection) from error
            await asyncio.sleep(PAUSE * tries)
        except RedisError as error:
            raise await asyncio.to_thread(unavailable, error, connection) from error


def unavailable(error: Exception, connection: Any = None) -> RedisUnavailableError:
    """Say in one error what keeps Redis from doing what was asked, and what to do."""
    kind = RedisRightsError if isinstance(error, NoPermissionError) else RedisUnavailableError
    return kind(f"Redis cannot do this now: {explained(error, connection)}.")
