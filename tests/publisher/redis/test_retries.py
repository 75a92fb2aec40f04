from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, cast

import pytest

from penstock.publisher.redis.retries import awith_retries


def test_a_cancellation_that_comes_with_an_answer_is_not_lost() -> None:
    """`asyncio.wait_for`, which redis-py sends with, swallows it before Python 3.12."""

    async def cancelled() -> None:
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def send() -> Awaitable[int]:
            return asyncio.wait_for(answer, 10)

        asking = asyncio.create_task(awith_retries(send, lambda: cast(Any, None)))
        await asyncio.sleep(0)
        answer.set_result(1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(cancelled())
