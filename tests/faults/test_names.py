"""Names that could run into each other: of namespaces, queues, runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock.runtime import Client
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.settings import Settings
from tests.faults.support.workers import QUICK, Fleet
from tests.support.server import RedisServer

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


def test_f64_namespaces_on_one_redis_know_nothing_of_each_other(
    server: RedisServer, tmp_path: Path
) -> None:
    names = ("shop", "shop2", "sho")
    fleets = [Fleet(server.url, tmp_path / name) for name in names]
    try:
        for name, fleet in zip(names, fleets, strict=True):
            fleet.folder.mkdir()
            fleet.start(environ={**QUICK, "PENSTOCK_PREFIX": name, "RQ_KEY_PREFIX": f"rq-{name}"})
        results: list[object] = []
        for number, name in enumerate(names):
            settings = Settings(redis=server.url, prefix=name, rq_prefix=f"rq-{name}")
            with Client(server.url, settings=settings) as client:
                run = client.enqueue("main", {"x": number}, run_id="one", thread_id="t")
                results.append(run.result(10))
                assert [run.run_id for run in client.runs("completed", 10)] == ["one"]
    finally:
        for fleet in fleets:
            fleet.close()

    assert results == [0, 2, 4]


@pytest.mark.parametrize(
    "name",
    [*("default:intermediate", "a b", "a:b", "a,b", "{x}", "a\n", "x" * 129, "", "ü", 5, b"a")],
)
def test_f64_a_queue_named_like_a_key_is_refused(client: Client, name: Any) -> None:
    with pytest.raises(ConfigurationError, match="queue"):
        client.enqueue("main", {"x": 1}, queue=name)


@pytest.mark.parametrize("name", ["a:b", "leases:x", "", "../x", "{x}", "*", "a\nb", "x" * 129])
def test_f64_a_run_named_like_a_key_is_refused(client: Client, name: str) -> None:
    with pytest.raises(ConfigurationError, match="run id"):
        client.enqueue("main", {"x": 1}, run_id=name)


def test_a_default_queue_that_no_worker_serves_is_refused(server: RedisServer) -> None:
    with (
        Client(server.url, settings=Settings(redis=server.url, queue="")) as client,
        pytest.raises(ConfigurationError, match="queue"),
    ):
        client.enqueue("main", {"x": 1})


@pytest.mark.parametrize("name", ["", "x" * 1001, "\ud800"])
def test_a_name_that_no_entrypoint_has_is_refused(client: Client, name: str) -> None:
    with pytest.raises(ConfigurationError, match="entrypoint"):
        client.enqueue(name, {"x": 1})

    assert client.runs() == []
