"""A Redis that is away, slow, full, read-only, busy or empty: workers wait and go on."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import redis

from penstock.publisher import subscribe
from penstock.publisher.errors import RedisUnavailableError
from penstock.publisher.event import Event
from penstock.publisher.redis.connection import connect
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import ConfigurationError, RunNotFoundError
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.proxy import Proxy
from tests.support.server import RedisServer
from tests.support.until import reaches, until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


class Listener:
    """Follows all facts of a run in a thread."""

    def __init__(self, url: str, run_id: str) -> None:
        self.events: list[Event] = []
        self._thread = threading.Thread(target=self._follow, args=[url, run_id], daemon=True)
        self._thread.start()

    def _follow(self, url: str, run_id: str) -> None:
        with subscribe(run_id, connection=url) as events:
            self.events.extend(events)

    def all(self) -> list[Event]:
        self._thread.join(15)
        assert not self._thread.is_alive(), "the run's terminal event never came"
        return self.events


# -- at the start -------------------------------------------------------------------------------


def test_an_enqueue_without_redis_says_what_to_do(server: RedisServer, client: Client) -> None:
    server.kill()

    with pytest.raises(RedisUnavailableError, match="start it, or give the right URL") as caught:
        client.enqueue("main", {"x": 1}, run_id="one")

    assert "PENSTOCK_REDIS_URL" in str(caught.value)
    server.restart()
    with pytest.raises(RunNotFoundError):
        client.get("one")
    assert client.enqueue("main", {"x": 1}, run_id="one").status() is RunStatus.QUEUED


@pytest.mark.parametrize(
    "url", ["http://localhost", "localhost:6379", "redis://localhost:port", "", "redis://:0:0"]
)
def test_a_url_that_is_none_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"(?i)url"):
        Client(url)


def test_a_host_that_does_not_exist_is_told() -> None:
    with Client("redis://no-such-host.invalid:1") as client:
        with pytest.raises(RedisUnavailableError, match="no-such-host"):
            client.enqueue("main", {"x": 1})


@pytest.mark.parametrize("processes", [0, 2])
def test_a_worker_without_redis_says_so_and_ends(
    fleet: Fleet, server: RedisServer, processes: int
) -> None:
    server.kill()

    worker = fleet.start(ready=False, processes=processes)

    assert worker.wait(15) != 0
    assert "RedisUnavailableError" in worker.text()
    assert "PENSTOCK_REDIS_URL" in worker.text()


# -- in the middle ------------------------------------------------------------------------------


@pytest.mark.parametrize(("entrypoint", "how"), [("talk", "kill"), ("asteps", "restart")])
def test_f24_f25_runs_go_on_after_redis_restarts(
    fleet: Fleet,
    client: Client,
    server: RedisServer,
    checker: Checker,
    entrypoint: str,
    how: str,
) -> None:
    worker = fleet.start()
    runs = [client.enqueue(entrypoint, {"steps": 10, "seconds": 0.1}) for _ in range(3)]
    listeners = [Listener(fleet.url, run.run_id) for run in runs]
    fleet.executing(runs[-1].run_id, 4)

    if how == "kill":
        server.kill()
    server.restart()

    for run in runs:
        reaches(run, RunStatus.COMPLETED)
    checker.check(over=True)
    for run, listener in zip(runs, listeners, strict=True):
        assert set(fleet.executions(run.run_id).values()) == {1}
        assert run.info().attempt == 1
        checker.check_seen(run.run_id, listener.all())
    assert worker.running
    assert client.enqueue("main", {"x": 1}).result(5) == 2


def test_redis_away_longer_than_the_lease_ends_in_another_attempt(
    fleet: Fleet, client: Client, server: RedisServer, checker: Checker
) -> None:
    worker = fleet.start()
    run = client.enqueue("asteps", {"steps": 40, "seconds": 0.1})
    fleet.executing(run.run_id, 4)

    server.kill()
    until(lambda: worker.logged("lease.lost"), 10)
    server.restart()

    assert run.result(20) == list(range(40))
    assert worker.running
    assert run.info().attempt == 2
    checker.check(over=True)


def test_a_worker_without_redis_does_not_spin(
    fleet: Fleet, client: Client, server: RedisServer, checker: Checker
) -> None:
    worker = fleet.start()
    assert client.enqueue("main", {"x": 1}).result(5) == 2
    server.kill()
    until(lambda: "does not answer" in worker.text())

    before = cpu_seconds(worker.pid)
    time.sleep(3.0)  # what is measured
    used = cpu_seconds(worker.pid) - before

    assert used / 3.0 < 0.05
    server.restart()
    run = client.enqueue("main", {"x": 2})
    assert run.result(10) == 4
    lines = [entry for entry in worker.log() if entry["level"] != "INFO"]
    assert len(lines) < 40, "one line a second and thread at most"


def cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ticks / 100


def test_f19_a_connection_cut_again_and_again_is_no_fault(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    worker = fleet.start()
    runs = [client.enqueue("talk", {"steps": 15, "seconds": 0.1}) for _ in range(4)]
    listeners = [Listener(fleet.url, run.run_id) for run in runs]

    while any(run.status() not in ("completed", "failed") for run in runs):
        for kind in ("normal", "pubsub"):
            raw.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        time.sleep(0.15)

    for run, listener in zip(runs, listeners, strict=True):
        assert run.result(5) == 15
        assert set(fleet.executions(run.run_id).values()) == {1}
        checker.check_seen(run.run_id, listener.all())
    assert worker.running
    checker.check(over=True)


def test_f19_a_worker_whose_subscription_is_cut_all_the_time_does_not_take_itself_for_dead(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    worker = fleet.start()
    run = client.enqueue("asteps", {"steps": 30, "seconds": 0.1})
    fleet.executing(run.run_id, 1)

    while run.status() not in ("completed", "failed"):
        raw.execute_command("CLIENT", "KILL", "TYPE", "pubsub", "SKIPME", "yes")

    assert run.result(5) == list(range(30))
    assert run.info().attempt == 1
    assert not worker.logged("worker.lost")
    checker.check(over=True)


def test_f20_a_partition_longer_than_the_lease_is_survived(
    fleet: Fleet, client: Client, proxy: Proxy, checker: Checker
) -> None:
    cut_off = fleet.start(url=proxy.url)
    run = client.enqueue("asteps", {"steps": 30, "seconds": 0.15})
    fleet.executing(run.run_id, 4)

    proxy.blackhole()
    other = fleet.start()
    until(lambda: fleet.journal(run.run_id)[-1]["pid"] == other.pid, 10)
    until(lambda: cut_off.logged("run.lost"), 15)
    proxy.heal()

    assert run.result(20) == list(range(30))
    assert run.info().attempt == 2
    assert cut_off.running
    other.term()
    assert client.enqueue("main", {"x": 1}).result(15) == 2
    checker.check(over=True)


def test_f20_a_worker_that_cannot_renew_stops_before_its_lease_is_over(
    fleet: Fleet, client: Client, proxy: Proxy
) -> None:
    cut_off = fleet.start(url=proxy.url)
    run = client.enqueue("asteps", {"steps": 60, "seconds": 0.15})
    fleet.executing(run.run_id, 4)

    proxy.blackhole()
    began = time.time()

    until(lambda: cut_off.logged("run.lost"), 15)
    assert fleet.journal(run.run_id)[-1]["time"] - began < 2.2


def test_f23_a_slow_redis_slows_and_nothing_else(
    fleet: Fleet, client: Client, proxy: Proxy, checker: Checker
) -> None:
    fleet.start(url=proxy.url)
    proxy.delay(0.1)

    runs = [client.enqueue("asteps", {"steps": 5}) for _ in range(5)]

    assert [run.result(20) for run in runs] == [list(range(5))] * 5
    assert {run.info().attempt for run in runs} == {1}
    checker.check(over=True)


# -- refusals -----------------------------------------------------------------------------------


def test_f29_a_full_redis_refuses_new_runs_and_ends_old_ones(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    worker = fleet.start()
    runs = [client.enqueue("asteps", {"steps": 20, "seconds": 0.1}) for _ in range(3)]
    fleet.executing(runs[-1].run_id, 4)
    before = checker.check()

    raw.config_set("maxmemory", 1)
    with pytest.raises(RedisUnavailableError):
        client.enqueue("main", {"x": 1}, run_id="refused")
    assert "penstock:run:refused" not in checker.check().ttls
    time.sleep(1.0)  # some of the steps meet the refusal
    raw.config_set("maxmemory", 0)

    assert [run.result(15) for run in runs] == [list(range(20))] * 3
    assert {run.info().attempt for run in runs} == {1}  # they waited, as the lease was theirs
    assert worker.running
    assert before.runs().keys() <= checker.check(over=True).runs().keys()


def test_f29_a_full_redis_lets_a_run_be_cancelled(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    fleet.start()
    waiting = client.enqueue("ask", "well?")
    waiting.result(5)

    raw.config_set("maxmemory", 1)

    assert waiting.cancel() is RunStatus.CANCELLED
    checker.check(over=True)


def test_f29_an_enqueue_at_a_full_redis_says_what_to_do(client: Client, raw: redis.Redis) -> None:
    raw.config_set("maxmemory", 1)

    with pytest.raises(RedisUnavailableError, match="out of memory"):
        client.enqueue("main", {"x": 1})


def test_f30_a_busy_redis_is_waited_for(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    worker = fleet.start()
    raw.config_set("busy-reply-threshold" if _is_seven(raw) else "lua-time-limit", 100)
    run = client.enqueue("asteps", {"steps": 20, "seconds": 0.1})
    fleet.executing(run.run_id, 4)

    loop = "local t = redis.call('TIME')[1] while redis.call('TIME')[1] - t < 2 do end"
    with pytest.raises(redis.RedisError):
        raw.execute_command("EVAL", "redis.replicate_commands() " + loop + " error('over')", 0)

    assert run.result(15) == list(range(20))
    assert worker.running
    checker.check(over=True)


def _is_seven(raw: redis.Redis) -> bool:
    info: Any = raw.info("server")
    return not str(info["redis_version"]).startswith("6.")


def test_f32_a_read_only_redis_is_waited_for(
    fleet: Fleet,
    client: Client,
    server: RedisServer,
    raw: redis.Redis,
    checker: Checker,
) -> None:
    worker = fleet.start()
    run = client.enqueue("asteps", {"steps": 20, "seconds": 0.1})
    fleet.executing(run.run_id, 4)

    raw.execute_command("REPLICAOF", "127.0.0.1", 1)  # where nobody is: its data stays
    with pytest.raises(RedisUnavailableError, match="replica"):
        client.enqueue("main", {"x": 1})
    until(lambda: "replica" in worker.text())
    raw.execute_command("REPLICAOF", "NO", "ONE")

    assert run.result(15) == list(range(20))
    assert worker.running
    checker.check(over=True)


def test_f31_a_redis_that_is_loading_is_waited_for(
    fleet: Fleet, client: Client, server: RedisServer, raw: redis.Redis, checker: Checker
) -> None:
    worker = fleet.start()
    raw.config_set("key-load-delay", 300)  # microseconds for each key, negative: for several
    for number in range(5000):
        raw.execute_command("SET", f"filler:{number}", "x", "EX", 600)
    run = client.enqueue("asteps", {"steps": 5, "seconds": 0.1})
    fleet.executing(run.run_id, 2)

    server.restart()

    until(lambda: _completed(run), 15)
    assert worker.running
    checker.check(over=True)


def _completed(run: RunHandle) -> bool:
    try:
        return run.status() is RunStatus.COMPLETED
    except RedisUnavailableError:
        return False


# -- nothing left -------------------------------------------------------------------------------


def test_f27_f65_after_flushall_runs_are_gone_and_workers_go_on(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    worker = fleet.start()
    runs = [client.enqueue(kind, {"steps": 30, "seconds": 0.1}) for kind in ("steps", "asteps")]
    queued = client.enqueue("main", {"x": 1}, queue="other")
    for run in runs:
        fleet.executing(run.run_id, 4)

    raw.flushall()

    until(lambda: len(worker.logged("run.lost")) == 2)
    for run in (*runs, queued):
        with pytest.raises(RunNotFoundError):
            run.status()
    assert client.enqueue("main", {"x": 1}).result(5) == 2
    checker.check(over=True)  # and no key of theirs has come back


def test_f27_after_flushall_rq_sees_the_worker_again(fleet: Fleet, raw: redis.Redis) -> None:
    fleet.start()

    raw.flushall()

    until(lambda: raw.scard("rq:workers") == 1, 3)


def test_f27_a_restart_without_persistence_is_survived(
    fleet: Fleet, start_redis: Any, tmp_path: Any
) -> None:
    server: RedisServer = start_redis()
    own = Fleet(server.url, tmp_path)
    try:
        worker = own.start()
        with Client(server.url) as client:
            run = client.enqueue("asteps", {"steps": 30, "seconds": 0.1})
            own.executing(run.run_id, 4)
            server.restart()
            with pytest.raises(RunNotFoundError):
                run.status()
            assert client.enqueue("main", {"x": 1}).result(10) == 2
            until(lambda: worker.logged("run.lost"))
            Checker(server.client()).check(over=True)
    finally:
        own.close()


# -- corrupt data --------------------------------------------------------------------------------


def spoil_type(raw: redis.Redis, run_id: str, kind: str) -> None:
    raw.delete(f"penstock:{kind}:{run_id}")
    raw.set(f"penstock:{kind}:{run_id}", "not what it was", ex=3600)


def spoil_field(raw: redis.Redis, run_id: str, field: str) -> None:
    raw.hdel(f"penstock:run:{run_id}", field)


def spoil_text(raw: redis.Redis, run_id: str, field: str) -> None:
    raw.hset(f"penstock:run:{run_id}", field, b"\xff\xfe\x00")


SPOILS: list[Any] = [
    *((spoil_type, kind) for kind in ("run", "checkpoints", "events", "questions")),
    *((spoil_field, name) for name in ("entrypoint", "thread", "attempt", "thread_key", "queue")),
    *((spoil_field, name) for name in ("retention", "config", "own_thread", "status")),
    *((spoil_text, name) for name in ("entrypoint", "thread", "attempt", "config", "durability")),
    *((spoil_text, name) for name in ("retention", "crashes", "status", "keep")),
]


@pytest.mark.parametrize("when", ["queued", "running"])
def test_f46_f47_a_spoilt_run_harms_no_other(
    fleet: Fleet, client: Client, raw: redis.Redis, when: str
) -> None:
    worker = fleet.start() if when == "running" else None
    corrupt: list[RunHandle] = []
    for _ in SPOILS:
        corrupt.append(client.enqueue("asteps", {"steps": 3, "seconds": 0.5}))
        if when == "running":
            fleet.executing(corrupt[-1].run_id, 1)
    for run, (spoil, what) in zip(corrupt, SPOILS, strict=True):
        spoil(raw, run.run_id, what)
    if worker is None:
        worker = fleet.start()

    healthy = [client.enqueue("main", {"x": number}) for number in range(5)]

    assert [run.result(10) for run in healthy] == [2 * number for number in range(5)]
    assert "Redis refuses" not in worker.text()  # after which it takes nothing for a second
    assert when == "running" or worker.logged("run.corrupt")
    worker.kill()  # what is left is now to be recovered
    other = fleet.start()
    again = client.enqueue("asteps", {"steps": 3, "seconds": 0.1})
    assert again.result(10) == [0, 1, 2]
    time.sleep(2.0)  # a lease and a look of the recovery: the fault has its chance
    assert client.enqueue("main", {"x": 1}).result(10) == 2
    assert other.running
    assert again.info().attempt == 1


def test_a_spoilt_checkpoint_fails_its_run_alone(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    fleet.start()
    run = client.enqueue("ask", "well?")
    run.result(5)
    raw.hset(f"penstock:checkpoints:{run.run_id}", "step:0", b'{"value": \xff')

    run.resume("yes")

    until(lambda: run.status() is RunStatus.FAILED, 10)
    assert "step:0" in run.info().reason or "Codec" in run.info().reason
    checker.check(over=True)


# -- the client's own calls ---------------------------------------------------------------------


def test_f21_a_client_repeats_what_may_be_repeated(
    fleet: Fleet, server: RedisServer, proxy: Proxy, raw: redis.Redis, checker: Checker
) -> None:
    fleet.start()
    with Client(proxy.url) as client:
        client.runs()  # connects
        for nth in (1, 2):
            proxy.drop_reply(nth=nth, command="EVALSHA")
            run = client.enqueue("ask", "well?")
            assert run.result(5)["__interrupt__"]
            proxy.drop_reply(nth=nth, command="EVALSHA")
            run.resume("yes")
            assert run.result(5) == [1, "yes", 2]
            gone = client.enqueue("ask", "well?")
            gone.result(5)
            proxy.drop_reply(nth=1, command="EVALSHA")
            assert gone.cancel() is RunStatus.CANCELLED
            assert proxy.dropped.is_set()

    runs = checker.check(over=True).runs()
    assert len(runs) == 4
    for run_id in runs:
        modes = [entry.mode for entry in checker.check().events(run_id)]
        assert modes.count("run.queued") == 1
        assert modes.count("run.resumed") <= 1
        assert modes.count("run.finished") == 1


def test_f22_an_answer_slower_than_the_timeout_is_one_effect(
    fleet: Fleet, proxy: Proxy, raw: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.runtime.client.transport.connect", partial(connect, timeout=0.3))
    with Client(proxy.url) as client:
        client.runs()
        proxy.delay(0.5)
        with pytest.raises(RedisUnavailableError):
            client.enqueue("main", {"x": 1}, run_id="one")
        proxy.heal()
        run = client.enqueue("main", {"x": 1}, run_id="one")

        assert raw.lrange("rq:queue:default", 0, -1) == [b"one"]
        fleet.start()
        assert run.result(5) == 2


def test_file_descriptors_are_not_leaked_by_reconnecting(
    fleet: Fleet, client: Client, raw: redis.Redis
) -> None:
    worker = fleet.start()
    assert client.enqueue("main", {"x": 1}).result(5) == 2
    before = len(descriptors(worker.pid))

    for _ in range(4):
        for kind in ("normal", "pubsub"):
            raw.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        assert client.enqueue("main", {"x": 1}).result(5) == 2

    until(lambda: len(descriptors(worker.pid)) <= before + 3, 5)


def descriptors(pid: int) -> list[str]:
    return os.listdir(f"/proc/{pid}/fd")
