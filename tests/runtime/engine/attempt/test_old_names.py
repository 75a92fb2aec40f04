"""Renamed tasks keep what was recorded under the old name, in any order of deploys (F106)."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable
from typing import Any

import pytest

from penstock.runtime import Command, entrypoint, interrupt, task
from penstock.runtime.errors import ConfigurationError, RunFailedError
from penstock.runtime.executor.app import App
from penstock.runtime.testing import InMemoryWorker
from tests.runtime.flows import Calls, asked, ids
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

RESUME: Any = Command(resume="yes")


@pytest.fixture(autouse=True)
def no_other_tasks() -> None:
    """Lets go of the tasks of other tests: a name counts as gone once no task of it exists."""
    gc.collect()


class Deploy:
    """Code whose task goes by the name of the present deploy, and what it has done."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.back()

    def rename(self, name: str = "take_by_card", was: str | Iterable[str] = "take") -> None:
        """Deploy code that has the task under a new name."""
        self.name, self.was = name, was

    def back(self) -> None:
        """Roll back."""
        self.name, self.was = "take", ()

    def charge(self, x: int) -> int:
        self.calls(x)
        return x

    def __call__(self, x: int, key: str = "") -> Any:
        renamed = task(self.charge, name=self.name, was=self.was)
        return renamed.keyed(key)(x) if key else renamed(x)


@pytest.mark.parametrize("key", ["", "first"])
def test_a_renamed_task_adopts_its_records(drive: Drive, key: str) -> None:
    deploy = Deploy()

    @entrypoint()
    def order(x: int) -> Any:
        return [deploy(x, key).result(), interrupt("ship?"), deploy(x + 1).result()]

    assert asked(drive(order, 5)) == ["ship?"]
    deploy.rename()

    assert drive(order, RESUME) == [5, "yes", 6]
    assert deploy.calls.made == [5, 6]


def test_code_of_before_finds_what_code_with_the_new_name_has_recorded(drive: Drive) -> None:
    deploy = Deploy()

    @entrypoint()
    def order(x: int) -> Any:
        found: list[Any] = []
        for number in range(4):
            found += [deploy(x + number).result(), interrupt(f"{number}?")]
        return found

    assert asked(drive(order, 0)) == ["0?"]
    for number in range(1, 4):
        if number % 2:
            deploy.rename()
        else:
            deploy.back()
        assert asked(drive(order, RESUME)) == [f"{number}?"]
    assert drive(order, RESUME) == [0, "yes", 1, "yes", 2, "yes", 3, "yes"]
    assert deploy.calls.made == [0, 1, 2, 3]


def test_a_task_may_have_had_several_names(drive: Drive) -> None:
    deploy = Deploy()

    @entrypoint()
    def order(x: int) -> Any:
        return [deploy(x).result(), interrupt("ship?")]

    threads = {"first": (), "second": ("take",), "third": ("take", "second")}
    for name, was in threads.items():
        deploy.rename(name, was)
        assert asked(drive(order, 5, name)) == ["ship?"]
    deploy.rename("fourth", ["take", "first", "second", "third"])

    for name in threads:
        assert drive(order, RESUME, name) == [5, "yes"]
    assert deploy.calls.made == [5, 5, 5]


def test_one_task_may_take_the_place_of_two(drive: Drive) -> None:
    deploy, is_one = Deploy(), False

    @entrypoint()
    def order(x: int) -> Any:
        found: list[Any] = []
        for number, name in enumerate(["take", "fetch", "take"]):
            if not is_one:
                deploy.rename(name, ())
            found += [deploy(x + number).result()]
        return [*found, interrupt("ship?"), deploy(x + 3).result(), interrupt("sure?")]

    assert asked(drive(order, 0)) == ["ship?"]
    is_one = True
    deploy.rename("get", ["fetch", "take"])

    assert asked(drive(order, RESUME)) == ["sure?"]
    assert drive(order, RESUME) == [0, 1, 2, "yes", 3, "yes"]
    assert deploy.calls.made == [0, 1, 2, 3]


