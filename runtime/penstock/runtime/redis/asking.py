"""Sending requests of clients: again where no answer came, and one error where none comes."""

from __future__ import annotations

__all__ = ["aask", "ask", "unavailable"]

import asyncio
import time
from typing import Any, Final, cast

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,
    NoPermissionError,
    RedisError,
    TimeoutError,
)

from penstock.publisher.connection import refusal
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
                raise unavailable(error) from error
            time.sleep(PAUSE * tries)
        except RedisError as error:
            raise unavailable(error) from error


async def aask(connection: AsyncRedis, request: Request) -> Any:
    """As `ask`, on the running loop."""
    for tries in range(1, TRIES + 1):
        try:
            if isinstance(request, Call):
                return await arun(connection, request)
            return cast(Any, await connection.execute_command(*request))
        except (ConnectionError, TimeoutError, OSError) as error:
            if tries == TRIES:
                raise unavailable(error) from error
            await asyncio.sleep(PAUSE * tries)
        except RedisError as error:
            raise unavailable(error) from error


def unavailable(error: Exception) -> RedisUnavailableError:
    """Say in one error what keeps Redis from doing what was asked, and what to do."""
    text = str(error).rstrip(".")
    kind = RedisUnavailableError
    code = refusal(error)
    if code == "OOM":
        fix = "it is out of memory: raise maxmemory, or let runs go sooner (retention)"
    elif code == "READONLY":
        fix = "this is a replica: connect to the primary"
    elif isinstance(error, NoPermissionError):
        kind = RedisRightsError
        fix = "see what its user lacks: penstock doctor --user app (or worker, or reader)"
    elif isinstance(error, AuthenticationError) or code in ("NOAUTH", "WRONGPASS"):
        fix = "check user and password in the Redis URL"
    elif isinstance(error, (ConnectionError, TimeoutError, OSError)):
        fix = "start it, or give the right URL: PENSTOCK_REDIS_URL, --redis, or Client(url)"
    else:
        fix = "see `penstock doctor`"
    return kind(f"Redis cannot do this now: {text}; {fix}.")
