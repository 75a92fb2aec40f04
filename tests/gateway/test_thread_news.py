"""Those who wait for a thread are told of its runs, and of no others."""

from __future__ import annotations

import asyncio

from penstock.gateway.thread_news import ThreadNews


def test_all_who_wait_for_a_thread_are_woken_and_nobody_else() -> None:
    async def work() -> list[bool]:
        news = ThreadNews()
        waiting = [asyncio.ensure_future(news.wait(name, 30.0)) for name in ("one", "one", "two")]
        await asyncio.sleep(0)
        news.tell("one")
        news.tell("three")
        async with asyncio.timeout(5.0):
            await asyncio.gather(*waiting[:2])
        found = [each.done() for each in waiting]
        waiting[2].cancel()
        return found

    assert asyncio.run(work()) == [True, True, False]


def test_a_wait_ends_without_news() -> None:
    asyncio.run(ThreadNews().wait("one", 0.01))
