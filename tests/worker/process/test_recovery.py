from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import redis

from penstock.publisher.redis.script import run
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.journal.endings import HandedOver
from penstock.runtime.redis.calls import Calls, Death, Write
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.replies import Claim
from penstock.runtime.settings import Settings
from penstock.worker.process.recovery import Recovery, remove_worker
from tests.faults.support.invariants import Checker
from tests.support.server import RedisServer
from tests.support.until import until

pytestmark = [
    pytest.mark.open_runs,
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
]

CALLS = Calls(Keys())


@pytest.fixture
def client(redis_url: str) -> Client:
    return Client(redis_url, settings=Settings(redis=redis_url))


@pytest.fixture
def check(redis_client: redis.Redis) -> Callable[[], bool]:
    return Recovery(redis_client, Settings()).check


def claim(raw: redis.Redis, handle: RunHandle, worker: str = "w") -> Claim:
    call = CALLS.acquire(handle.run_id, worker, uuid.uuid4().hex[:16], 60.0)
    claim = CALLS.acquired(run(raw, call))
    assert isinstance(claim, Claim)
    return claim


def lapse(raw: redis.Redis, handle: RunHandle) -> None:
    """Let the lease of a run be over."""
    assert raw.zadd("penstock:leases", {handle.run_id: 1}, xx=True, ch=True) == 1


def test_a_run_whose_lease_is_over_is_queued_again_at_the_front(
    client: Client, redis_client: redis.Redis, check: Callable[[], bool]
) -> None:
    handle = client.enqueue("flow", 1)
    claim(redis_client, handle)
    redis_client.delete("rq:queue:default")
    later = client.enqueue("flow", 2)
    lapse(redis_client, handle)

    check()

    info = handle.info()
    assert (info.status, info.attempt, info.crashes, info.worker) == ("queued", 2, 1, "")
    queue = redis_client.lrange("rq:queue:default", 0, -1)
    assert queue == [handle.run_id.encode(), later.run_id.encode()]
    Checker(redis_client).check()


def test_a_lease_that_holds_is_left_alone(
    client: Client, redis_client: redis.Redis, check: Callable[[], bool]
) -> None:
    handle = client.enqueue("flow", 1)
    claim(redis_client, handle)

    check()

    assert handle.status() == "running"
    assert handle.info().attempt == 1


def test_a_run_that_was_to_be_cancelled_ends_so(
    client: Client, redis_client: redis.Redis, check: Callable[[], bool]
) -> None:
    handle = client.enqueue("flow", 1)
    claim(redis_client, handle)
    handle.cancel()
    lapse(redis_client, handle)

    check()

    assert handle.status() == "cancelled"
    Checker(redis_client).check(over=True)


def test_a_run_is_given_up_after_so_many_deaths(
    client: Client,
    redis_client: redis.Redis,
    check: Callable[[], bool],
    caplog: pytest.LogCaptureFixture,
) -> None:
    handle = client.enqueue("flow", 1)
    for _ in range(3):
        claim(redis_client, handle)
        lapse(redis_client, handle)
        check()

    assert handle.status() == "failed"
    assert handle.info().reason.startswith("PoisonRunError: 3 workers died of it")
    assert told(caplog) == ["run.recovered", "run.recovered", "run.poison"]
    Checker(redis_client).check(over=True)


def test_runs_that_died_beside_others_are_not_given_up_for_it(
    client: Client, redis_client: redis.Redis, check: Callable[[], bool]
) -> None:
    """Also where their leases end one after the other, and the last of them is left alone."""
    runs = [client.enqueue("flow", number) for number in range(3)]
    for _ in range(5):
        for run_ in runs:
            claim(redis_client, run_)
        for run_ in runs:
            lapse(redis_client, run_)
            check()

    assert [run_.status() for run_ in runs] == ["queued"] * 3
    assert [run_.info().crashes for run_ in runs] == [5] * 3
    Checker(redis_client).check()


def test_an_ordinary_job_is_company_too(
    client: Client, redis_client: redis.Redis, check: Callable[[], bool]
) -> None:
    handle = client.enqueue("flow", 1)
    for _ in range(4):
        claim(redis_client, handle)
        redis_client.sadd("rq:worker:w:executions", "job:execution")
        lapse(redis_client, handle)
        check()

    assert handle.status() == "queued"


