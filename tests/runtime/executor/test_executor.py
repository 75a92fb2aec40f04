from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from penstock.publisher.redis.script import run
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.executor.executor import Executor
from penstock.runtime.redis.calls import Death
from penstock.runtime.redis.replies import Claim
from penstock.runtime.settings import Settings
from penstock.worker.process.app_loader import load_app
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import FLOWS
from tests.support.late import LateCancels

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


@pytest.fixture
def client(redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Client]:
    monkeypatch.setenv("PENSTOCK_TEST_JOURNAL", str(tmp_path / "journal"))
    with Client(redis_url, settings=Settings(redis=redis_url)) as client:
        yield client


@pytest.fixture
def ended() -> list[None]:
    """One item for each run that the executor has let go."""
    return []


@pytest.fixture
def executor(redis_url: str, client: Client, ended: list[None]) -> Iterator[Executor]:
    settings = Settings(redis=redis_url, lease=2.0, renew=0.1)
    executor = Executor(
        redis_url, load_app([str(FLOWS)]), settings, on_end=lambda: ended.append(None)
    )
    yield executor
    executor.close()


@pytest.fixture
def claim(executor: Executor, redis_client: redis.Redis) -> Callable[[RunHandle], Claim]:
    def claim(handle: RunHandle) -> Claim:
        call = executor.calls.acquire(handle.run_id, "", uuid.uuid4().hex[:16], 2.0)
        claimed = executor.calls.acquired(run(redis_client, call))
        assert isinstance(claimed, Claim)
        return claimed

    return claim


Claims = Callable[[RunHandle], Claim]


def test_it_executes_many_runs_at_once(
    executor: Executor, client: Client, claim: Claims, ended: list[None], redis_client: redis.Redis
) -> None:
    handles = [client.enqueue(kind, {"steps": 3}) for kind in ("steps", "asteps") * 5]
    claims = [claim(handle) for handle in handles]

    async def work() -> None:
        await asyncio.gather(*[executor.begin(each) for each in claims])

    asyncio.run(work())

    assert [handle.result(1) for handle in handles] == [[0, 1, 2]] * 10
    assert len(ended) == 10
    Checker(redis_client).check(over=True)


def test_a_drain_hands_runs_over(
    executor: Executor, client: Client, claim: Claims, ended: list[None], redis_client: redis.Redis
) -> None:
    handles = [client.enqueue(kind, {"steps": 50, "seconds": 0.1}) for kind in ("steps", "asteps")]
    claims = [claim(handle) for handle in handles]

    async def work() -> None:
        tasks = [executor.begin(each) for each in claims]
        await asyncio.sleep(0.3)
        executor.hand_over()
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks)

    asyncio.run(work())

    assert [handle.status() for handle in handles] == ["queued"] * 2
    assert [handle.info().attempt for handle in handles] == [1, 1]
    assert len(ended) == 2
    checker = Checker(redis_client)
    checker.check()
    for handle in handles:
        handle.cancel()
    checker.check(over=True)


def test_a_cancel_is_heard_with_the_next_renewal(
    executor: Executor, client: Client, claim: Claims, redis_client: redis.Redis
) -> None:
    handle = client.enqueue("nap", 30.0)
    claimed = claim(handle)

    async def work() -> None:
        task = executor.begin(claimed)
        handle.cancel()  # nobody listens to the control channel here
        async with asyncio.timeout(2):
            await task

    asyncio.run(work())

    assert handle.status() == "cancelled"
    Checker(redis_client).check(over=True)


def test_a_run_that_was_taken_away_is_stopped_and_changes_nothing(
    executor: Executor, client: Client, claim: Claims, redis_client: redis.Redis
) -> None:
    handle = client.enqueue("asteps", {"steps": 50, "seconds": 0.05})
    claimed = claim(handle)
    checker = Checker(redis_client)

    async def work() -> None:
        task = executor.begin(claimed)
        await asyncio.sleep(0.2)
        death = Death("", "taken away", (handle.run_id,))  # whatever is renewed just now
        run(redis_client, executor.calls.recover(3, 60.0, death))
        claim(handle)
        before = checker.check().events(handle.run_id)
        async with asyncio.timeout(2):
            await task
        assert checker.check().events(handle.run_id) == before

    asyncio.run(work())

    assert handle.status() == "running"
    assert handle.info().attempt == 2
    redis_client.flushall()


