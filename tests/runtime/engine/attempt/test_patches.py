"""`patched`: old runs go by the old code, new ones by the new, whatever happens between (F105)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from penstock.runtime import Command, RetryPolicy, entrypoint, interrupt, patched, sleep, task
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import OutsideRunError, ReplayError
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.testing.crash import Mortal, recorded_steps
from penstock.runtime.types.run import RunStatus
from tests.runtime.flows import Calls, asked, ids
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

RESUME: Any = Command(resume="yes")


class Deploy:
    """Code of one release or another, and what has been done."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.is_new = False
        self.is_done = False
        self.charge = task(self._charge, name="charge")
        self.tax = task(self._tax, name="tax")

    def patched(self) -> bool:
        """Answer as the code of the present release does, which is no call in the old one."""
        return self.is_new and patched("tax", done=self.is_done)

    def _charge(self, x: int) -> int:
        self.calls(("charge", x))
        return x

    def _tax(self, x: int) -> int:
        self.calls(("tax", x))
        return -x


@pytest.fixture
def deploy() -> Deploy:
    return Deploy()


@pytest.fixture(params=["sync", "async"])
def order(request: pytest.FixtureRequest, deploy: Deploy) -> Any:
    """Charges, with a tax first since the new release, and asks in between."""

    @entrypoint(name="order")
    def order(x: int) -> Any:
        found: list[Any] = [interrupt("begin?")]
        if deploy.patched():
            found.append(deploy.tax(x).result())
        return [*found, deploy.charge(x).result(), interrupt("ship?")]

    @entrypoint(name="order")
    async def aorder(x: int) -> Any:
        found: list[Any] = [interrupt("begin?")]
        if deploy.patched():
            found.append(await deploy.tax(x))
        return [*found, await deploy.charge(x), interrupt("ship?")]

    return order if request.param == "sync" else aorder


OLD, NEW = ["yes", 5, "yes"], ["yes", -5, 5, "yes"]


@pytest.mark.parametrize("since", [0, 1, 2])
def test_a_run_goes_by_the_code_that_it_has_come_past(
    drive: Drive, deploy: Deploy, order: Any, since: int
) -> None:
    results: list[Any] = []
    for number, value in enumerate([5, RESUME, RESUME]):
        deploy.is_new = number >= since
        results.append(drive(order, value))
    assert results[-1] == (OLD if since == 2 else NEW)
    assert len(deploy.calls.made) == len(set(deploy.calls.made))


def test_the_answer_stays_after_a_rollback(drive: Drive, deploy: Deploy, order: Any) -> None:
    for value, is_new in [(5, True), (RESUME, False)]:  # it had not come to the change yet
        deploy.is_new = is_new
        drive(order, value)
    deploy.is_new = True
    assert drive(order, RESUME) == OLD


@pytest.mark.parametrize("way", ["question", "sleep"])
def test_a_wait_counts_as_what_comes_after_a_change(drive: Drive, deploy: Deploy, way: str) -> None:
    @entrypoint()
    def order(x: int) -> Any:
        found: list[Any] = [deploy.tax(x).result()] if deploy.patched() else []
        if way == "sleep":
            sleep(0.01)
        return [*found, interrupt("ship?")]

    drive(order, 5)
    deploy.is_new = True
    assert drive(order, RESUME) == ["yes"]
    assert drive(order, 5, "another") and drive(order, RESUME, "another") == [-5, "yes"]


def test_each_passage_of_a_loop_counts_by_itself(drive: Drive, deploy: Deploy) -> None:
    @entrypoint()
    def order(x: int) -> Any:
        found: list[Any] = []
        for number in range(3):
            if deploy.patched():
                found.append(deploy.tax(number).result())
            found += [deploy.charge(number).result(), interrupt(f"{number}?")]
        return found

    drive(order, 5)
    deploy.is_new = True
    drive(order, RESUME)
    drive(order, RESUME)
    assert drive(order, RESUME) == [0, "yes", -1, 1, "yes", -2, 2, "yes"]
    assert len(deploy.calls.made) == 5


def test_each_asyncio_task_has_passages_of_its_own(drive: Drive, deploy: Deploy) -> None:
    async def branch(x: int) -> Any:
        found = [interrupt(f"begin {x}?")] if x else []
        if deploy.patched():
            found.append(await deploy.tax(x))
        return [*found, await deploy.charge(x), interrupt(f"ship {x}?")]

    @entrypoint()
    async def order(x: int) -> Any:
        return await asyncio.gather(*map(branch, range(x)))

    def answer(questions: dict[Any, str]) -> Any:
        return drive(order, Command(resume=dict.fromkeys(questions.values(), "yes")))

    first = ids(drive(order, 2))
    assert set(first) == {"ship 0?", "begin 1?"}
    deploy.is_new = True

    assert answer(ids(answer(first))) == [[0, "yes"], ["yes", -1, 1, "yes"]]


def test_a_branch_that_was_begun_counts_for_the_one_that_begins_it(
    drive: Drive, deploy: Deploy
) -> None:
    async def branch(x: int) -> Any:
        return [await deploy.charge(x), interrupt("ship?")]

    @entrypoint()
    async def order(x: int) -> Any:
        found = [await deploy.tax(x)] if deploy.patched() else []
        return [*found, *await asyncio.create_task(branch(x))]

    drive(order, 5)
    deploy.is_new = True
    assert drive(order, RESUME) == [5, "yes"]


