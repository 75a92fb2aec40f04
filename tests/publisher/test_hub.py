from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from functools import wraps
from typing import Any, ParamSpec

import pytest
import redis
from fakeredis import FakeAsyncRedis
from redis.asyncio.client import PubSub

from penstock.publisher import channel as channel_module
from penstock.publisher import hub as hub_module
from penstock.publisher.channel import BUFFER, Channel, Subscriber
from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import ConfigurationError, RedisUnavailableError
from penstock.publisher.event import TERMINAL, Event
from penstock.publisher.hub import Hub, asubscribe
from penstock.publisher.publish import AsyncPublisher
from tests.publisher.following import subscribers

END = (TERMINAL, None)
P = ParamSpec("P")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test passes just because a silence makes the hub look again."""
    monkeypatch.setattr(hub_module, "IDLE", 60.0)


def in_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test, and see that it leaves no task behind."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def main() -> None:
            async with asyncio.timeout(20):
                await test(*args, **kwargs)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(main())

    return run


async def seqs(events: AsyncIterator[Event]) -> list[int]:
    return [event.seq async for event in events]


async def follow(hub: Hub, run_id: str) -> list[int]:
    async with hub.subscribe(run_id) as events:
        return await seqs(events)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.002)


class CountingCodec(Codec):
    def __init__(self) -> None:
        super().__init__()
        self.revived: Counter[Any] = Counter()

    def revive(self, tree: Any) -> Any:
        self.revived[repr(tree)] += 1
        return super().revive(tree)


@in_loop
async def test_f53_a_thousand_subscribers_of_one_run_see_every_event(
    redis_url: str, redis_client: redis.Redis
) -> None:
    codec = CountingCodec()
    async with Hub(redis_url, codec=codec) as hub, AsyncPublisher(redis_url) as publisher:
        tasks = [asyncio.create_task(follow(hub, "r")) for _ in range(1000)]
        await until(lambda: subscribers(redis_client, "r"))
        for n in range(1, 200):
            await publisher.publish("r", [("custom", n)])
        await publisher.publish("r", [END])

        for task in tasks:
            assert await task == list(range(1, 201))

    assert max(codec.revived.values()) <= 4  # once a message, and a read or two while they join


@in_loop
async def test_f53_many_runs_share_two_connections(
    redis_url: str, redis_client: redis.Redis
) -> None:
    redis_client.ping()
    before = len(redis_client.client_list())
    runs = [f"r{n}" for n in range(100)]
    async with Hub(redis_url) as hub:
        tasks = [asyncio.create_task(follow(hub, run_id)) for run_id in runs]
        await until(lambda: all(subscribers(redis_client, run_id) for run_id in runs))
        assert len(redis_client.client_list()) <= before + 2

        async with AsyncPublisher(redis_url) as publisher:
            for run_id in runs:
                await publisher.publish(run_id, [("custom", run_id), END])
        assert await asyncio.gather(*tasks) == [[1, 2]] * 100

    await until(lambda: len(redis_client.client_list()) == before)


@in_loop
async def test_a_connection_that_breaks_while_subscribers_come_and_go_is_replaced(
    redis_url: str, redis_client: redis.Redis
) -> None:
    async def glance(hub: Hub, run_id: str) -> None:
        async with hub.subscribe(run_id, timeout=0.01) as events:
            with pytest.raises(TimeoutError):
                await seqs(events)

    async with Hub(redis_url) as hub, AsyncPublisher(redis_url) as publisher:
        staying = asyncio.create_task(follow(hub, "staying"))
        for number in range(30):
            glances = [asyncio.create_task(glance(hub, f"{number}-{i}")) for i in range(5)]
            await asyncio.sleep(0.005)
            redis_client.client_kill_filter(_type="pubsub")
            await asyncio.gather(*glances)
        await publisher.publish("staying", [END])

        assert await staying == [1]


@in_loop
async def test_the_last_subscriber_to_leave_ends_the_subscription(
    redis_url: str, redis_client: redis.Redis
) -> None:
    async with Hub(redis_url) as hub:
        async with hub.subscribe("r"):
            async with hub.subscribe("r"):
                await until(lambda: subscribers(redis_client, "r") == 1)
            async with hub.subscribe("other"):
                await until(lambda: subscribers(redis_client, "other") == 1)
            assert subscribers(redis_client, "r") == 1
        await until(lambda: subscribers(redis_client, "r") == 0)

        async with AsyncPublisher(redis_url) as publisher, hub.subscribe("r") as events:
            await until(lambda: subscribers(redis_client, "r") == 1)
            await publisher.publish("r", [END])
            assert await seqs(events) == [1]


@in_loop
async def test_who_comes_as_another_leaves_whose_subscription_is_on_its_way_misses_nothing(
    redis_url: str, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, writes, written = asyncio.Event(), asyncio.Event(), asyncio.Event()
    writes.set()
    written.set()
    subscribe = PubSub.subscribe

    async def write_slowly(pubsub: PubSub, *names: Any) -> None:
        begun.set()
        await writes.wait()
        await subscribe(pubsub, *names)
        await written.wait()

    monkeypatch.setattr(PubSub, "subscribe", write_slowly)
    async with Hub(redis_url) as hub, AsyncPublisher(redis_url) as publisher:
        await publisher.publish("r", [("custom", 1), END])
        async with hub.subscribe("other") as others:
            await publisher.publish("other", [("custom", 1)])
            await anext(others)
            for each in (begun, writes, written):
                each.clear()
            async with hub.subscribe("r"):
                await begun.wait()
            writes.set()
            await until(lambda: subscribers(redis_client, "r"))
            await publisher.publish("other", [("custom", 2)])
            await anext(others)  # so what Redis has said before is read, too
            follower = asyncio.create_task(follow(hub, "r"))
            await asyncio.sleep(0)
            written.set()

            async with asyncio.timeout(5):
                assert await follower == [1, 2]


@in_loop
async def test_a_slow_subscriber_delays_nobody_and_reads_what_is_stored(redis_url: str) -> None:
    async with (
        Hub(redis_url) as hub,
        AsyncPublisher(redis_url) as publisher,
        AsyncExitStack() as stack,
    ):
        slow = await stack.enter_async_context(hub.subscribe("r"))
        fast = await stack.enter_async_context(hub.subscribe("r"))
        await publisher.publish("r", [("custom", 1)])
        assert (await anext(slow)).seq == (await anext(fast)).seq == 1
        assert isinstance(slow, Subscriber)

        weights: list[int] = []
        for seq in range(2, 402):  # five times what the buffer holds
            await publisher.publish("r", [("custom", "x" * 25_000)])
            assert (await anext(fast)).seq == seq
            weights.append(slow.weight)
        assert BUFFER * 0.9 < max(weights) <= BUFFER

        await publisher.publish("r", [(TERMINAL, "x" * 60_000)])
        assert await seqs(fast) == [402]
        assert await seqs(slow) == list(range(2, 403))


@in_loop
async def test_subscribers_that_fall_behind_together_share_the_reads(
    redis_url: str, redis_client: redis.Redis
) -> None:
    async with Hub(redis_url) as hub, AsyncPublisher(redis_url) as publisher:
        tasks = [asyncio.create_task(follow(hub, "r")) for _ in range(300)]
        await until(lambda: subscribers(redis_client, "r"))
        await publisher.publish("r", [("custom", 1)])
        redis_client.config_resetstat()

        redis_client.client_kill_filter(_type="pubsub")
        await until(lambda: subscribers(redis_client, "r"))
        await publisher.publish("r", [("custom", "x" * 100_000), END])
        assert await asyncio.gather(*tasks) == [[1, 2, 3]] * 300

        stats: Any = redis_client.info("commandstats")
        assert stats["cmdstat_lrange"]["calls"] < 20


@in_loop
async def test_a_cancelled_consumer_leaves_nothing_behind(
    redis_url: str, redis_client: redis.Redis
) -> None:
    async with Hub(redis_url) as hub:
        tasks = [asyncio.create_task(follow(hub, f"r{n % 3}")) for n in range(30)]
        await until(lambda: all(subscribers(redis_client, f"r{n}") for n in range(3)))

        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

        await until(lambda: not any(subscribers(redis_client, f"r{n}") for n in range(3)))
        await until(lambda: len(asyncio.all_tasks()) == 4)  # this one, and three of the hub


@in_loop
async def test_a_cancelled_wait_loses_no_event(redis_url: str) -> None:
    async with Hub(redis_url) as hub, AsyncPublisher(redis_url) as publisher:
        async with hub.subscribe("r") as events:
            seen: list[int] = []
            for n in range(1, 101):
                wait = asyncio.ensure_future(anext(events))
                await asyncio.sleep(0.0001 * (n % 10))
                wait.cancel()
                await asyncio.wait((wait,))
                assert wait.cancelled()
                await publisher.publish("r", [("custom", n)])
                seen.append((await anext(events)).seq)
            await publisher.publish("r", [END])
            seen += await seqs(events)

    assert seen == list(range(1, 102))


@in_loop
async def test_a_subscription_has_its_own_hub_where_none_is_given(
    redis_url: str, redis_client: redis.Redis
) -> None:
    redis_client.ping()
    before = len(redis_client.client_list())
    async with AsyncPublisher(redis_url) as publisher:
        await publisher.publish("r", [("custom", 1), END])

    async with asubscribe("r", connection=redis_url) as events:
        assert await seqs(events) == [1, 2]
    async with Hub(redis_url) as hub, asubscribe("r", 1, hub=hub) as events:
        assert await seqs(events) == [2]

    await until(lambda: len(redis_client.client_list()) == before)


@in_loop
async def test_a_hub_that_closes_ends_those_who_wait(redis_url: str) -> None:
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(Hub(redis_url))
        tasks = [asyncio.create_task(follow(hub, f"r{n % 2}")) for n in range(4)]
        await asyncio.sleep(0)
        await stack.aclose()

        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, ConfigurationError)
            assert "is closed" in str(result)


@in_loop
async def test_a_hub_is_used_inside_of_its_block() -> None:
    hub = Hub("redis://localhost:1")

    with pytest.raises(ConfigurationError, match="async with"):
        async with hub.subscribe("r"):
            pass


@in_loop
async def test_a_run_that_cannot_be_read_is_its_subscribers_error_alone(
    redis_url: str, redis_client: redis.Redis
) -> None:
    redis_client.set("penstock:events:bad", "text", ex=60)
    async with Hub(redis_url) as hub, AsyncPublisher(redis_url) as publisher:
        good = asyncio.create_task(follow(hub, "good"))
        for _ in range(2):
            with pytest.raises(RedisUnavailableError, match="WRONGTYPE"):
                await follow(hub, "bad")

        await publisher.publish("good", [END])
        assert await good == [1]


@in_loop
async def test_the_longest_wait_can_be_given(redis_url: str) -> None:
    async with Hub(redis_url) as hub, hub.subscribe("r", timeout=0.1) as events:
        with pytest.raises(TimeoutError, match=r"no event of run 'r' for 0\.1 s"):
            await anext(events)


@in_loop
async def test_a_frame_over_the_whole_buffer_still_arrives(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_module, "BUFFER", 10)
    async with Hub(redis_url) as hub, AsyncPublisher(redis_url) as publisher:
        async with hub.subscribe("r") as events:
            for seq in range(1, 50):
                await publisher.publish("r", [("custom", seq)])
                if seq % 3 == 0:
                    assert (await anext(events)).seq == seq // 3
            await publisher.publish("r", [END])
            assert await seqs(events) == list(range(17, 51))


@in_loop
async def test_it_works_on_a_server_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "IDLE", 0.02)
    async with FakeAsyncRedis() as client, AsyncPublisher(client) as publisher:
        async with asubscribe("r", connection=client) as events:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):  # several silences
                    await anext(events)
            for seq in range(1, 6):
                await publisher.publish("r", [("custom", seq)])
                assert (await anext(events)).seq == seq
            await publisher.publish("r", [END])
            assert await seqs(events) == [6]


def test_a_channel_nobody_listens_to_takes_messages() -> None:
    channel = Channel("r")

    channel.offer(b"1\n{}", 1.0)

    assert channel.received_at == 1.0
