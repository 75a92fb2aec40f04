"""What can be done about a run that ended with ReplayError: accept, forget, fork, roll back."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.publisher.event import encode
from penstock.publisher.redis.script import run as send
from penstock.runtime import entrypoint, interrupt, task
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import ConfigurationError, ResumeError
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.types.run import RunStatus
from tests.runtime.flows import Calls

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


class Shop:
    """A run whose code has changed: it is about to end with ReplayError, in one of two ways."""

    def __init__(self, *, is_async: bool) -> None:
        gc.collect()
        self.calls = Calls()
        self.amount = 5
        self.logs = True
        self.charge = task(self._charge, name="charge")
        self.log = task(self._log, name="log")
        self.inner = task(self._inner, name="inner")
        self.worker = InMemoryWorker([self._aorder() if is_async else self._order()])

    def _charge(self, x: int) -> int:
        self.calls(("charge", x))
        return self.inner(x).result()

    def _inner(self, x: int) -> int:
        self.calls(("inner", x))
        return x

    def _log(self) -> None:
        self.calls("log")

    def _order(self) -> Any:
        @entrypoint(name="order")
        def order(_: int) -> Any:
            if self.logs:
                self.log().result()
            return [self.charge(self.amount).result(), interrupt("ship?")]

        return order

    def _aorder(self) -> Any:
        @entrypoint(name="order")
        async def order(_: int) -> Any:
            logged = [self.log()] if self.logs else []
            charged = self.charge(self.amount)
            await asyncio.gather(*logged)
            return [await charged, interrupt("ship?")]

        return order

    def failed(self) -> RunHandle:
        """Return a run that has failed with ReplayError, of the changed code."""
        run = self.worker.client.enqueue("order", 0)
        self.worker.work()
        run.resume("yes")
        self.worker.work()
        return run


@pytest.fixture(params=["sync", "async"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    shop = Shop(is_async=request.param == "async")
    with shop.worker:
        yield shop


def change(shop: Shop, *, amount: int = 5, logs: bool = True) -> RunHandle:
    """Let a run wait for its answer, then change the code, and let the run fail."""
    run = shop.worker.client.enqueue("order", 0)
    shop.worker.work()
    shop.amount, shop.logs = amount, logs
    run.resume("yes")
    shop.worker.work()
    assert run.status() is RunStatus.FAILED
    reason = run.info().reason
    assert reason.startswith("ReplayError")
    step_id = "charge:0" if amount != 5 else "log:0"
    for way in ("penstock resume", f"--accept '{step_id}'", f"--forget '{step_id}'", "fork RUN"):
        assert way in reason
    return run


def test_an_accepted_record_stands_though_the_arguments_differ(shop: Shop) -> None:
    run = change(shop, amount=7)
    assert run.resume(accept="charge:0") is run
    shop.worker.work()
    assert run.result(0) == [5, "yes"]
    assert shop.calls.count(("charge", 7)) == 0


def test_an_accepted_record_stands_though_nothing_calls_the_step(shop: Shop) -> None:
    run = change(shop, logs=False)
    run.resume(accept=["log:0"])
    shop.worker.work()
    assert run.result(0) == [5, "yes"]
    assert shop.calls.count("log") == 1


def test_a_forgotten_step_is_executed_again_with_all_that_it_called(shop: Shop) -> None:
    run = change(shop, amount=7)
    run.resume(forget="charge:0")
    shop.worker.work()
    assert run.result(0) == [7, "yes"]
    assert [each for each in shop.calls.made if each[0] != "l"] == [
        ("charge", 5),
        ("inner", 5),
        ("charge", 7),
        ("inner", 7),
    ]


def test_the_code_of_before_goes_on_after_a_rollback(shop: Shop) -> None:
    run = change(shop, amount=7)
    shop.amount = 5
    run.resume()
    shop.worker.work()
    assert run.result(0) == [5, "yes"]


def test_a_fork_keeps_the_steps_up_to_one(shop: Shop) -> None:
    run = change(shop, amount=7)
    fork = shop.worker.client.thread(run.thread_id).fork(run, after_step="log:0")
    shop.worker.work()
    fork.resume("no")
    shop.worker.work()
    assert fork.result(0) == [7, "no"]
    assert shop.calls.count("log") == 1
    assert run.status() is RunStatus.FAILED


def test_only_a_failed_run_is_amended_and_only_a_recorded_step(shop: Shop) -> None:
    run = change(shop, amount=7)
    with pytest.raises(ConfigurationError, match=r"no step 'pay:0'; it has recorded 'charge:0', "):
        run.resume(forget="pay:0")
    with pytest.raises(ConfigurationError, match="takes an answer, or"):
        run.resume("yes", accept="charge:0")
    run.resume(accept="charge:0", forget=["log:0"])
    with pytest.raises(ResumeError, match="is queued"):
        run.resume(accept="charge:0")
    shop.worker.work()
    with pytest.raises(ResumeError, match="is completed"):
        run.resume(accept="charge:0")
    assert shop.calls.count("log") == 2


def test_a_run_that_has_gone_on_meanwhile_is_left_alone(shop: Shop) -> None:
    run = change(shop, amount=7)
    stale = shop.worker.client.plans.calls.amend(run.run_id, "", "1", {}, ["charge:0"])
    assert send(shop.worker.connection, stale) == b"moved"
    assert shop.worker.connection.hexists(f"penstock:checkpoints:{run.run_id}", "charge:0")


def test_a_change_whose_reply_was_lost_is_made_once_whatever_the_run_did_since(shop: Shop) -> None:
    run = change(shop, amount=7)
    event = encode("run.resumed", "{}", thread="", time=0.0)
    calls, accepted = shop.worker.client.plans.calls, {"==charge:0": "1"}
    call = calls.amend(run.run_id, event, "2", accepted, ["log:0"])

    first = send(shop.worker.connection, call)
    shop.worker.work()
    again = send(shop.worker.connection, call)

    assert (first, again) == (b"queued", b"queued")
    assert run.result(0) == [5, "yes"]
    assert shop.calls.count("log") == 2
    another = calls.amend(run.run_id, event, "2", accepted, ["log:0"])
    assert send(shop.worker.connection, another) == b"completed"


def test_a_record_below_a_step_on_another_queue_is_accepted_there() -> None:
    calls, amount = Calls(), [5]
    inner = task(calls, name="inner")

    @task(queue="far")
    def charge(x: int) -> int:
        inner(amount[0]).result()
        if amount == [5]:
            raise ValueError("changed meanwhile")
        return x

    @entrypoint()
    def order(x: int) -> int:
        return charge(x).result()

    with InMemoryWorker([order], tasks=[charge, inner]) as worker:
        run = worker.client.enqueue(order, 1)
        worker.work()
        amount[0] = 7
        run.resume()
        worker.work()
        assert "ReplayError" in run.info().reason

        run.resume(accept="charge:0/inner:0")
        worker.work()

        assert run.result(0) == 1
    assert calls.made == [5]