def test_a_renamed_task_that_asks_keeps_its_question(drive: Drive) -> None:
    name, was = "pack", ""
    calls = Calls()

    @task
    def wrap(x: int) -> int:
        calls(x)
        return x

    def pack(x: int) -> Any:
        return [wrap(x).result(), interrupt("label?")] if x else interrupt("label?")

    @entrypoint()
    def order(x: int) -> Any:
        return task(pack, name=name, was=was or ())(x).result()

    for x in (0, 5):
        name, was = "pack", ""
        assert asked(drive(order, x, f"thread {x}")) == ["label?"]
        name, was = "pack_up", "pack"
        assert drive(order, RESUME, f"thread {x}") == ([5, "yes"] if x else "yes")
    assert calls.made == [5]


def test_each_asyncio_task_adopts_its_own(drive: Drive) -> None:
    deploy = Deploy()

    async def branch(x: int) -> Any:
        return [await deploy(x), interrupt(f"ship {x}?"), await deploy(-x)]

    @entrypoint()
    async def order(x: int) -> Any:
        return await asyncio.gather(branch(x), branch(x + 1))

    found = ids(drive(order, 5))
    deploy.rename()

    assert drive(order, Command(resume=dict.fromkeys(found.values(), "yes"))) == [
        [5, "yes", -5],
        [6, "yes", -6],
    ]
    assert sorted(deploy.calls.made) == [-6, -5, 5, 6]


# -- on other queues ------------------------------------------------------------------------------


class RemoteDeploy(Deploy):
    """A deploy whose task has a queue of its own."""

    def __call__(self, x: int, key: str = "") -> Any:
        return self.task(x)

    @property
    def task(self) -> Any:
        return task(self.charge, name=self.name, was=self.was, queue="far")

    def work(self, worker: InMemoryWorker, flow: Any, *, has_task: bool = True) -> None:
        """Let a worker of this deploy execute what it has the code of."""
        mine = self.task
        worker.app = App({flow.name: flow}, {mine.name: mine} if has_task else {})
        worker.advance(0)


@pytest.mark.parametrize("is_performed", [True, False])
def test_a_renamed_task_on_another_queue_is_not_sent_twice(is_performed: bool) -> None:
    deploy = RemoteDeploy()

    @entrypoint()
    def order(x: int) -> Any:
        return [deploy(x).result(), interrupt("ship?"), deploy(x + 1).result()]

    with InMemoryWorker([order]) as worker:
        run = worker.client.enqueue(order, 5)
        deploy.work(worker, order, has_task=is_performed)
        deploy.rename()
        deploy.work(worker, order)
        run.resume("yes")
        deploy.work(worker, order)
        assert run.result(0) == [5, "yes", 6]
    assert deploy.calls.made == [5, 6]


def test_a_step_under_way_elsewhere_whose_task_is_gone_is_missed() -> None:
    deploy, calls, is_new = RemoteDeploy(), Calls(), False
    deploy.name = "dispatch"  # which no task of another test has

    @task
    def log(x: int) -> None:
        calls(x)

    @entrypoint()
    def order(x: int) -> Any:
        if is_new:
            log(x).result()
        return [deploy(x).result(), interrupt("ship?")]

    with InMemoryWorker([order]) as worker:
        run = worker.client.enqueue(order, 5)
        deploy.work(worker, order, has_task=False)
        worker.client.do(worker.client.plans.wake(run.run_id))
        is_new = True
        deploy.rename(was=())
        gc.collect()
        deploy.work(worker, order)
        with pytest.raises(RunFailedError, match=r"ReplayError.*'dispatch'.*step 'dispatch:0'"):
            run.result(0)
    assert deploy.calls.made == []
    assert calls.made == []


@pytest.mark.parametrize("was", ["charge", "", ["old", "charge"], [3]])
def test_an_old_name_is_a_name_and_not_the_present_one(was: Any) -> None:
    def charge(x: int) -> int:
        return x

    with pytest.raises(ConfigurationError, match="task 'charge'"):
        task(charge, was=was)
