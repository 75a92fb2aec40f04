"""Failures of one cause are one group, and are kept for longer than other runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from penstock.publisher.redis.script import run as send
from penstock.runtime import Client, entrypoint, task
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.redis.calls import Death
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.creation import Wanted, create
from penstock.runtime.redis.plans.failures import failures
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker
from tests.faults.support.invariants import Checker
from tests.support.attempts import take
from tests.support.requests import sent

KEYS = Keys()


def refuse(number: int) -> None:
    if number > 1:
        raise ValueError(f"{number} is too many")
    raise KeyError(number)


@task
def charge(number: int) -> int:
    refuse(number)
    return number


@entrypoint()
def shop(number: int) -> int:
    if number < 0:
        refuse(2)
    return charge(number).result()


@entrypoint(retention=3)
def brief(number: int) -> int:
    return number


@pytest.fixture
def worker() -> Iterator[InMemoryWorker]:
    with InMemoryWorker(
        [shop, brief], settings=Settings(retention=60, retention_failed=3600)
    ) as worker:
        yield worker


@pytest.fixture
def client(worker: InMemoryWorker) -> Client:
    return worker.client


def fail(worker: InMemoryWorker, *numbers: int) -> None:
    for number in numbers:
        worker.client.enqueue(shop, number)
        worker.work()


def test_failures_are_grouped_by_task_class_and_function(
    worker: InMemoryWorker, client: Client
) -> None:
    fail(worker, 2, 3, 1, -1)

    body, missing, many = client.failures()

    assert (many.entrypoint, many.task, many.error, many.failed) == (
        "shop",
        "charge",
        "ValueError",
        2,
    )
    assert many.place == f"{__name__}.refuse"
    assert many.reason == "ValueError: 3 is too many"
    assert (missing.error, missing.failed) == ("KeyError", 1)
    assert (body.task, body.error, body.place) == ("", "ValueError", many.place)
    assert len({many.cause, missing.cause, body.cause}) == 3
    assert many.first_at < many.last_at
    found = client.runs(error=many.cause)
    assert [run.reason for run in found] == [
        "ValueError: 3 is too many",
        "ValueError: 2 is too many",
    ]
    assert {run.cause for run in found} == {many.cause}
    assert many.sample == found[0].run_id
    assert client.count(error=many.cause) == 2
    assert [group.cause for group in client.failures(1)] == [body.cause]


def test_a_run_that_goes_on_leaves_its_group(worker: InMemoryWorker, client: Client) -> None:
    fail(worker, 2, 3)
    first, second = client.runs("failed")
    (group,) = client.failures()

    client.get(first.run_id).resume()

    assert client.get(first.run_id).info().cause == ""
    assert [run.run_id for run in client.runs(error=group.cause)] == [second.run_id]
    worker.work()
    (group,) = client.failures()
    assert (group.failed, group.count) == (2, 3)
    assert [run.run_id for run in client.runs(error=group.cause)] == [first.run_id, second.run_id]
    client.thread(first.run_id).delete()
    client.thread(second.run_id).delete()
    assert client.failures() == []


def test_a_run_that_is_in_no_list_is_in_no_group(worker: InMemoryWorker, client: Client) -> None:
    for number, name in ((2, "fails"), (3, "dies")):
        creation = create(Wanted("shop", number, run_id=name), client.settings, client.plans.codec)
        fields = {**creation.fields, "op": "update"}
        client.do(client.plans.create(dataclasses.replace(creation, fields=fields)))
        if name == "fails":
            worker.work()
    take(client, "dies")
    death = Death("w", "killed", ("dies",))
    send(client.connection, client.plans.calls.recover(1, 60, death))

    assert {str(client.get(name).status()) for name in ("fails", "dies")} == {"failed"}
    assert not client.connection.exists(KEYS.causes)
    fail(worker, 2)
    client.get("fails").resume()
    assert client.counts() == {"failed": 1}
    worker.work()
    assert [group.count for group in client.failures()] == [1]
    client.thread("fails").delete()
    assert client.counts() == {"failed": 1}


def test_groups_are_read_in_a_few_round_trips_and_one_by_its_name(
    worker: InMemoryWorker, client: Client
) -> None:
    fail(worker, 2, 3, 1, -1)

    groups, requests = sent(client, failures(client.search, 100))
    one, of_one = sent(client, failures(client.search, 100, groups[1].cause))

    assert len(groups) == 3
    assert len(requests) == 4
    assert (one, len(of_one)) == ([groups[1]], 3)
    assert client.failures(cause=groups[0].cause) == groups[:1]
    assert client.failures(cause="unknown") == []


def test_a_failed_run_is_kept_for_longer(worker: InMemoryWorker, client: Client) -> None:
    fail(worker, 2)
    (failed,) = client.runs("failed")
    own = client.enqueue(shop, 3, retention=5, retention_failed=50, thread_id="t")
    gone = client.enqueue(shop, 4, retention=5)
    gone.cancel()
    worker.work()
    ttl = client.connection.pttl

    assert 3500_000 < ttl(KEYS.run(failed.run_id)) <= 3600_000
    assert 3500_000 < ttl(KEYS.events(failed.run_id)) <= 3600_000
    assert 0 < ttl(KEYS.run(own.run_id)) <= 50_000
    assert 0 < ttl(KEYS.run(gone.run_id)) <= 5_000
    (cause,) = [group.cause for group in client.failures()]
    assert 3500_000 < ttl(KEYS.cause(cause)) <= 3600_000
    Checker(client.connection).check(over=True)
    declared = client.enqueue(brief, 1)
    longer = client.enqueue(brief, 1, retention=9)
    for run in (declared, longer):
        run.cancel()
    assert 0 < ttl(KEYS.run(declared.run_id)) <= 3_000 < ttl(KEYS.run(longer.run_id)) <= 9_000
    for seconds in (0, -1, float("nan")):
        with pytest.raises(ConfigurationError, match="retention"):
            client.enqueue(shop, 1, retention_failed=seconds)
