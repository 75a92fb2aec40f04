"""`penstock show`: a run's steps, and what it waits for."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from penstock.publisher.redis.script import run as call
from penstock.runtime import entrypoint, task
from penstock.runtime.client.client import Client
from penstock.runtime.diagnostics.steps import Step, StepStatus, fold, read_steps
from penstock.runtime.redis.keys import Keys
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.types.retry import RetryPolicy
from penstock.runtime.types.run import Run, RunStatus
from tests.worker.commands import penstock, refused, rows, work

pytestmark = pytest.mark.filterwarnings(
    "ignore::penstock.runtime.redis.plans.requests.UnannouncedEntrypointWarning"
)

KEYS = Keys()


def enqueue(url: str, name: str, argument: Any, **options: Any) -> str:
    with Client(url) as client:
        return client.enqueue(name, argument, **options).run_id


def shown(run_id: str, url: str) -> dict[str, Any]:
    (found,) = rows(penstock("show", run_id, "--json", url=url))
    return found


# -- what it waits for --------------------------------------------------------------------------


@pytest.mark.open_runs
def test_a_queued_run_names_its_place_and_that_nobody_serves_its_queue(redis_url: str) -> None:
    enqueue(redis_url, "main", 1, queue="gpu")
    run_id = enqueue(redis_url, "main", 2, queue="gpu")

    text = penstock("show", run_id, url=redis_url).stdout

    assert "a worker: 2nd of 2 on queue 'gpu'; no worker listens there" in text
    assert "penstock worker flows.py -q gpu" in text


@pytest.mark.open_runs
def test_a_queued_run_names_the_run_of_its_thread_that_it_is_behind(redis_url: str) -> None:
    first = enqueue(redis_url, "main", 1, thread_id="t")
    enqueue(redis_url, "main", 2, thread_id="t")
    third = enqueue(redis_url, "main", 3, thread_id="t")

    assert shown(third, redis_url)["waits_for"] == (
        f"its turn on thread 't', behind run {first}, 2nd in line"
    )


@pytest.mark.open_runs
def test_a_queued_run_without_a_ticket_says_so(redis_url: str, redis_client: redis.Redis) -> None:
    run_id = enqueue(redis_url, "main", 1)
    redis_client.delete("rq:queue:default")

    text = penstock("show", run_id, url=redis_url).stdout

    assert "its own is lost" in text
    assert "penstock doctor --fix" in text


@pytest.mark.open_runs
def test_a_queued_run_says_that_all_workers_pause(
    redis_url: str, redis_client: redis.Redis
) -> None:
    run_id = enqueue(redis_url, "main", 1)
    redis_client.set("rq:suspended", 1)

    assert shown(run_id, redis_url)["waits_for"].endswith("all workers pause")


@pytest.mark.open_runs
def test_a_queued_run_says_that_no_worker_has_its_entrypoint(
    redis_url: str, redis_client: redis.Redis
) -> None:
    run_id = enqueue(redis_url, "other", 1)
    redis_client.sadd("rq:workers:default", "rq:worker:w")
    redis_client.set("rq:worker:w", 1)

    assert shown(run_id, redis_url)["waits_for"].endswith("no live worker has entrypoint 'other'")


@pytest.mark.open_runs
def test_a_run_that_is_kept_back_to_be_by_itself_says_so(
    redis_url: str, redis_client: redis.Redis
) -> None:
    run_id = enqueue(redis_url, "main", 1)
    redis_client.hset(KEYS.run(run_id), "crashes", 2)
    with Client(redis_url) as client:
        take = client.plans.calls.take("w", "n", 8.0, 1, ["default"], busy=1)
        assert client.plans.calls.taken(call(client.connection, take)).suspect == (
            "default",
            run_id,
        )

    assert shown(run_id, redis_url)["waits_for"].startswith("the worker that will execute it alone")
    orphans = [
        row
        for row in rows(penstock("doctor", "--json", url=redis_url))
        if row["check"] == "orphans"
    ]
    assert [row["level"] for row in orphans] == ["ok"]


@pytest.mark.open_runs
def test_a_running_run_names_its_worker_and_how_long_its_lease_is(redis_url: str) -> None:
    run_id = enqueue(redis_url, "main", 1)
    with Client(redis_url) as client:
        call(client.connection, client.plans.calls.acquire(run_id, "w1", "n", 8.0))

    text = penstock("show", run_id, url=redis_url).stdout

    assert "at work    worker w1, lease for 7." in text or "lease for 8.0 s" in text


@pytest.mark.open_runs
def test_a_run_whose_lease_is_over_says_so(redis_url: str) -> None:
    run_id = enqueue(redis_url, "main", 1)
    with Client(redis_url) as client:
        call(client.connection, client.plans.calls.acquire(run_id, "w1", "n", 0.001))
    time.sleep(0.01)

    text = penstock("show", run_id, url=redis_url).stdout

    assert "another worker: worker w1 let its lease end" in text


def test_a_recovered_run_tells_how_its_workers_died(redis_url: str) -> None:
    run_id = enqueue(redis_url, "main", 1)
    with Client(redis_url) as client:
        calls = client.plans.calls
        for number in (1, 2):
            call(client.connection, calls.acquire(run_id, "w1", f"n{number}", 0.001))
            time.sleep(0.01)
            call(client.connection, calls.recover(3, 60.0))
    text = penstock("show", run_id, url=redis_url).stdout
    found = shown(run_id, redis_url)
    penstock("cancel", run_id, url=redis_url)

    assert "attempts   3; 2 workers died while executing it" in text
    assert found["deaths"] == ["its worker stopped renewing the lease"] * 2


def test_a_waiting_run_shows_its_question_and_how_to_answer(redis_url: str, tmp_path: Path) -> None:
    run_id = enqueue(redis_url, "ask", "sure?")
    work(tmp_path, redis_url)

    text = penstock("show", run_id, url=redis_url).stdout
    found = shown(run_id, redis_url)
    penstock("cancel", run_id, url=redis_url)

    assert "question   sure?" in text
    assert f"penstock resume {run_id} 'ANSWER'" in text
    assert found["status"] == "suspended"
    assert [question["value"] for question in found["interrupts"]] == ["sure?"]


# -- what came of it ----------------------------------------------------------------------------


def test_a_completed_run_shows_its_steps_and_its_result(redis_url: str, tmp_path: Path) -> None:
    run_id = enqueue(redis_url, "nested", 3)
    work(tmp_path, redis_url)

    lines = penstock("show", run_id, url=redis_url).stdout.splitlines()
    found = shown(run_id, redis_url)

    assert lines[0] == f"nested  completed  {run_id}"
    assert "result     12" in lines
    assert [line.split("completed")[0].rstrip() for line in lines[-3:]] == [
        *("quadruple", "  double", "  double")
    ]
    assert [(step["step_id"], step["depth"], step["status"]) for step in found["steps"]] == [
        ("quadruple:0", 0, "completed"),
        ("quadruple:0/double:0", 1, "completed"),
        ("quadruple:0/double:1", 1, "completed"),
    ]
    assert set(found["steps"][0]) == {
        *("step_id", "name", "depth", "status", "started_at", "finished_at", "seconds"),
        *("tries", "attempt", "error"),
    }
    assert found["result"] == 12


def test_only_the_newest_steps_are_shown_if_asked(redis_url: str, tmp_path: Path) -> None:
    run_id = enqueue(redis_url, "nested", 3)
    work(tmp_path, redis_url)

    result = penstock("show", run_id, "--limit", "1", url=redis_url)

    assert result.stdout.count("double") == 2  # its name and its id
    assert "the newest 1 of 3 steps" in result.stderr


def test_a_failed_run_shows_which_step_failed_and_where(redis_url: str, tmp_path: Path) -> None:
    run_id = enqueue(redis_url, "fails", 1)
    work(tmp_path, redis_url)

    text = penstock("show", run_id, "--traceback", url=redis_url).stdout
    (step,) = shown(run_id, redis_url)["steps"]

    assert "reason     ValueError: no 1" in text
    assert f"continue   penstock resume {run_id}" in text
    assert 'raise ValueError(f"no {x}")' in text
    assert "penstock/runtime" not in text
    assert (step["name"], step["status"], step["error"]) == (
        *("explode", "failed"),
        "ValueError: no 1",
    )


def test_show_names_a_run_that_is_not_there(redis_url: str) -> None:
    assert "its retention is over" in refused(penstock("show", "gone", url=redis_url))


# -- how steps are put together -----------------------------------------------------------------


def a_run(status: RunStatus = RunStatus.RUNNING, attempt: int = 1) -> Run:
    now = datetime.now(UTC)
    return Run("r", "r", "main", status, "default", attempt, 0, "w", "", now, now, None)


def fact(mode: str, step_id: str, time: float, **more: Any) -> dict[str, Any]:
    attempt = more.pop("attempt", 1)
    return {"mode": mode, "data": {"id": step_id, **more}, "time": time, "attempt": attempt}


def only(steps: list[Step]) -> Step:
    (step,) = steps
    return step


def test_a_retried_step_counts_its_tries_and_takes_the_time_of_all() -> None:
    error = {"type": "builtins.ValueError", "message": "no"}
    events = [
        fact("step.started", "load:0", 10.0),
        fact("step.retry", "load:0", 10.5, error=error),
        fact("step.finished", "load:0", 12.0),
    ]

    retrying = only(fold(events[:2], [], a_run()))
    step = only(fold(events, ["load:0"], a_run()))

    assert (retrying.status, retrying.error) == (StepStatus.RETRYING, "ValueError: no")
    assert (step.status, step.tries, step.seconds) == (StepStatus.COMPLETED, 2, 2.0)


def test_a_try_after_a_wait_that_left_the_process_counts_once() -> None:
    error = {"type": "builtins.ConnectionError", "message": "no"}
    events = [
        fact("step.started", "load:0", 10.0),
        fact("step.retry", "load:0", 10.5, error=error),
        fact("step.started", "load:0", 20.0),  # by the attempt that comes back from the wait
        fact("step.retry", "load:0", 20.5, error=error),
        fact("step.started", "load:0", 30.0),
        fact("step.finished", "load:0", 31.0),
    ]

    assert only(fold(events, ["load:0"], a_run())).tries == 3


def test_the_tries_of_a_step_are_the_times_it_was_executed() -> None:
    executed: list[int] = []

    @task(retry_policy=RetryPolicy(max_attempts=4, initial_interval=60.0))
    def load() -> int:
        executed.append(1)
        if len(executed) < 4:
            raise ConnectionError
        return len(executed)

    @entrypoint()
    def main(x: int) -> int:
        return load().result()

    with InMemoryWorker([main]) as worker:
        run = worker.client.enqueue("main", 1)
        worker.work()
        for _ in range(3):
            worker.advance(3600)
        [step] = worker.client.do(read_steps(worker.client.plans, run.info()))

    assert (step.tries, len(executed)) == (4, 4)


def test_a_step_in_flight_when_its_attempt_ended_is_unfinished_until_it_runs_again() -> None:
    events = [fact("step.started", "load:0", 10.0)]

    lost = only(fold(events, [], a_run(attempt=2)))
    events.append(fact("step.started", "load:0", 20.0, attempt=2))
    again = only(fold(events, [], a_run(attempt=2)))

    assert lost.status is StepStatus.UNFINISHED
    assert (again.status, again.tries) == (StepStatus.RUNNING, 2)


def test_steps_stand_below_the_step_they_were_called_in() -> None:
    ids = ["a:0", "b:0", "a:0/c:0", "a:0/~1/d:0", "b:0/c:0", "a:0/~1/d:0/e=k%2F1"]

    steps = fold([fact("step.started", step_id, 1.0) for step_id in ids], [], a_run())

    assert [(step.step_id, step.depth) for step in steps] == [
        ("a:0", 0),
        ("a:0/c:0", 1),
        ("a:0/~1/d:0", 1),
        ("a:0/~1/d:0/e=k%2F1", 2),
        ("b:0", 0),
        ("b:0/c:0", 1),
    ]


def test_a_step_elsewhere_stands_as_who_performs_it_and_those_it_was_called_in_wait() -> None:
    away = {"near:0/far:0": RunStatus.RUNNING, "~0/far:0": RunStatus.QUEUED}
    events = [
        fact("step.started", "near:0", 1.0),
        fact("step.started", "near:0/far:0", 2.0),
        fact("step.started", "near:0/far:0/inner:0", 3.0),
        fact("step.retry", "near:0/far:0/inner:0", 3.0, error={"type": "E", "message": "no"}),
        fact("step.started", "other:0", 4.0),
    ]

    steps = fold(events, [], a_run(RunStatus.SUSPENDED, attempt=2), away)

    assert {step.step_id: step.status for step in steps} == {
        "near:0": StepStatus.WAITING,
        "near:0/far:0": StepStatus.RUNNING,
        "near:0/far:0/inner:0": StepStatus.RETRYING,
        "other:0": StepStatus.UNFINISHED,
        "~0/far:0": StepStatus.QUEUED,
    }


def test_a_step_whose_events_are_no_longer_kept_is_known_by_its_checkpoint() -> None:
    step = only(fold([], ["load:0"], a_run()))

    assert (step.status, step.started_at, step.seconds) == (StepStatus.COMPLETED, None, None)


def test_a_step_that_asks_waits_as_long_as_its_run_does() -> None:
    events = [fact("step.started", "ask:0", 1.0), fact("step.interrupted", "ask:0", 2.0)]

    assert only(fold(events, [], a_run(RunStatus.SUSPENDED))).status is StepStatus.WAITING
    assert only(fold(events, [], a_run(RunStatus.QUEUED))).status is StepStatus.UNFINISHED


def test_a_step_that_has_waited_goes_on_in_the_same_try() -> None:
    events = [
        fact("step.started", "ask:0", 1.0),
        fact("step.interrupted", "ask:0", 2.0),
        fact("step.started", "ask:0", 3.0),
        fact("step.finished", "ask:0", 4.0),
    ]

    assert only(fold(events, ["ask:0"], a_run())).tries == 1


def test_a_try_that_comes_after_a_long_wait_is_counted_once() -> None:
    failed = {"error": {"type": "builtins.ValueError", "message": "no"}}
    events = [
        fact("step.started", "load:0", 1.0),
        fact("step.retry", "load:0", 2.0, **failed),
        fact("step.started", "load:0", 60.0),
        fact("step.retry", "load:0", 61.0, **failed),
        fact("step.started", "load:0", 180.0),
        fact("step.finished", "load:0", 181.0),
    ]

    tries = [only(fold(events[:seen], [], a_run())).tries for seen in range(1, 7)]
    waiting = only(fold(events[:2], [], a_run(RunStatus.SUSPENDED)))

    assert tries == [1, 1, 2, 2, 3, 3]
    assert waiting.status is StepStatus.RETRYING


def test_a_step_that_failed_its_run_is_tried_again_when_that_goes_on() -> None:
    error = {"error": {"type": "builtins.ValueError", "message": "no"}}
    events = [
        fact("step.started", "load:0", 1.0),
        fact("step.finished", "load:0", 2.0, outcome=error),
        fact("step.started", "load:0", 3.0),
    ]

    assert [only(fold(events[:seen], [], a_run())).tries for seen in (2, 3)] == [1, 2]
