"""What users test their workflows with."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from penstock.runtime import (
    InMemoryStore,
    RetryPolicy,
    asleep,
    entrypoint,
    get_store,
    get_stream_writer,
    interrupt,
    sleep,
    task,
)
from penstock.runtime.errors import (
    InterruptTimeoutError,
    ResumeError,
    RunCancelledError,
    RunFailedError,
)
from penstock.runtime.testing import InMemoryWorker, crash_after_each_step
from penstock.runtime.types.run import RunStatus
from penstock.runtime.types.timeout import StepTimeoutError


@task
def double(x: int) -> int:
    return 2 * x


@task
async def adouble(x: int) -> int:
    await asyncio.sleep(0.001)
    return 2 * x


@entrypoint()
def flow(x: int) -> int:
    get_stream_writer()(f"doubling {x}")
    return sum(future.result() for future in [double(x), double(x + 1)])


@entrypoint()
async def aflow(x: int) -> int:
    return sum(await asyncio.gather(adouble(x), adouble(x + 1)))


def test_a_result_that_takes_too_long_says_whose_and_how_long() -> None:
    async def wait(worker: InMemoryWorker, run_id: str) -> None:
        async with worker.aclient as client:
            await (await client.get(run_id)).result(0.01)

    with InMemoryWorker([flow]) as worker:
        run = worker.client.enqueue(flow, 2)
        says = rf"^run '{run.run_id}' is not over after 0\.01 s; penstock show"

        with pytest.raises(TimeoutError, match=says):
            run.result(0.01)
        with pytest.raises(TimeoutError, match=says):
            asyncio.run(wait(worker, run.run_id))
        worker.work()


def test_a_cancelled_run_says_so_with_a_reason_where_there_is_one() -> None:
    with InMemoryWorker([flow]) as worker:
        run = worker.client.enqueue(flow, 2)
        run.cancel()

        with pytest.raises(RunCancelledError, match=rf"^run '{run.run_id}' was cancelled\.$"):
            run.result(1)


@pytest.mark.parametrize("which", [flow, aflow])
def test_a_run_is_executed_when_the_worker_is_told_to(which: Any) -> None:
    with InMemoryWorker([which]) as worker:
        run = worker.client.enqueue(which, 2)
        assert run.status() is RunStatus.QUEUED

        assert worker.work() == 1

        assert run.result(1) == 10
        assert worker.work() == 0


def test_the_stream_of_a_run_is_that_of_real_workers() -> None:
    with InMemoryWorker([flow]) as worker:
        run = worker.client.enqueue("flow", 2)
        worker.work()

        chunks = [(mode, data) for mode, data in run.stream(["custom", "updates"])]

        assert chunks == [
            ("custom", "doubling 2"),
            ("updates", {"double": 4}),
            ("updates", {"double": 6}),
            ("updates", {"flow": 10}),
        ]


def test_asyncio_code_has_a_client_too() -> None:
    async def main() -> Any:
        with InMemoryWorker([aflow]) as worker:
            async with worker.aclient as client:
                run = await client.enqueue(aflow, 2)
                await worker.awork()
                chunks = [event.data async for event in run.stream("values")]
                return chunks, await run.result(1)

    assert asyncio.run(main()) == ([10], 10)


def test_a_sleep_of_a_month_takes_no_time() -> None:
    @entrypoint()
    def patient(_: str) -> str:
        sleep(30 * 86400)
        return "at last"

    with InMemoryWorker([patient]) as worker:
        run = worker.client.enqueue(patient, "")
        worker.work()
        worker.advance(29 * 86400)
        assert run.status() is RunStatus.SUSPENDED

        worker.advance(86401)

        assert run.result(1) == "at last"


def test_retries_take_the_time_that_is_let_pass() -> None:
    tried: list[int] = []

    @task(retry_policy=RetryPolicy(initial_interval=60, jitter=False, max_attempts=3))
    def flaky() -> int:
        tried.append(1)
        if len(tried) < 3:
            raise ConnectionError("not yet")
        return len(tried)

    @entrypoint()
    def caller(_: str) -> int:
        return flaky().result()

    with InMemoryWorker([caller]) as worker:
        run = worker.client.enqueue(caller, "")
        worker.work()
        worker.advance(59)
        assert len(tried) == 1
        worker.advance(2)
        assert len(tried) == 2
        worker.advance(121)

        assert run.result(1) == 3


def test_an_interrupt_ends_when_its_time_is_let_pass() -> None:
    @entrypoint()
    def asker(_: str) -> str:
        try:
            return str(interrupt("well?", timeout=3600))
        except InterruptTimeoutError:
            return "nobody"

    with InMemoryWorker([asker]) as worker:
        slow, quick = (worker.client.enqueue(asker, "") for _ in range(2))
        worker.work()
        quick.resume("me")
        worker.advance(3601)

        assert quick.result(1) == "me"
        assert slow.result(1) == "nobody"
        with pytest.raises(ResumeError):
            slow.resume("too late")


def test_what_is_waited_for_in_the_process_is_skipped() -> None:
    @task(timeout=5.0)
    async def stuck() -> None:
        await asyncio.sleep(3600)

    @entrypoint()
    async def timed(_: str) -> str:
        await asyncio.sleep(1800)
        try:
            await stuck()
        except StepTimeoutError as error:
            assert 5.0 <= error.elapsed < 6.0
        return "timed out"

    with InMemoryWorker([timed]) as worker:
        run = worker.client.enqueue(timed, "")
        begin = time.monotonic()
        worker.work()

        assert run.result(1) == "timed out"
        assert time.monotonic() - begin < 5


def test_work_in_threads_is_not_skipped() -> None:
    @task
    def slow() -> str:
        time.sleep(0.3)
        return "done"

    @entrypoint()
    async def hasty(_: str) -> str:
        return await asyncio.wait_for(slow(), 100)

    with InMemoryWorker([hasty]) as worker:
        run = worker.client.enqueue(hasty, "")
        worker.work()

        assert run.result(1) == "done"


def test_retention_and_the_ttl_of_stored_values_pass_too() -> None:
    with InMemoryWorker([flow]) as worker:
        worker.client.enqueue(flow, 2, thread_id="t")
        worker.work()
        assert worker.connection.keys("penstock:run:*")

        worker.advance(worker.settings.retention + 1)

        assert worker.connection.keys("penstock:run:*") == []
        assert worker.connection.keys("penstock:events:*") == []


def test_runs_on_all_queues_and_behind_each_other_are_executed() -> None:
    with InMemoryWorker([flow]) as worker:
        runs = [worker.client.enqueue(flow, n, thread_id="t", queue=f"q{n % 2}") for n in range(4)]
        worker.work()

        assert [run.result(1) for run in runs] == [2, 6, 10, 14]


# -- crashes ------------------------------------------------------------------------------------


@task
def add(left: int, right: int) -> int:
    return double(left).result() // 2 + right


@entrypoint()
def deep(numbers: list[int]) -> dict[str, Any]:
    total = 0
    for number in numbers:
        total = add(total, number).result()
    answer = interrupt(f"is {total} right?")
    sleep(10)
    return {"total": total, "answer": answer, "twice": double(total).result()}


@entrypoint()
async def wide(numbers: list[int]) -> list[int]:
    async def chain(number: int) -> int:
        return await adouble(await adouble(number))

    return list(await asyncio.gather(*(chain(number) for number in numbers)))


def test_a_workflow_survives_a_crash_after_each_of_its_steps() -> None:
    result = crash_after_each_step(deep, [1, 2, 3], answer=lambda interrupt: True)

    assert result == {"total": 6, "answer": True, "twice": 12}
    assert crash_after_each_step(wide, [1, 2, 3]) == [4, 8, 12]


def test_a_workflow_that_a_crash_changes_is_found_out() -> None:
    bodies: list[int] = []

    @entrypoint()
    def forgetful(x: int) -> int:
        bodies.append(x)  # what is done outside of a task is done again
        return double(x).result() + len(bodies)

    with pytest.raises(AssertionError, match="after a crash behind recorded step 1"):
        crash_after_each_step(forgetful, 1)


def test_a_workflow_that_fails_fails_the_same_way_after_each_crash() -> None:
    @entrypoint()
    def failing(x: int) -> None:
        double(x).result()
        raise ValueError("no good")

    with pytest.raises(RunFailedError, match="no good"):
        crash_after_each_step(failing, 1)


@task
async def boom(what: str) -> str:
    await asyncio.sleep(0)
    raise ValueError(what)


@task(queue="elsewhere")
def embed(x: int) -> int:
    return 2 * x


def test_a_workflow_that_fails_beside_other_steps_shows_its_own_error() -> None:
    @entrypoint()
    async def failing(x: int) -> Any:
        await adouble(x)
        return await asyncio.gather(boom("no good"), embed(x), adouble(x), adouble(x + 1))

    for _ in range(10):  # how many of the others are recorded by then differs from run to run
        with pytest.raises(RunFailedError, match="no good"):
            crash_after_each_step(failing, 1, tasks=[embed])


def test_a_workflow_of_which_several_steps_fail_shows_one_of_their_errors() -> None:
    @entrypoint()
    async def failing(x: int) -> Any:
        await adouble(x)
        return await asyncio.gather(boom("first"), embed(x), boom("second"))

    with pytest.raises(RunFailedError, match=r"first|second"):
        crash_after_each_step(failing, 1, tasks=[embed])


def test_a_workflow_that_fails_after_a_crash_only_shows_why() -> None:
    bodies: list[int] = []

    @entrypoint()
    def forgetful(x: int) -> int:
        bodies.append(x)
        if len(bodies) > 1:
            raise ValueError("a second time")
        return double(x).result()

    with pytest.raises(AssertionError, match="it ended with error ValueError") as shown:
        crash_after_each_step(forgetful, 1)
    assert isinstance(shown.value.__cause__, RunFailedError)
    assert "a second time" in str(shown.value.__cause__)


def test_a_question_without_an_answer_is_said() -> None:
    @entrypoint()
    def asker(_: str) -> Any:
        return interrupt("well?")

    with pytest.raises(AssertionError, match="waits for an answer"):
        crash_after_each_step(asker, "")


def test_a_store_in_memory_can_be_used_beside() -> None:
    store = InMemoryStore()

    @entrypoint(store=store)
    def keeper(x: int) -> int:
        get_store().put(("n",), "x", {"x": x})
        return double(x).result()

    assert crash_after_each_step(keeper, 2) == 4
    found = store.get(("n",), "x")
    assert found is not None and found.value == {"x": 2}


def test_async_sleeps_leave_the_process() -> None:
    @entrypoint()
    async def napper(_: str) -> int:
        await asleep(5)
        return await adouble(1)

    assert crash_after_each_step(napper, "") == 2


def test_a_run_that_may_have_killed_its_process_is_executed_beside_others_in_turn() -> None:
    @entrypoint()
    def main(x: int) -> int:
        return x

    with InMemoryWorker([main]) as worker:
        runs = [worker.client.enqueue("main", x) for x in range(4)]
        for suspect in runs[1:3]:
            worker.connection.hset(f"penstock:run:{suspect.run_id}", "crashes", 2)

        worker.work()

        assert [run.result(1) for run in runs] == [0, 1, 2, 3]
