"""Databases and prefixes on one Redis: each is a world of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from rq.registry import FailedJobRegistry

from penstock.publisher import Publisher, subscribe
from penstock.runtime import Client
from penstock.runtime.errors import RunFailedError
from penstock.runtime.settings import Settings
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import FLOWS, QUICK, Fleet
from tests.support.events import stored_events
from tests.support.server import RedisServer
from tests.support.until import reaches, until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Place:
    """A client, and the raw connection beside it."""

    client: Client
    raw: redis.Redis
    prefix: str = "penstock"


@pytest.fixture
def databases(server: RedisServer, fleet: Fleet) -> Iterator[tuple[Place, Place]]:
    """Two databases of one server, with a worker each."""
    with ExitStack() as stack:
        found: list[Place] = []
        for number in (0, 1):
            url = f"{server.url}/{number}"
            fleet.start(url=url)
            client = stack.enter_context(Client(url, settings=Settings(redis=url)))
            found.append(Place(client, redis.Redis.from_url(url)))
        yield found[0], found[1]


@pytest.fixture
def prefixes(server: RedisServer, fleet: Fleet) -> Iterator[tuple[Place, ...]]:
    """Two prefixes of their own and the default one, with a worker each on the same queue."""
    with ExitStack() as stack:
        found: list[Place] = []
        for prefix in ("shop", "a:b", "penstock"):
            fleet.start(environ={**QUICK, "PENSTOCK_PREFIX": prefix})
            settings = Settings(redis=server.url, prefix=prefix)
            client = stack.enter_context(Client(server.url, settings=settings))
            found.append(Place(client, server.client(), prefix))
        yield tuple(found)


def check(*places: Place) -> None:
    for place in places:
        Checker(place.raw, place.prefix).check(over=True)


# -- databases ----------------------------------------------------------------------------------


def test_a_cancel_in_one_database_leaves_the_run_of_the_other_alone(
    databases: tuple[Place, Place],
) -> None:
    work = {"steps": 20, "seconds": 0.1}
    runs = [place.client.enqueue("steps", work, run_id="order-1") for place in databases]
    for run in runs:
        reaches(run, RunStatus.RUNNING)

    runs[0].cancel()

    reaches(runs[0], RunStatus.CANCELLED)
    assert runs[1].result(20) == list(range(20))
    check(*databases)


def test_a_stream_has_the_events_of_its_own_database_only(server: RedisServer) -> None:
    urls = [f"{server.url}/{number}" for number in (0, 1)]
    with ExitStack() as stack:
        writers = [stack.enter_context(Publisher(url)) for url in urls]
        heard = [
            stack.enter_context(subscribe("import-7", connection=url, timeout=5)) for url in urls
        ]
        for number, writer in enumerate(writers):
            writer.publish("import-7", [("progress", f"{number} begins")])
        begun = [next(events).data for events in heard]
        for number, writer in enumerate(writers):
            writer.publish("import-7", [("progress", number), ("run.finished", None)])
        rest = [[event.data for event in events] for events in heard]

    assert begun == ["0 begins", "1 begins"]
    assert rest == [[0, None], [1, None]]


def test_each_database_has_channels_of_its_own(databases: tuple[Place, Place]) -> None:
    runs = [place.client.enqueue("nap", 30.0, run_id="one") for place in databases]
    with ExitStack() as stack:
        for number, place in enumerate(databases):
            url = place.client.settings.redis
            events = stack.enter_context(subscribe("one", connection=url, timeout=5))
            assert next(iter(events)).mode == "run.queued", number
        expected = {
            *("penstock:control", "penstock:control@1"),
            *("penstock:channel:one", "penstock:channel@1:one"),
        }
        until(lambda: expected <= _channels(databases[0].raw))
    for run in runs:
        run.cancel()


def _channels(raw: redis.Redis) -> set[str]:
    listed: Any = raw.pubsub_channels("penstock:*")
    return {name.decode() for name in listed}


# -- prefixes -----------------------------------------------------------------------------------


def test_prefixes_on_one_queue_do_not_slow_each_other_down(prefixes: tuple[Place, ...]) -> None:
    took: list[float] = []
    for number in range(5):
        for place in prefixes:
            began = time.monotonic()
            run = place.client.enqueue("main", {"x": number}, run_id=f"order-{number}")
            assert run.result(10) == 2 * number
            took.append(time.monotonic() - began)

    assert sum(seconds >= 1 for seconds in took) <= 2  # a ticket that was dropped waits for 2 s
    check(*prefixes)


def test_runs_of_one_id_have_a_job_each_in_rq(prefixes: tuple[Place, ...]) -> None:
    for place in prefixes:
        with pytest.raises(RunFailedError):
            place.client.enqueue("steps", {"steps": "many"}, run_id="order-1").result(10)

    raw = prefixes[0].raw
    assert raw.hget("rq:job:order-1", "origin") == b"default"
    assert raw.hget("rq:job:order-1--shop", "origin") == b"default@shop"
    assert raw.zrange("rq:failed:default", 0, -1) == [b"order-1"]
    assert raw.zrange("rq:failed:default@shop", 0, -1) == [b"order-1--shop"]
    jobs = FailedJobRegistry("default@a-3Ab", connection=raw).get_job_ids()
    assert jobs == ["order-1--a-3Ab"]


def test_rqs_tools_see_and_requeue_what_a_prefix_has(
    prefixes: tuple[Place, ...], server: RedisServer
) -> None:
    shop = prefixes[0]
    run = shop.client.enqueue("steps", {"steps": "many"}, run_id="order-1")
    with pytest.raises(RunFailedError):
        run.result(10)

    def rq(*command: str) -> str:
        line = [str(BIN / "rq"), *command, "--url", server.url]
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout

    assert "default@shop" in rq("info", "--raw")
    rq("requeue", "--queue", "default@shop", "order-1--shop")

    key = shop.client.plans.keys.events("order-1")
    until(lambda: "run.resumed" in str(stored_events(shop.raw, key)))
    reaches(run, RunStatus.FAILED)


def test_a_supervisor_gives_back_the_runs_of_its_prefix(server: RedisServer, fleet: Fleet) -> None:
    fleet.start(processes=1, environ={"PENSTOCK_PREFIX": "shop"})
    settings = Settings(redis=server.url, prefix="shop")
    with Client(server.url, settings=settings) as client:
        run = client.enqueue("deadly", "SIGKILL", durability="sync")
        until(lambda: run.info().crashes >= 1)
        assert "SIGKILL" in str(server.client().hget(f"shop:run:{run.run_id}", "death:1"))
        run.cancel()


def test_an_ordinary_job_on_the_queue_of_a_prefix_runs_there(
    prefixes: tuple[Place, ...], tmp_path: Path
) -> None:
    from rq import Queue

    touched = tmp_path / "touched"
    queue = Queue("default@shop", connection=prefixes[0].raw)
    job = queue.enqueue("os.mkdir", str(touched))

    until(lambda: touched.exists() and job.is_finished)


def test_the_doctor_finds_tickets_that_an_older_release_rings(server: RedisServer) -> None:
    settings = Settings(redis=server.url, prefix="shop")
    raw = server.client()
    with Client(server.url, settings=settings) as client:
        client.enqueue("main", {"x": 1}, run_id="order-1")
    raw.rpush("rq:queue:default", "order-1", "another's")

    environ = {"PENSTOCK_PREFIX": "shop", "PENSTOCK_REDIS_URL": server.url}
    line = [str(BIN / "penstock"), "doctor", "--json"]
    said = subprocess.run(line, capture_output=True, text=True, env=environ, check=False).stdout

    found = [json.loads(text) for text in said.splitlines()]
    [told] = [each["message"] for each in found if each["check"] == "queues"]
    assert told == "1 ticket of this prefix on queue 'default' of the default prefix"


def test_a_plain_rq_worker_serves_the_queue_of_a_prefix(server: RedisServer, fleet: Fleet) -> None:
    command = [str(BIN / "rq"), "worker", "--serializer", "json", "--url", server.url]
    environ = {**QUICK, "PENSTOCK_PREFIX": "shop", "PENSTOCK_APP": str(FLOWS)}
    fleet.run([*command, "default@shop"], environ)
    with Client(server.url, settings=Settings(redis=server.url, prefix="shop")) as client:
        assert client.enqueue("main", {"x": 4}, run_id="order-1").result(20) == 8
    until(lambda: server.client().hget("rq:job:order-1--shop", "status") == b"finished")
    Checker(server.client(), "shop").check(over=True)