def test_an_isolated_run_is_given_up_whatever_was_beside_it(
    client: Client, redis_client: redis.Redis, check: Callable[[], bool]
) -> None:
    handle, other = client.enqueue("flow", 1), client.enqueue("flow", 2)
    claim(redis_client, other)
    redis_client.hset(f"penstock:run:{handle.run_id}", "crashes", 2)
    for number in range(3):
        redis_client.delete("rq:queue:default")
        call = CALLS.take("w", f"n{number}", 60.0, 9, (), ("default", handle.run_id), mode="alone")
        assert len(CALLS.taken(run(redis_client, call)).claims) == 1
        lapse(redis_client, handle)
        check()

    assert handle.info().reason.startswith("PoisonRunError: 3 workers died of it")
    assert other.status() == "running"
    Checker(redis_client).check()


def test_an_isolated_run_is_not_given_up_for_what_began_after_it(
    client: Client, redis_client: redis.Redis, check: Callable[[], bool]
) -> None:
    """As where it has been by itself for so long that its worker took others again."""
    handle, later = client.enqueue("flow", 1), client.enqueue("flow", 2)
    redis_client.hset(f"penstock:run:{handle.run_id}", "crashes", 2)
    for number in range(5):
        redis_client.delete("rq:queue:default")
        call = CALLS.take("w", f"n{number}", 60.0, 9, (), ("default", handle.run_id), mode="alone")
        assert len(CALLS.taken(run(redis_client, call)).claims) == 1
        time.sleep(0.002)
        claim(redis_client, later)
        for each in (handle, later) if number % 2 else (later, handle):
            lapse(redis_client, each)
            check()

    assert handle.status() == "queued"
    assert handle.info().crashes == 5
    Checker(redis_client).check()


def test_a_lease_that_its_owner_has_given_up_alive_is_no_death(
    client: Client, redis_client: redis.Redis, check: Callable[[], bool]
) -> None:
    handle = client.enqueue("flow", 1)
    for number in range(9):
        lease = claim(redis_client, handle).lease
        if number % 2:  # before it ends, or after
            run(redis_client, CALLS.forgo([lease]))
        lapse(redis_client, handle)
        check()
        run(redis_client, CALLS.forgo([lease]))
        run(redis_client, CALLS.forgo([lease]))

    info = handle.info()
    assert (info.status, info.attempt, info.crashes) == ("queued", 10, 0)
    Checker(redis_client).check()


def test_a_lost_ticket_is_replaced_once_it_is_old(
    client: Client,
    redis_client: redis.Redis,
    check: Callable[[], bool],
    caplog: pytest.LogCaptureFixture,
) -> None:
    handle = client.enqueue("flow", 1)
    redis_client.delete("rq:queue:default")
    check()
    assert redis_client.llen("rq:queue:default") == 0

    redis_client.zadd("penstock:ready", {handle.run_id: 1})
    check()
    check()

    assert redis_client.lrange("rq:queue:default", 0, -1) == [handle.run_id.encode()]
    assert told(caplog) == ["run.requeued"]
    Checker(redis_client).check()


def test_a_long_queue_is_searched_for_one_ticket_at_a_time(
    client: Client, redis_client: redis.Redis
) -> None:
    runs = [client.enqueue("flow", number).run_id for number in range(4)]
    redis_client.zadd("penstock:ready", {run_id: at for at, run_id in enumerate(runs)})
    redis_client.delete("rq:queue:default")
    redis_client.rpush("rq:queue:default", runs[2], *[f"other-{n}" for n in range(6000)], runs[3])
    redis_client.config_resetstat()

    recovered = [CALLS.recovered(run(redis_client, CALLS.recover(3, 2.0)))]
    searched: Any = redis_client.info("commandstats")
    redis_client.zadd("penstock:ready", {run_id: at for at, run_id in enumerate(runs[1:])})
    recovered += [CALLS.recovered(run(redis_client, CALLS.recover(3, 2.0)))]

    assert [list(found.requeued) for found in recovered] == [[runs[0]], [runs[1]]]
    assert searched["cmdstat_lpos"]["calls"] == 1


