"""Pages of the list of threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstock.publisher.plan import follow
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.redis.plans.thread_page import ThreadPage, read_thread_page
from penstock.runtime.redis.plans.thread_records import ThreadRecords
from penstock.runtime.redis.transport import send
from penstock.runtime.testing import InMemoryWorker


@pytest.fixture
def worker() -> Iterator[InMemoryWorker]:
    with InMemoryWorker([]) as worker:
        yield worker


def records_of(worker: InMemoryWorker) -> ThreadRecords:
    plans = worker.client.plans
    return ThreadRecords(plans.keys, plans.codec, worker.settings)


def page(worker: InMemoryWorker, after: str | None, limit: int) -> ThreadPage:
    return worker.client.do(read_thread_page(records_of(worker), after, limit))


def pages(worker: InMemoryWorker, limit: int) -> list[str]:
    found, after = list[str](), None
    while True:
        read = page(worker, after, limit)
        found += [each.thread_id for each in read.threads]
        if (after := read.after) is None:
            return found


def make(worker: InMemoryWorker, *names: str) -> None:
    for name in names:
        worker.client.do(records_of(worker).create(name, {}))


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 100])
def test_each_thread_is_on_one_page_also_of_those_that_changed_at_once(
    worker: InMemoryWorker, limit: int
) -> None:
    names = [f"t{number}" for number in range(10)]
    make(worker, *names)
    key = worker.client.plans.keys.threads
    worker.connection.zadd(key, {name: 1000 + at // 4 for at, name in enumerate(names)})

    found = pages(worker, limit)

    assert found == sorted(names, reverse=True)


def test_a_thread_that_changes_while_a_page_is_read_hides_no_other(worker: InMemoryWorker) -> None:
    names = [f"t{number}" for number in range(6)]
    make(worker, *names)
    key, connection = worker.client.plans.keys.threads, worker.connection
    connection.zadd(key, {name: 1000 + at for at, name in enumerate(names)})

    def ask(request: Any) -> Any:
        reply = send(connection, request)
        if isinstance(request, tuple) and request[0] == "ZREVRANGEBYSCORE":
            connection.zadd(key, {"t4": 2000})
        return reply

    first = follow(read_thread_page(records_of(worker), None, 2), ask)
    rest = page(worker, first.after, 10)

    assert [each.thread_id for each in first.threads] == ["t5", "t4"]
    assert [each.thread_id for each in rest.threads] == ["t3", "t2", "t1", "t0"]


def test_a_thread_that_is_gone_is_on_no_page_and_no_longer_listed(worker: InMemoryWorker) -> None:
    make(worker, "a", "b", "c")
    worker.connection.delete(*worker.connection.keys("penstock:thread:*"))
    make(worker, "d")

    assert pages(worker, 2) == ["d"]
    assert worker.connection.zcard(worker.client.plans.keys.threads) == 1


def test_what_is_no_cursor_is_refused(worker: InMemoryWorker) -> None:
    with pytest.raises(ConfigurationError, match="cursor"):
        page(worker, "x", 2)