def test_a_run_that_comes_back_to_the_process_that_lost_it_leaves_both_attempts_their_own_end(
    executor: Executor, client: Client, claim: Claims, redis_client: redis.Redis
) -> None:
    handle = client.enqueue("nap", 30.0)
    lost = claim(handle)

    async def work() -> None:
        first = executor.begin(lost)
        death = Death("", "a pause", (handle.run_id,))
        run(redis_client, executor.calls.recover(3, 60.0, death))
        second = executor.begin(claim(handle))  # before the keeper hears that the lease is lost
        async with asyncio.timeout(5):
            await first
            assert not second.done()
            handle.cancel()
            await second

    asyncio.run(work())

    assert handle.status() == "cancelled"
    Checker(redis_client).check(over=True)


def claimed_after_two_deaths(
    handle: RunHandle, executor: Executor, claim: Claims, redis_client: redis.Redis
) -> Claim:
    for _ in range(2):
        claim(handle)
        death = Death("", "killed", (handle.run_id,))
        run(redis_client, executor.calls.recover(3, 60.0, death))
    take = executor.calls.take("w", "n", 8.0, 1, ["default"])
    [claimed] = executor.calls.taken(run(redis_client, take)).claims
    return claimed


def has_suspect(executor: Executor) -> bool:
    return executor.has_suspect


def test_a_run_is_no_suspect_any_more_once_it_has_recorded_a_step(
    executor: Executor, client: Client, claim: Claims, redis_client: redis.Redis
) -> None:
    handle = client.enqueue("asteps", {"steps": 1000, "seconds": 0.1})
    claimed = claimed_after_two_deaths(handle, executor, claim, redis_client)

    async def work() -> None:
        task = executor.begin(claimed)
        assert has_suspect(executor)
        async with asyncio.timeout(5):
            while has_suspect(executor):
                await asyncio.sleep(0.01)
        assert not task.done()
        assert redis_client.hget(f"penstock:run:{handle.run_id}", "crashes") == b"0"
        handle.cancel()
        await task

    asyncio.run(work())

    Checker(redis_client).check(over=True)


def test_a_run_that_stopped_by_itself_is_not_cut_off_as_its_end_is_stored(
    executor: Executor,
    client: Client,
    claim: Claims,
    redis_client: redis.Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    handle = client.enqueue("asteps", {"steps": 1000, "seconds": 0.01})
    claimed = claim(handle)

    async def work() -> None:
        task = executor.begin(claimed)
        active: Any = vars(executor)["_active"][claimed.lease]
        late = LateCancels()
        await asyncio.sleep(0.05)
        with active.journal.sending:  # nothing is sent meanwhile
            late.hold()
            await asyncio.to_thread(executor.cancel, handle.run_id)
            async with asyncio.timeout(5):
                while not (late and active.journal.is_ending):
                    await asyncio.sleep(0.01)
            late.let_go()
            await asyncio.sleep(0.05)
        await task

    asyncio.run(work())

    assert handle.status() == "cancelled"
    assert not [record for record in caplog.records if "cut off" in record.getMessage()]
    Checker(redis_client).check(over=True)


def test_an_unknown_entrypoint_is_the_runs_failure(
    executor: Executor, client: Client, claim: Claims, redis_client: redis.Redis
) -> None:
    handle = client.enqueue("nothing", 1)
    claimed = claim(handle)

    async def work() -> None:
        await executor.begin(claimed)

    asyncio.run(work())

    assert handle.info().reason.startswith("UnknownEntrypointError: no entrypoint named 'nothing'")
    with pytest.raises(AssertionError, match=r"^I34 run .* lacked its code"):
        Checker(redis_client).check(over=True)  # no worker with an app would have claimed it


def test_a_run_that_has_only_read_what_it_was_given_is_a_suspect_still(
    executor: Executor, client: Client, claim: Claims, redis_client: redis.Redis
) -> None:
    handle = client.enqueue("asteps", {"steps": 1, "seconds": 60.0})
    claimed = claimed_after_two_deaths(handle, executor, claim, redis_client)

    async def work() -> None:
        task = executor.begin(claimed)
        async with asyncio.timeout(5):
            while not redis_client.hexists(f"penstock:checkpoints:{handle.run_id}", "accepted"):
                await asyncio.sleep(0.01)
        assert has_suspect(executor)
        assert redis_client.hget(f"penstock:run:{handle.run_id}", "crashes") == b"2"
        handle.cancel()
        await task

    asyncio.run(work())
