"""Sends the requests of clients."""

from __future__ import annotations

__all__ = ["aask", "ask", "send"]

from typing import Any, cast

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from penstock.publisher.redis.retries import awith_retries, with_retries
from penstock.publisher.redis.script import Call, arun, run
from penstock.runtime.redis.plans.requests import Reads, Request


def ask(connection: Redis, request: Request) -> Any:
    """Send a request and return the reply.

    Raises:
        RedisUnavailableError: Redis does not answer, or refuses.
    """
    return with_retries(lambda: send(connection, request), lambda: connection)


def send(connection: Redis, request: Request) -> Any:
    """Send a request once, and return the reply.

    Raises:
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    if isinstance(request, Call):
        return run(connection, request)
    if isinstance(request, Reads):
        with connection.pipeline(transaction=False) as pipeline:
            for command in request.commands:
                pipeline.execute_command(*command)
            return pipeline.execute()
    return cast(Any, connection.execute_command(*request))


async def aask(connection: AsyncRedis, request: Request) -> Any:
    """As `ask`, on the running loop."""

    async def send() -> Any:
        if isinstance(request, Call):
            return await arun(connection, request)
        if isinstance(request, Reads):
            async with connection.pipeline(transaction=False) as pipeline:
                for command in request.commands:
                    pipeline.execute_command(*command)
                return await pipeline.execute()
        return cast(Any, await connection.execute_command(*request))

    return await awith_retries(send, lambda: connection)
