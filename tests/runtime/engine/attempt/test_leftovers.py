"""Recorded steps that the code does not ask for any more: never executed again in silence."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from penstock.runtime import Command, RetryPolicy, entrypoint, interrupt, task
from penstock.runtime.engine.attempt.leftovers import grouped
from penstock.runtime.errors import ReplayError
from penstock.runtime.testing import InMemoryWorker
from tests.runtime.flows import Calls, asked
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


@pytest.fixture(autouse=True)
def no_other_tasks() -> None:
    """Lets go of the tasks of other tests: a name counts as gone once no task of it exists."""
    gc.collect()


class Deploy:
    """Code whose task goes by the name of the present deploy, and what it has done."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.name = "take"

    def charge(self, x: int) -> int:
        self.calls(x)
        return x

    def __call__(self, x: int) -> Any:
        return task(self.charge, name=self.name)(x)


RESUME: Any = Command(resume="yes")


def test_a_task_of_another_name_executes_nothing(drive: Drive) -> None:
    deploy = Deploy()

    @entrypoint()
    def order(x: int) -> Any:
        return [deploy(x).result(), interrupt("ship?")]

    assert asked(drive(order, 5)) == ["ship?"]
    deploy.name = "take_by_card"

    with pytest.raises(ReplayError, match=r"task 'take'.*step 'take:0'.*'take_by_card:0'"):
        drive(order, RESUME)
    assert deploy.calls.made == [5]

    deploy.name = "take"
    assert drive(order, None) == [5, "yes"]
    assert deploy.calls.made == [5]


def test_the_old_name_keeps_the_records_of_a_function_that_has_a_new_one(drive: Drive) -> None:
    calls = Calls()
    is_deployed = False

    def charge(x: int) -> int:
        calls(x)
        return x

    def charge_card(x: int) -> int:
        calls(x)
        return x

    @entrypoint()
    def order(x: int) -> Any:
        pay = task(charge_card, name="charge") if is_deployed else task(charge)
        return [pay(x).result(), interrupt("ship?")]

    assert asked(drive(order, 5)) == ["ship?"]
    is_deployed = True

    assert drive(order, RESUME) == [5, "yes"]
    assert calls.made == [5]


def test_the_name_counts_in_asyncio_tasks_too(drive: Drive) -> None:
    deploy = Deploy()

    async def branch(x: int) -> Any:
        return [await deploy(x), interrupt(f"ship {x}?")]

    @entrypoint()
    async def order(x: int) -> Any:
        return await asyncio.gather(branch(x), branch(x + 1))

    assert sorted(asked(drive(order, 5))) == ["ship 5?", "ship 6?"]
    deploy.name = "take_by_card"

    with pytest.raises(ReplayError, match=r"task 'take'.*step '~\d/take:0'"):
        drive(order, None if drive.kind != "worker" else Command(resume={}))
    assert sorted(deploy.calls.made) == [5, 6]


def test_a_task_that_is_gone_with_its_steps_inside_is_missed(drive: Drive) -> None:
    calls = Calls()
    name = "pack"

    @task
    def wrap(x: int) -> int:
        calls(x)
        return x

    def pack(x: int) -> Any:
        return [wrap(x).result(), interrupt("label?")]

    @entrypoint()
    def order(x: int) -> Any:
        return task(pack, name=name)(x).result()

    assert asked(drive(order, 5)) == ["label?"]
    name = "pack_up"

    with pytest.raises(ReplayError, match=r"task 'pack'.*'pack:0'.*'pack_up:0'"):
        drive(order, RESUME)
    assert calls.made == [5]


def test_a_nested_entrypoint_of_another_name_is_missed(drive: Drive) -> None:
    calls = Calls()
    name = "wrapping"

    def child(x: int) -> int:
        calls(x)
        return x

    @entrypoint()
    def order(x: int) -> Any:
        return [entrypoint(name=name)(child).invoke(x), interrupt("ship?")]

    assert asked(drive(order, 5)) == ["ship?"]
    name = "wrapping_up"

    with pytest.raises(ReplayError, match=r"task 'wrapping'.*step '\^wrapping:0'"):
        drive(order, RESUME)
    assert calls.made == [5]


@task
def log(x: int) -> int:
    return x


@task
def pay(x: int) -> int:
    return x


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_step_that_nobody_asked_for_fails_the_run_at_its_end(drive: Drive, kind: str) -> None:
    is_deployed = False

    @entrypoint()
    def order(x: int) -> Any:
        if not is_deployed:
            log(x).result()
        return [pay(x).result(), interrupt("ship?")]

    @entrypoint(name="order")
    async def aorder(x: int) -> Any:
        if not is_deployed:
            await log(x)
        return [await pay(x), interrupt("ship?")]

    flow: Any = order if kind == "sync" else aorder
    assert asked(drive(flow, 5)) == ["ship?"]
    is_deployed = True

    with pytest.raises(ReplayError, match=r"'order' ended without a call of task 'log'.*'log:0'"):
        drive(flow, RESUME)
    is_deployed = False
    assert drive(flow, None) == [5, "yes"]


