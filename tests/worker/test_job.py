from __future__ import annotations

from typing import Any

import pytest
import redis
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from penstock.runtime import Client
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.settings import Settings
from penstock.worker.job import perform
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import FLOWS

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


@pytest.fixture
def client(redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Client:
    monkeypatch.setenv("PENSTOCK_APP", str(FLOWS))
    monkeypatch.setenv("PENSTOCK_TEST_JOURNAL", str(tmp_path / "journal"))
    return Client(redis_url, settings=Settings(redis=redis_url))


def work(raw: redis.Redis) -> None:
    """Let a plain RQ worker do what there is."""
    worker = SimpleWorker(
        [Queue("default", connection=raw)], connection=raw, serializer=JSONSerializer
    )
    worker.work(burst=True, logging_level="CRITICAL")


def test_a_plain_rq_worker_executes_runs(client: Client, redis_client: redis.Redis) -> None:
    runs = [client.enqueue(kind, {"steps": 3}) for kind in ("steps", "asteps", "fan", "afan")]

    work(redis_client)

    assert [run.result(1) for run in runs] == [[0, 1, 2]] * 4
    assert Job.fetch(runs[0].run_id, connection=redis_client).get_status() == "finished"
    Checker(redis_client).check(over=True)


def test_a_run_that_waits_ends_its_job_and_has_a_new_one_later(
    client: Client, redis_client: redis.Redis
) -> None:
    run = client.enqueue("ask", "well?")
    work(redis_client)
    assert run.status() == "suspended"

    run.resume("yes")
    work(redis_client)

    assert run.result(1) == [1, "yes", 2]
    Checker(redis_client).check(over=True)


def test_a_ticket_of_a_run_that_is_over_is_performed_without_a_word(
    client: Client, redis_client: redis.Redis
) -> None:
    run = client.enqueue("main", {"x": 1})
    work(redis_client)
    before = Checker(redis_client)
    before.check(over=True)

    redis_client.rpush("rq:queue:default", run.run_id, run.run_id)
    work(redis_client)

    before.check(over=True)
    assert run.result(1) == 2


@pytest.mark.open_runs
def test_without_an_app_the_run_stays_queued(
    client: Client, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PENSTOCK_APP")
    run = client.enqueue("main", {"x": 1})

    work(redis_client)

    assert run.status() == "queued"


def test_it_is_for_rq_workers_only() -> None:
    with pytest.raises(ConfigurationError, match=r"client\.enqueue"):
        perform()


def test_a_requeued_run_goes_on_under_a_plain_rq_worker(
    client: Client, redis_client: redis.Redis
) -> None:
    run = client.enqueue("steps", {"steps": "many"})
    work(redis_client)
    assert run.status() == "failed"

    FailedJobRegistry("default", connection=redis_client, serializer=JSONSerializer).requeue(
        run.run_id
    )
    work(redis_client)

    assert run.status() == "failed"
    assert "run.resumed" in str(redis_client.lrange(f"penstock:events:{run.run_id}", 0, -1))
    Checker(redis_client).check(over=True)


def test_a_plain_rq_worker_parks_what_it_does_not_have_and_takes_it_once_it_does(
    client: Client, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    little = tmp_path / "little.py"
    little.write_text(
        "from penstock.runtime import entrypoint\n@entrypoint()\ndef little(x: int) -> int:\n"
        "    return x\n"
    )
    runs = [client.enqueue("steps", {"steps": number}) for number in (1, 2)]
    monkeypatch.setenv("PENSTOCK_APP", str(little))
    work(redis_client)
    assert redis_client.zcard("penstock:parked:default:e:steps") == 2
    Checker(redis_client).check()

    monkeypatch.setenv("PENSTOCK_APP", str(FLOWS))
    runs.append(client.enqueue("steps", {"steps": 3}))
    work(redis_client)

    assert [run.result(1) for run in runs] == [[0], [0, 1], [0, 1, 2]]
    Checker(redis_client).check(over=True)