def test_a_full_redis_costs_no_run_its_lease_or_its_ticket(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis()
    raw, client = server.client(), Client(server.url, settings=Settings(redis=server.url))
    queued, running = client.enqueue("flow", 1), client.enqueue("flow", 2)
    lease = claim(raw, running).lease
    lapse(raw, running)
    raw.zadd("penstock:ready", {queued.run_id: 1})
    raw.delete("rq:queue:default")

    raw.config_set("maxmemory", 1)

    assert CALLS.words(run(raw, CALLS.renew([lease], 8))) == ["OK"]
    recovered = CALLS.recovered(run(raw, CALLS.recover(3, 2.0)))
    assert (recovered.requeued, recovered.queued, recovered.corrupt) == ([queued.run_id], [], [])
    assert running.cancel() == "running"
    assert CALLS.words(run(raw, CALLS.renew([lease], 8))) == ["CANCEL"]


def test_a_run_that_a_full_redis_gives_back_spends_no_attempt(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis()
    raw, client = server.client(), Client(server.url, settings=Settings(redis=server.url))
    handle = client.enqueue("flow", 1)
    lease = claim(raw, handle).lease

    raw.config_set("maxmemory", 1)

    assert CALLS.word(run(raw, CALLS.write(lease, Write(1, ending=HandedOver()), 0))) == "OK"
    assert (handle.status(), handle.info().attempt) == ("queued", 1)
    Checker(raw).check()


def test_an_index_that_names_no_run_is_cleaned(
    redis_client: redis.Redis, check: Callable[[], bool]
) -> None:
    redis_client.zadd("penstock:leases", {"gone": 1})
    redis_client.zadd("penstock:ready", {"gone": 1})

    check()

    assert redis_client.keys("penstock:*") == []


def test_more_than_a_hundred_are_recovered_over_several_looks(
    client: Client, redis_client: redis.Redis, check: Callable[[], bool]
) -> None:
    handles = [client.enqueue("flow", number) for number in range(250)]
    for handle in handles:
        claim(redis_client, handle)
        lapse(redis_client, handle)

    for _ in range(3):
        check()

    assert redis_client.zcard("penstock:leases") == 0
    assert redis_client.zcard("penstock:ready") == 250
    Checker(redis_client).check()


def test_removing_a_worker_ends_its_leases_at_once(
    client: Client, redis_client: redis.Redis
) -> None:
    dead, alive = client.enqueue("flow", 1), client.enqueue("flow", 2)
    claim(redis_client, dead, "dead")
    claim(redis_client, alive, "alive")
    for worker in ("dead", "alive"):
        redis_client.sadd("rq:workers", f"rq:worker:{worker}")
        redis_client.hset(f"rq:worker:{worker}", "pid", 1)

    remove_worker(redis_client, Settings(), Death("dead", "ended by signal SIGKILL"))

    assert (dead.status(), alive.status()) == ("queued", "running")
    assert redis_client.hget(f"penstock:run:{dead.run_id}", "death:1") == b"ended by signal SIGKILL"
    assert redis_client.smembers("rq:workers") == {b"rq:worker:alive"}
    assert redis_client.exists("rq:worker:dead", "rq:worker:dead:executions") == 0
    Checker(redis_client).check()


def test_removing_a_worker_leaves_a_run_that_another_one_has_by_now(
    client: Client, redis_client: redis.Redis
) -> None:
    handle = client.enqueue("flow", 1)
    first = claim(redis_client, handle, "dead")
    lapse(redis_client, handle)
    Recovery(redis_client, Settings()).check()
    claim(redis_client, handle, "alive")
    redis_client.sadd("rq:worker:dead:executions", f"{handle.run_id}:{first.lease.fence}")

    remove_worker(redis_client, Settings(), Death("dead", "ended by signal SIGKILL"))

    assert handle.status() == "running"
    assert handle.info().crashes == 1
    Checker(redis_client).check()


def test_what_goes_wrong_beside_it_does_not_end_the_thread(
    redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    times: list[int] = []

    def also() -> None:
        times.append(1)
        raise RuntimeError("beside") if len(times) == 1 else redis.ConnectionError("away")

    recovery = Recovery(redis_client, Settings(), also)
    recovery.start()
    until(lambda: len(times) >= 2)
    recovery.close()

    assert "beside" in caplog.text
    assert "no recovery for now" in caplog.text


def test_a_recovery_that_redis_refuses_keeps_no_worker_from_its_upkeep(
    redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Else the worker counts as dead after some seconds without a heartbeat."""
    redis_client.set("penstock:leases", "not what it was", ex=60)
    times: list[int] = []
    recovery = Recovery(redis_client, Settings(), lambda: times.append(1))
    recovery.start()
    until(lambda: len(times) >= 2)
    recovery.close()

    assert "no recovery for now" in caplog.text
    assert "WRONGTYPE" in caplog.text
    assert "does not answer" not in caplog.text
    redis_client.delete("penstock:leases")


def told(caplog: pytest.LogCaptureFixture) -> list[Any]:
    records = [each for each in caplog.records if each.levelno >= logging.WARNING]
    return [vars(record).get("event") for record in records]
