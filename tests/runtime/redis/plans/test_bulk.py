"""The same done to many runs, to each once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from penstock.publisher.codec.tree_reader import SEALED
from penstock.publisher.redis.script import Call
from penstock.publisher.redis.script import run as send
from penstock.runtime import Client, entrypoint, interrupt, task
from penstock.runtime.errors import ConfigurationError, RunNotFoundError
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.bulk import Bulk
from penstock.runtime.redis.plans.requests import Reads, Request
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.types.bulk import BulkAction, BulkOrder, BulkProgress, bulk_order
from penstock.runtime.types.run_filter import RunFilter, RunPage
from penstock.runtime.types.state import StateSnapshot
from tests.faults.support.invariants import Checker
from tests.support.attempts import end
from tests.support.requests import sent

KEYS = Keys()
KEY = "k:" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
works: set[int] = set()
stepped: list[int] = []


@task
def first(number: int) -> int:
    stepped.append(number)
    return number


@task
def second(number: int) -> int:
    if number not in works:
        raise ValueError(number)
    return number


@entrypoint()
def two(number: int) -> int:
    return first(number).result() + second(number).result()


@entrypoint()
def pay(number: int) -> int:
    if number == 0:
        return int(interrupt("how many?"))
    if number not in works:
        raise ValueError(number)
    return number


@pytest.fixture(params=["", KEY])
def worker(request: pytest.FixtureRequest) -> Iterator[InMemoryWorker]:
    works.clear()
    stepped.clear()
    settings = Settings(encryption_keys=request.param, index=("tag:kind",))
    with InMemoryWorker([pay, approve, two], settings=settings) as worker:
        yield worker


@pytest.fixture
def client(worker: InMemoryWorker) -> Client:
    return worker.client


@entrypoint(version="1", pin=True)
def approve(number: int) -> int:
    return number * int(interrupt("how many?"))


def failed(worker: InMemoryWorker, *numbers: int) -> list[str]:
    names: list[str] = []
    for number in numbers:  # one by one, so that they end in this order
        tags = {"kind": "odd" if number % 2 else "even"}
        names.append(worker.client.enqueue(pay, number, tags=tags).run_id)
        worker.work()
    return names


def as_read(page: RunPage) -> list[tuple[str, str, str]]:
    return [(run.run_id, str(run.status), page.epochs[run.run_id]) for run in page]


def last(steps: Iterable[BulkProgress]) -> tuple[int, int]:
    *_, progress = steps
    return progress.done, progress.skipped


def statuses(client: Client, names: Iterable[str]) -> list[str]:
    return [str(client.get(name).status()) for name in names]


def test_failed_runs_are_resumed_all_at_once(worker: InMemoryWorker, client: Client) -> None:
    names = failed(worker, *range(1, 8))
    works.update(range(1, 8))
    (group,) = client.failures()

    assert last(client.bulk("resume", error=group.cause, dry_run=True)) == (7, 0)
    assert client.count(status="failed") == 7
    assert last(client.bulk("resume", error=group.cause, tag={"kind": "odd"})) == (4, 0)
    assert last(client.bulk("resume", error=group.cause)) == (3, 0)
    assert last(client.bulk("resume", error=group.cause)) == (0, 0)
    worker.work()
    assert statuses(client, names) == ["completed"] * 7
    Checker(client.connection).check(over=True)


def test_a_run_that_was_changed_since_it_was_read_is_left_alone(
    worker: InMemoryWorker, client: Client
) -> None:
    names = failed(worker, 1, 2, 3)
    page = client.runs("failed")
    client.get(names[0]).resume()
    worker.work()  # it has failed again, in another attempt
    client.get(names[1]).resume()
    seen = as_read(page)

    resume, cancel = (
        client.plans.calls.bulk(action, some)
        for action, some in (("resume", seen), ("cancel", [(seen[0][0], "queued", seen[0][2])]))
    )
    for call in (resume, cancel):
        send(client.connection, call)
    again = [send(client.connection, call) for call in (resume, cancel)]  # as a reply was lost

    assert [run_id for run_id, *_ in seen] == names[::-1]
    assert again == [[0, 0, 0], [0]]
    assert statuses(client, names) == ["failed", "queued", "cancelled"]
    Checker(client.connection).check()


def test_a_run_whose_status_has_changed_since_it_was_read_is_left_alone(
    worker: InMemoryWorker, client: Client
) -> None:
    asking, failing = client.enqueue(pay, 0), client.enqueue(pay, 1)
    worker.work()
    suspended, failed = (as_read(client.runs(status)) for status in ("suspended", "failed"))
    asking.resume(3)
    failing.resume()
    failing.cancel()

    answers = [
        send(client.connection, client.plans.calls.bulk(action, seen))
        for action, seen in (("cancel", suspended), ("delete", failed))
    ]

    assert answers == [[0], [0]]
    assert statuses(client, [asking.run_id, failing.run_id]) == ["queued", "cancelled"]


def test_a_run_that_goes_on_before_it_is_run_again_is_left_alone(
    worker: InMemoryWorker, client: Client
) -> None:
    (name,) = failed(worker, 1)
    order = bulk_order("rerun", {"status": "failed"})
    bulk = Bulk(client.threads, client.search, client.settings, order)

    def resume(request: Request) -> None:
        if isinstance(request, Reads) and any(each[0] == "HMGET" for each in request.commands):
            client.get(name).resume()

    progress, _ = sent(client, bulk.step(), resume)

    assert (progress.done, progress.skipped) == (0, 1)
    assert client.count() == 1


def test_open_runs_are_cancelled_and_runs_that_are_over_are_deleted(
    worker: InMemoryWorker, client: Client
) -> None:
    asking = client.enqueue(pay, 0)
    named = client.enqueue(pay, 1, thread_id="t")
    worker.work()
    queued = client.enqueue(pay, 2, tags={"kind": "even"})

    assert last(client.bulk("cancel", all=True)) == (2, 0)

    assert statuses(client, [asking.run_id, queued.run_id]) == ["cancelled"] * 2
    assert last(client.bulk("delete", status="cancelled")) == (2, 0)
    with pytest.raises(RunNotFoundError):
        asking.info()
    assert client.counts() == {"failed": 1}
    assert last(client.bulk("delete", entrypoint="pay")) == (1, 0)
    assert client.count() == 0
    assert not client.connection.exists(KEYS.run(named.run_id), KEYS.events(named.run_id))
    assert client.connection.keys("penstock:checkpoints:*") == []
    Checker(client.connection).check(over=True)


def test_runs_are_run_again_once_for_each_attempt(worker: InMemoryWorker, client: Client) -> None:
    names = failed(worker, 1, 2)
    works.update((1, 2))

    steps = list(client.bulk("rerun", status="failed"))
    assert last(client.bulk("rerun", status="failed")) == (0, 2)

    worker.work()
    new = steps[-1].run_ids
    assert [client.get(name).result() for name in new] == [2, 1]
    assert [client.get(name).info().rerun_of for name in new] == names[::-1]
    assert client.count() == 4
    assert len(client.runs(tag={"kind": "odd"})) == 2
    Checker(client.connection).check(over=True)


@pytest.mark.filterwarnings("ignore:no live worker has announced")
@pytest.mark.parametrize("action", ["rerun", "resume", "fork"])
def test_a_bulk_executes_no_other_bulk_again(client: Client, action: BulkAction) -> None:
    client.start_bulk("delete", entrypoint="pay").cancel()

    assert last(client.bulk(action, all=True)) == (0, 0)
    assert last(client.bulk("delete", all=True)) == (1, 0)


def test_runs_are_forked_once_for_each_attempt(worker: InMemoryWorker, client: Client) -> None:
    """A thread that has gone on is not taken back by a bulk that is repeated."""
    for number in (1, 2):
        client.enqueue(two, number, thread_id=f"t{number}")
    worker.work()
    other = failed(worker, 3)
    works.update((1, 2, 3))
    del stepped[:]

    steps = list(client.bulk("fork", status="failed", after_step="first:0"))
    worker.work()
    client.enqueue(two, 2, thread_id="t2")
    worker.work()
    before = [len(list(client.thread(f"t{number}").history())) for number in (1, 2)]
    again = last(client.bulk("fork", status="failed", after_step="first:0"))

    assert (steps[-1].done, steps[-1].skipped, again) == (2, 1, (0, 3))
    assert sorted(client.get(name).result() for name in steps[-1].run_ids) == [2, 4]
    assert stepped == [2], "only of the run that came later"
    assert [len(list(client.thread(f"t{number}").history())) for number in (1, 2)] == before
    assert statuses(client, other) == ["failed"]
    Checker(client.connection).check(over=True)


@pytest.mark.parametrize("meanwhile", ["goes on", "is given values", "is followed by another"])
def test_a_fork_that_cannot_be_made_leaves_the_thread_as_it_is(
    worker: InMemoryWorker, client: Client, meanwhile: str
) -> None:
    run = client.enqueue(two, 1, thread_id="t")
    worker.work()
    bulk = Bulk(
        client.threads, client.search, client.settings, bulk_order("fork", {"status": "failed"})
    )
    before: list[StateSnapshot] = []

    def change(request: Request) -> None:
        if isinstance(request, Call) and not before:
            if meanwhile == "goes on":  # it has failed again, in another attempt
                run.resume()
                worker.work()
            elif meanwhile == "is given values":  # which complete it
                client.thread("t").update(5)
            else:
                client.enqueue(two, 2, thread_id="t")
            before.extend(client.thread("t").history())

    progress, _ = sent(client, bulk.step(), change)

    assert (progress.done, progress.skipped) == (0, 1)
    assert list(client.thread("t").history()) == before
    Checker(client.connection).check()


def test_a_fork_is_made_in_one_step(worker: InMemoryWorker, client: Client) -> None:
    client.enqueue(two, 1, thread_id="t")
    worker.work()
    bulk = Bulk(
        client.threads, client.search, client.settings, bulk_order("fork", {"status": "failed"})
    )

    progress, requests = sent(client, bulk.step())

    assert progress.done == 1
    assert len([each for each in requests if isinstance(each, Call)]) == 1


@pytest.mark.parametrize("action", ["rerun", "fork"])
def test_a_run_that_cannot_be_read_is_skipped(action: Any) -> None:
    works.clear()
    with InMemoryWorker([two], settings=Settings(encryption_keys=KEY)) as worker:
        client = worker.client
        names = [client.enqueue(two, number, thread_id=f"t{number}").run_id for number in (1, 2)]
        worker.work()
        sealed = f'{{"{SEALED}":"gone:AAAA"}}'  # by a key that is not here
        client.connection.hset(KEYS.checkpoints(names[1]), "input", sealed)

        assert last(client.bulk(action, status="failed")) == (1, 1)
        worker.work()


def test_two_forks_at_once_are_one(worker: InMemoryWorker, client: Client) -> None:
    """The other takes the thread back after the first one has read that there is no new run."""
    client.enqueue(two, 1, thread_id="t")
    worker.work()
    works.add(1)
    order = bulk_order("fork", {"status": "failed"})
    bulks = [Bulk(client.threads, client.search, client.settings, order) for _ in range(2)]
    meanwhile: list[int] = []

    def fork(request: Request) -> None:
        if isinstance(request, Call) and not meanwhile:
            meanwhile.append(client.do(bulks[1].step()).done)
            worker.work()
            meanwhile.append(len(list(client.thread("t").history())))

    progress, _ = sent(client, bulks[0].step(), fork)

    assert (progress.done, progress.skipped) == (0, 1)
    assert meanwhile == [1, len(list(client.thread("t").history()))]
    assert client.thread("t").state().values == 2


def test_steps_of_failed_runs_are_accepted_and_forgotten(
    worker: InMemoryWorker, client: Client
) -> None:
    names = [client.enqueue(two, number).run_id for number in (1, 2)]
    worker.work()
    failed(worker, 3)
    works.update((1, 2))
    del stepped[:]

    done = last(client.bulk("resume", status="failed", forget="first:0"))
    worker.work()

    assert done == (2, 1), "one has no such step"
    assert sorted(stepped) == [1, 2]
    assert [client.get(name).result() for name in names] == [2, 4]
    assert last(client.bulk("resume", status="failed", accept=["first:0"])) == (0, 1)


def test_an_order_is_read_as_it_was_written() -> None:
    query: Any = {"tag": {"kind": "odd"}, "since": datetime(2026, 1, 1, tzinfo=UTC)}
    options: Any = {"accept": "a:0", "rate": 7}
    order = bulk_order("resume", query, **options)

    assert BulkOrder.read(json.loads(json.dumps(order.written()))) == order
    with pytest.raises(ConfigurationError, match="no bulk as"):
        BulkOrder.read({"action": "resume"})


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"rate": 0}, "rate"),
        ({"rate": "x"}, "no bulk as"),
        ({"action": "explode"}, "no action 'explode'"),
        ({"action": "fork"}, "accept and forget are of resume"),
        ({"after_step": "a:0"}, "after_step is of fork"),
        ({"wanted": RunFilter().written()}, "resume is for runs that are failed"),
        ({"wanted": {**RunFilter().written(), "statuses": []}}, "resume is for runs"),
    ],
)
def test_an_order_that_nobody_may_give_is_refused_where_it_is_read(
    change: Mapping[str, Any], match: str
) -> None:
    order = bulk_order("resume", {"status": "failed"}, accept="a:0")

    with pytest.raises(ConfigurationError, match=match):
        BulkOrder.read({**order.written(), **change})


def test_a_run_is_run_again_with_all_it_was_given(worker: InMemoryWorker, client: Client) -> None:
    first = client.enqueue(
        pay,
        5,
        queue="far",
        thread_id="t",
        tags={"kind": "odd"},
        config={"metadata": {"a": 1}},
        retention=77,
    )
    worker.work()
    works.add(5)

    again = first.rerun()
    info = again.info()
    worker.work()

    assert again.result() == 5
    assert (info.queue, info.thread_id, info.rerun_of) == ("far", "t", first.run_id)
    assert info.tags == {"kind": "odd"}
    config = client.do(client.plans.config(again.run_id))
    assert config["metadata"] == {"a": 1}
    assert 70_000 < client.connection.pttl(KEYS.run(again.run_id)) <= 77_000
    fork = client.thread("t").fork(first)
    assert fork.info().tags == {"kind": "odd"}
    assert [run.run_id for run in client.runs("queued", tag={"kind": "odd"})] == [fork.run_id]
    config = client.do(client.plans.config(fork.run_id))
    assert config["metadata"] == {"a": 1}
    worker.work()
    assert 70_000 < client.connection.pttl(KEYS.run(fork.run_id)) <= 77_000
    own = client.enqueue(pay, 5)
    assert own.rerun().thread_id not in (own.thread_id, "t")
    worker.work()


def test_a_run_is_run_again_with_another_input(worker: InMemoryWorker, client: Client) -> None:
    run = client.enqueue(pay, 1, tags={"kind": "odd"})
    worker.work()
    works.add(2)

    again = run.rerun(2)
    worker.work()

    assert again.result(1) == 2
    info = again.info()
    assert (info.rerun_of, info.tags) == (run.run_id, {"kind": "odd"})
    refused = run.rerun("much")
    worker.work()
    assert refused.info().reason.startswith("InputError")


def test_async_code_does_the_same(worker: InMemoryWorker, client: Client) -> None:
    names = failed(worker, 1)

    async def go() -> tuple[int, str, int]:
        async with worker.aclient as other:
            done = [each.done async for each in other.bulk("resume", all=True)]
            run = await (await other.get(names[0])).rerun()
            return done[-1], (await run.info()).rerun_of, len(await other.failures())

    assert asyncio.run(go()) == (1, names[0], 0)


@pytest.mark.parametrize(("action", "command"), [("resume", "ZRANGE"), ("cancel", "ZINTER")])
def test_a_bulk_reads_the_lists_of_runs_once(client: Client, action: str, command: str) -> None:
    for number in range(250):
        run = client.enqueue(pay, number)
        if action == "resume":
            end(client, run.run_id, "failed")
    order = bulk_order(action, {"status": "queued" if action == "cancel" else "failed"})
    bulk = Bulk(client.threads, client.search, client.settings, order)

    requests: list[Request] = []
    while not bulk.is_over:
        requests += sent(client, bulk.step())[1]

    assert (bulk.done, bulk.skipped) == (250, 0)
    reads = [
        each for request in requests if isinstance(request, Reads) for each in request.commands
    ]
    assert sum(each[0] == command for each in reads) == 1


def test_a_bulk_keeps_its_rate(worker: InMemoryWorker, client: Client) -> None:
    failed(worker, *range(1, 121))

    began = time.monotonic()
    assert last(client.bulk("resume", all=True, rate=400)) == (120, 0)

    assert time.monotonic() - began > 0.2


def test_a_bulk_that_is_meant_for_no_run_is_refused(client: Client) -> None:
    with pytest.raises(ConfigurationError, match="all=True"):
        client.bulk("resume")
    with pytest.raises(ConfigurationError, match="resume is for runs that are failed"):
        client.bulk("resume", status="completed")
    with pytest.raises(ConfigurationError, match="accept and forget are of resume, not of rerun"):
        client.bulk("rerun", all=True, accept="first:0")
    with pytest.raises(ConfigurationError, match="after_step is of fork, not of resume"):
        client.bulk("resume", all=True, after_step="first:0")
    with pytest.raises(ConfigurationError, match="rate"):
        client.bulk("resume", all=True, rate=0)
    with pytest.raises(ConfigurationError, match="no action 'explode'"):
        client.bulk("explode", all=True)  # type: ignore[arg-type]


def test_runs_that_are_pinned_to_a_version_are_unpinned_once(
    client: Client, worker: InMemoryWorker
) -> None:
    runs = [client.enqueue(approve, number) for number in (1, 2)]
    worker.work()
    client.enqueue(pay, 0)
    worker.work()
    assert {run.run_id for run in client.runs(version="1")} == {run.run_id for run in runs}
    assert client.count(version="2") == 0
    assert all(run.info().is_pinned for run in runs)

    over = client.enqueue(approve, 3)
    worker.work()
    over.cancel()
    (seen,) = as_read(client.runs("cancelled"))
    assert send(client.connection, client.plans.calls.bulk("unpin", [seen])) == [0]
    assert over.info().is_pinned
    assert last(client.bulk("unpin", version="2")) == (0, 0)
    assert last(client.bulk("unpin", version="1")) == (2, 0)
    assert not any(run.info().is_pinned for run in runs)
    assert last(client.bulk("unpin", version="1")) == (0, 2)
    runs[0].resume(3)
    worker.work()
    assert runs[0].result(1) == 3
