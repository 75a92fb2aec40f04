from __future__ import annotations

import http.client
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from penstock.runtime import Client
from penstock.worker.health import exposition
from tests.support.server import RedisServer
from tests.support.until import until
from tests.worker.commands import environment, penstock, program, refused, rows

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.open_runs,
]


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with Client(redis_url) as client:
        yield client


def samples(text: str) -> dict[str, float]:
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_metrics_of_a_redis(client: Client, redis_url: str) -> None:
    for _ in range(2):
        client.enqueue("main", {"x": 1}, thread_id="t")

    found = samples(penstock("exporter", "--once", url=redis_url).stdout)

    assert 0 <= found.pop("penstock_queue_oldest_seconds default") < 20
    assert found == {
        "penstock_redis_up": 1,
        "penstock_queue_depth default": 1,
        "penstock_backlog default": 1,
        "penstock_workers default": 0,
        "penstock_held thread": 1,
        "penstock_held code": 0,
        "penstock_open_runs queued": 2,
        "penstock_open_runs running": 0,
        "penstock_open_runs suspended": 0,
        "penstock_webhook_changes": 0,
        "penstock_webhook_changes_oldest_seconds": 0,
        "penstock_webhook_changes_lost": 0,
        **{
            f"penstock_webhook_deliveries_total {how} ~": 0
            for how in ("delivered", "dropped", "failed", "skipped")
        },
        "penstock_webhook_waiting ~": 0,
        "penstock_feed_entries": 0,
        "penstock_feed_span_seconds": 0,
    }


def test_without_redis_the_metrics_say_so() -> None:
    result = penstock("exporter", "--once", url="redis://127.0.0.1:1")

    assert samples(result.stdout) == {"penstock_redis_up": 0}


def test_without_the_extra_it_says_what_to_install(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposition, "is_installed", lambda: False)

    assert "pip install 'penstock[prometheus]'" in refused(penstock("exporter", url=redis_url))


def test_it_serves_until_it_is_asked_to_end(
    client: Client, redis_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            program("exporter", "--listen", "127.0.0.1:0"),
            env=environment(redis_url),
            stdout=out,
            stderr=out,
        )
    try:
        found = until(lambda: re.search(r"served on 127\.0\.0\.1:(\d+)", log.read_text()))
        assert found
        connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=5)
        connection.request("GET", "/metrics")
        response = connection.getresponse()

        assert response.status == 200
        assert samples(response.read().decode())["penstock_redis_up"] == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def test_the_backlog_of_queues(client: Client, redis_url: str, redis_client: redis.Redis) -> None:
    for queue in ("default", "urgent", "urgent"):
        client.enqueue("main", {"x": 1}, queue=queue)

    assert rows(penstock("backlog", "--json", url=redis_url))[0]["backlog"] == 1
    urgent, idle = rows(penstock("backlog", "urgent", "idle", "--json", url=redis_url))
    assert (urgent["queue"], urgent["backlog"], urgent["tickets"]) == ("urgent", 2, 2)
    assert idle == {"queue": "idle", "backlog": 0, "tickets": 0, "running": 0, "oldest": None}
    lines = penstock("backlog", "urgent", url=redis_url).stdout.splitlines()
    assert re.fullmatch(r"urgent +2 +2 +0 +\d+ s", lines[1])
    assert "queue" in refused(penstock("backlog", "no queue", url=redis_url))
