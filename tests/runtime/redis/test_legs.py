"""Legs of runs: noted when a run goes on, whoever makes it, and with what a request asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstock.publisher import subscribe
from penstock.runtime import entrypoint, interrupt, task
from penstock.runtime.errors import ResumeError
from penstock.runtime.redis.plans.legs import read_legs, write_request
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.types.interrupt import NOTHING
from penstock.runtime.types.leg import Leg, leg_place
from penstock.runtime.types.run import RunStatus

state = {"is_broken": True}


@entrypoint()
def asking(x: int) -> Any:
    return [interrupt("first"), interrupt("second")]


@task
def work() -> str:
    if state["is_broken"]:
        raise ValueError("broken")
    return "done"


@entrypoint()
def failing(x: int) -> str:
    return work().result()


@pytest.fixture
def worker() -> Iterator[InMemoryWorker]:
    with InMemoryWorker([asking, failing]) as worker:
        yield worker


def legs_of(worker: InMemoryWorker, run_id: str) -> list[Leg]:
    return list(worker.client.do(read_legs(worker.client.plans, run_id)).legs)


def test_a_run_that_was_never_resumed_has_one_leg_and_no_field_about_it(
    worker: InMemoryWorker,
) -> None:
    run = worker.client.enqueue(asking, 1)
    worker.work()

    (leg,) = legs_of(worker, run.run_id)

    assert (leg.leg_id, leg.number, leg.after, leg.end) == (run.run_id, 1, 0, None)
    assert not [name for name in fields_of(worker, run.run_id) if name.startswith("leg")]


def test_each_answer_of_a_plain_client_begins_a_leg(worker: InMemoryWorker) -> None:
    run = worker.client.enqueue(asking, 1)
    for answer in ("a", "b"):
        worker.work()
        run.resume(answer)
    worker.work()

    legs = legs_of(worker, run.run_id)

    ids = [run.run_id, f"{run.run_id}.2", f"{run.run_id}.3"]
    assert [leg.leg_id for leg in legs] == ids
    assert [leg_place(name) for name in ids] == [(run.run_id, number) for number in (1, 2, 3)]
    assert [leg.left_as for leg in legs] == [RunStatus.SUSPENDED, RunStatus.SUSPENDED, None]
    assert [leg.end for leg in legs[:-1]] == [leg.after for leg in legs[1:]]
    with subscribe(run.run_id, connection=worker.client.connection) as events:
        modes = [event.mode for event in events]
    assert [modes[leg.after] for leg in legs] == ["run.queued", "run.resumed", "run.resumed"]


def test_what_is_kept_of_legs_is_not_moved_with_the_run_and_goes_with_it(
    worker: InMemoryWorker,
) -> None:
    connection, run = worker.client.connection, worker.client.enqueue(asking, 1)
    key = worker.client.plans.keys.legs(run.run_id)
    for answer in ("a", "b"):
        worker.work()
        run.resume(answer)
    assert connection.ttl(key) == -1

    worker.work()

    legs = {name: text for name, text in fields_of(worker, run.run_id).items() if "leg" in name}
    assert legs == {"legs": "3"}
    assert connection.pttl(key) > 0
    list(worker.client.bulk("delete", status="completed"))
    assert not connection.exists(key)


def test_a_failed_run_that_goes_on_has_another_leg(worker: InMemoryWorker) -> None:
    state["is_broken"] = True
    run = worker.client.enqueue(failing, 1)
    worker.work()
    state["is_broken"] = False
    list(worker.client.bulk("resume", all=True))
    worker.work()

    first, second = legs_of(worker, run.run_id)

    assert first.left_as is RunStatus.FAILED
    assert second.end is None
    assert run.result() == "done"


def test_the_legs_of_a_run_that_failed_twice_and_goes_on_have_no_end(
    worker: InMemoryWorker,
) -> None:
    state["is_broken"] = True
    run = worker.client.enqueue(failing, 1)
    for _ in range(2):
        worker.work()
        run.resume()

    assert worker.client.connection.ttl(worker.client.plans.keys.legs(run.run_id)) == -1
    run.cancel()


def test_what_a_request_asked_is_kept_with_its_leg(worker: InMemoryWorker) -> None:
    plans = worker.client.plans
    run = worker.client.enqueue(asking, 1)
    worker.work()
    text = write_request(plans.codec, run.run_id, {"metadata": {"by": "me"}})

    number = worker.client.do(plans.resume(run.run_id, "a", text))

    assert number == 2
    assert legs_of(worker, run.run_id)[1].request["metadata"] == {"by": "me"}


def test_of_several_requests_with_the_same_answer_one_wins(worker: InMemoryWorker) -> None:
    plans = worker.client.plans
    run = worker.client.enqueue(asking, 1)
    worker.work()
    (asked,) = worker.client.do(plans.interrupts(run.run_id))
    first, second = (write_request(plans.codec, run.run_id, {}) for _ in range(2))
    call, answers = plans.calls.resume, {asked.id: '"a"'}
    fields = worker.client.do(plans.fields(run.run_id))
    event = '{"mode":"run.resumed","data":{"interrupts":[]},"time":1.0}'

    said = [
        worker.client.do(ask(call(run.run_id, event, "", answers, text))).decode()
        for text in (first, second, first)
    ]

    assert said == ["2", "answered", "2"]
    assert fields["status"] == "suspended"
    assert len(legs_of(worker, run.run_id)) == 2


def test_of_two_requests_that_a_failed_run_is_to_go_on_one_wins(worker: InMemoryWorker) -> None:
    plans = worker.client.plans
    state["is_broken"] = True
    run = worker.client.enqueue(failing, 1)
    worker.work()
    first, second = (write_request(plans.codec, run.run_id, {}) for _ in range(2))

    assert worker.client.do(plans.resume(run.run_id, NOTHING, first)) == 2
    with pytest.raises(ResumeError):
        worker.client.do(plans.resume(run.run_id, NOTHING, second))


def ask(call: Any) -> Plan[bytes]:
    reply: bytes = yield call
    return reply


def fields_of(worker: InMemoryWorker, run_id: str) -> dict[str, str]:
    return dict(worker.client.do(worker.client.plans.fields(run_id)))


@pytest.mark.parametrize("name", ["r.1", "r.0", "r.02", "r.x", "r.", "r.99999999999"])
def test_what_is_no_leg_has_the_number_0(name: str) -> None:
    assert leg_place(name) == ("r", 0)