def test_a_step_has_passages_of_its_own_in_each_try(drive: Drive, deploy: Deploy) -> None:
    policy = RetryPolicy(initial_interval=0, jitter=False, retry_on=LookupError)

    @task(retry_policy=policy)
    def pack(x: int) -> Any:
        found: list[Any] = [deploy.tax(x).result()] if deploy.patched() else []
        found.append(deploy.charge(x).result())
        answer = interrupt("label?")
        deploy.calls("try")
        if deploy.calls.count("try") == 1:
            raise LookupError("once")
        return [*found, answer]

    @entrypoint()
    def order(x: int) -> Any:
        return pack(x).result()

    drive(order, 5)
    deploy.is_new = True
    result = drive(order, RESUME)
    while isinstance(result, dict):
        result = drive(order, RESUME)
    assert result == [5, "yes"]
    assert deploy.calls.count(("tax", 5)) == 0


def test_done_asserts_that_no_run_is_left_from_before(
    drive: Drive, deploy: Deploy, order: Any
) -> None:
    for thread, is_new in [("old", False), ("new", True)]:
        deploy.is_new = is_new
        drive(order, 5, thread)
        assert asked(drive(order, RESUME, thread)) == ["ship?"]
    deploy.is_new = deploy.is_done = True

    assert drive(order, RESUME, "new") == NEW
    with pytest.raises(ReplayError, match=r"patched\('tax', done=True\).*from before"):
        drive(order, RESUME, "old")

    deploy.is_done = False
    assert drive(order, None, "old") == OLD


def test_without_a_record_the_change_applies(deploy: Deploy) -> None:
    @entrypoint()
    def order(x: int) -> Any:
        return [patched("tax"), patched("tax", done=True), deploy.tax(x).result()]

    assert order.invoke(5) == [True, True, -5]
    with pytest.raises(OutsideRunError, match="patched"):
        patched("tax")


def test_a_run_without_changes_records_no_marker(deploy: Deploy, order: Any) -> None:
    with InMemoryWorker([order]) as worker:
        for is_new in (False, True):
            deploy.is_new = is_new
            run = worker.client.enqueue(order, 5)
            worker.work()
            run.resume("yes")
            worker.work()
            names: Any = worker.connection.hkeys(f"penstock:checkpoints:{run.run_id}")
            assert [name for name in names if name[:1] == b"="] == [b"=tax#0"] * is_new


# -- F105: a crash at each step, old and new code in turn ------------------------------------------


class Trial:
    """A run that both releases execute in turn, with a crash after a number of steps."""

    def __init__(self, deploy: Deploy, order: Any, crash: int, releases: list[bool]) -> None:
        self._deploy = deploy
        self._releases = releases
        with InMemoryWorker([order]) as worker:
            run = worker.client.enqueue(order, 5, durability="sync")
            self._turn(lambda: worker.work(lambda _: Mortal(worker, run.run_id, crash)))
            worker.advance(worker.settings.lease)
            self._finish(worker, run)
            self.info = run.info()
            self.steps = recorded_steps(worker, run.run_id)
            self.result = run.result(0) if self.info.status is RunStatus.COMPLETED else None

    def _finish(self, worker: InMemoryWorker, run: RunHandle) -> None:
        while run.status() is RunStatus.SUSPENDED:
            run.resume("yes")
            self._turn(worker.work)

    def _turn(self, work: Callable[[], Any]) -> None:
        self._deploy.is_new = self._releases[0]
        self._releases = [*self._releases[1:], self._releases[0]]
        work()


@pytest.mark.parametrize("releases", [[True, False], [False, True], [True, True, False]])
@pytest.mark.parametrize("crash", range(4))
def test_f105_no_step_is_done_twice_or_left_out(
    deploy: Deploy, order: Any, crash: int, releases: list[bool]
) -> None:
    trial = Trial(deploy, order, crash, releases)

    assert len(trial.steps) == len(set(trial.steps))
    if trial.info.status is RunStatus.FAILED:  # the old code came to what only the new one calls
        assert trial.info.reason.startswith("ReplayError")
        assert "tax:0" in trial.steps
    else:
        assert trial.result in (OLD, NEW)
        assert ("tax:0" in trial.steps) == (trial.result == NEW)


def test_f105_a_marker_is_void_once_old_code_has_gone_past_it(deploy: Deploy) -> None:
    """The new code fails right after its marker; the old one does what comes next."""
    fails = True

    @task
    def old_way(x: int) -> int:
        deploy.calls("old way")
        return x

    @task
    def new_way(x: int) -> int:
        deploy.calls("new way")
        return -x

    @entrypoint()
    def order(x: int) -> Any:
        if deploy.patched():
            if fails:
                raise ConnectionError
            return [new_way(x).result(), interrupt("ship?")]
        return [old_way(x).result(), interrupt("ship?")]

    with InMemoryWorker([order]) as worker:
        run = worker.client.enqueue(order, 5)
        deploy.is_new = True
        worker.work()
        assert run.status() is RunStatus.FAILED
        deploy.is_new = fails = False
        run.resume()
        worker.work()
        deploy.is_new = True
        run.resume("yes")
        worker.work()
        assert run.result(0) == [5, "yes"]
    assert deploy.calls.made == ["old way"]