def test_a_step_that_a_step_did_not_ask_for_fails_it(drive: Drive) -> None:
    is_deployed = False

    @task
    def pack(x: int) -> Any:
        if not is_deployed:
            log(x).result()
        return interrupt("label?")

    @entrypoint()
    def order(x: int) -> Any:
        return pack(x).result()

    assert asked(drive(order, 5)) == ["label?"]
    is_deployed = True

    with pytest.raises(ReplayError, match=r"'pack' ended without a call of task 'log'"):
        drive(order, RESUME)


# -- what may rightly be missing ------------------------------------------------------------------


def test_new_calls_may_come_before_recorded_ones(drive: Drive) -> None:
    is_deployed = False

    @entrypoint()
    def order(x: int) -> Any:
        if is_deployed:
            log(x).result()
        return [pay(x).result(), interrupt("ship?")]

    assert asked(drive(order, 5)) == ["ship?"]
    is_deployed = True

    assert drive(order, RESUME) == [5, "yes"]


def test_a_task_may_be_declared_after_a_new_call(drive: Drive) -> None:
    is_deployed = False

    @entrypoint()
    def order(x: int) -> Any:
        if is_deployed:
            log(x).result()

        @task
        def settle(x: int) -> int:
            return x

        named = task(settle.function, name="settle twice")
        return [settle(x).result(), named(x).result(), interrupt("ship?")]

    assert asked(drive(order, 5)) == ["ship?"]
    is_deployed = True

    assert drive(order, RESUME) == [5, 5, "yes"]


def test_some_of_a_fan_out_may_be_recorded_and_others_not(drive: Drive) -> None:
    @task
    def work(x: int) -> Any:
        return interrupt(x) if x % 2 else x

    @entrypoint()
    def fan(x: int) -> Any:
        return [future.result() for future in [work(i) for i in range(x)]]

    first = drive(fan, 4)
    answers = {each.id: each.value for each in first["__interrupt__"]}
    assert drive(fan, Command(resume=answers)) == [0, 1, 2, 3]


def test_steps_of_other_arguments_may_be_missing_where_they_are_to_run_again(
    drive: Drive,
) -> None:
    version = "old"

    @task(on_change="rerun")
    def render(x: str) -> str:
        return x

    @entrypoint()
    def page(_: int) -> Any:
        parts = [render(f"{version} {number}").result() for number in range(len(version))]
        return [*parts, interrupt("ok?")]

    assert asked(drive(page, 1)) == ["ok?"]
    version = "x"

    assert drive(page, RESUME) == ["x 0", "yes"]


def test_steps_of_a_try_that_failed_may_be_missing(drive: Drive) -> None:
    tries = Calls()

    @task(retry_policy=RetryPolicy(initial_interval=0, jitter=False, retry_on=LookupError))
    def order(x: int) -> Any:
        tries("try")
        if tries.count("try") == 1:
            log(x).result()
            raise LookupError("the first way")
        pay(x).result()
        return interrupt("ship?")

    @entrypoint()
    def main(x: int) -> Any:
        return order(x).result()

    assert asked(drive(main, 5)) == ["ship?"]
    assert drive(main, RESUME) == "yes"


def test_steps_of_an_asyncio_task_that_was_cancelled_may_be_missing(drive: Drive) -> None:
    is_slow = True

    async def reminder() -> None:
        if is_slow:
            await log(1)
        await asyncio.Event().wait()

    @entrypoint()
    async def order(x: int) -> Any:
        reminding = asyncio.create_task(reminder())
        await pay(x)
        await asyncio.sleep(0.05)
        reminding.cancel()
        return interrupt("ship?")

    assert asked(drive(order, 5)) == ["ship?"]
    is_slow = False

    assert drive(order, RESUME) == "yes"


def test_a_deploy_that_renames_a_task_fails_open_runs_on_workers() -> None:
    deploy = Deploy()

    @entrypoint()
    def order(x: int) -> Any:
        return [deploy(x).result(), interrupt("ship?")]

    with InMemoryWorker([order]) as worker:
        run = worker.client.enqueue(order, 5)
        worker.work()
        deploy.name = "take_by_card"
        run.resume(True)
        worker.work()
        assert run.status() == "failed"
        assert run.info().reason.startswith("ReplayError")
        deploy.name = "take"
        run.resume()
        worker.work()
        assert run.result(0) == [5, True]
    assert deploy.calls.made == [5]


def test_steps_are_grouped_by_their_branches_with_those_that_they_were_called_in() -> None:
    recorded = ["input", "a:0", "a:1", "~0/b:0", "c:0/~1/d@5f:0", "?id", "!id", ":a:0#2", "e=x"]

    branches = grouped(recorded, {"a:1"})

    assert {prefix: left.names for prefix, left in branches.items()} == {
        "": {"a:0": "a", "c:0": "c", "e=x": "e"},
        "~0/": {"~0/b:0": "b"},
        "c:0/~1/": {"c:0/~1/d@5f:0": "d"},
    }
