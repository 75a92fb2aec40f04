"""A run that is given no thread has one of its own, whose keys are made when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from penstock.runtime import Command, entrypoint, interrupt, task
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import ConfigurationError, ResumeError, ThreadBusyError
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.types.run import RunStatus


@task
def double(x: int) -> int:
    return 2 * x


@entrypoint()
def add(x: int, *, previous: int | None = None) -> entrypoint.final[int, int]:
    if x < 0:
        raise ValueError(x)
    total = double(x).result() + (previous or 0) + (interrupt("?") if x == 0 else 0)
    return entrypoint.final(value=total, save=total + 1)


@pytest.fixture
def worker() -> Iterator[InMemoryWorker]:
    with InMemoryWorker([add]) as worker:
        yield worker


def keys_of(worker: InMemoryWorker, thread_id: str) -> int:
    """Count the keys of a thread."""
    names, name = worker.client.plans.keys, thread_key(thread_id)
    return int(worker.connection.exists(names.thread(name), names.history(name)))


def run_of(worker: InMemoryWorker, x: int, **options: Any) -> RunHandle:
    run = worker.client.enqueue("add", x, **options)
    worker.work()
    return run


def states(worker: InMemoryWorker, thread_id: str) -> list[tuple[Any, ...]]:
    """What is seen of each state of a thread, the newest first."""
    return [
        (
            state.values,
            state.next,
            state.config["configurable"]["checkpoint_id"],
            state.parent_config and state.parent_config["configurable"]["checkpoint_id"],
            {name: value for name, value in (state.metadata or {}).items() if name != "run_id"},
            [task.error and str(task.error) for task in state.tasks],
            [question.value for question in state.interrupts],
        )
        for state in worker.client.thread(thread_id).history()
    ]


@pytest.mark.parametrize("x", [1, 0, -1], ids=["completed", "suspended", "failed"])
def test_its_state_is_that_of_the_same_run_on_a_thread_with_a_name(
    worker: InMemoryWorker, x: int
) -> None:
    run_of(worker, x, thread_id="named")
    alone = run_of(worker, x)

    assert states(worker, alone.run_id) == states(worker, "named")
    assert len(states(worker, alone.run_id)) == (2 if x == 1 else 1)
    assert keys_of(worker, "named") == 2
    assert keys_of(worker, alone.run_id) == 0, "who reads writes nothing"


def test_a_queued_run_has_its_input_as_state(worker: InMemoryWorker) -> None:
    named = worker.client.enqueue("add", 1, thread_id="named")
    alone = worker.client.enqueue("add", 1)

    assert states(worker, alone.run_id) == states(worker, "named")
    assert named.status() is alone.status() is RunStatus.QUEUED


def changes() -> dict[str, Callable[[InMemoryWorker, str], Any]]:
    return {
        "another run": lambda worker, thread: run_of(worker, 5, thread_id=thread).result(1),
        "update": lambda worker, thread: worker.client.thread(thread).update(100),
        "copy": lambda worker, thread: worker.client.thread(thread).copy("copied"),
        "expire": lambda worker, thread: worker.client.thread(thread).expire(60),
    }


@pytest.mark.parametrize("change", changes())
@pytest.mark.parametrize("x", [1, 0, -1], ids=["completed", "suspended", "failed"])
def test_what_changes_its_thread_finds_it_as_one_with_a_name(
    worker: InMemoryWorker, change: str, x: int
) -> None:
    run_of(worker, x, thread_id="named")
    alone = run_of(worker, x)
    act = changes()[change]

    found = [outcome(act, worker, "named")]
    after = states(worker, "named"), states(worker, "copied")
    worker.client.thread("copied").delete()
    found.append(outcome(act, worker, alone.run_id))

    assert found[0] == found[1]
    assert (states(worker, alone.run_id), states(worker, "copied")) == after
    assert keys_of(worker, alone.run_id) == 2


def outcome(act: Callable[[InMemoryWorker, str], Any], worker: InMemoryWorker, name: str) -> Any:
    found = act(worker, name)
    return found if isinstance(found, int) else None


def test_its_thread_lives_as_long_as_the_run_from_when_it_is_made(worker: InMemoryWorker) -> None:
    run = run_of(worker, 1)
    names, name = worker.client.plans.keys, thread_key(run.run_id)
    hour = 3_600_000
    worker.connection.hincrby(names.run(run.run_id), "finished", -hour)

    worker.client.thread(run.run_id).copy("copied")

    left = worker.connection.pttl(names.run(run.run_id)) - hour
    for key in (names.thread(name), names.history(name)):
        assert abs(worker.connection.pttl(key) - left) < 5000


def test_it_is_answered_and_goes_on(worker: InMemoryWorker) -> None:
    run = run_of(worker, 0)

    worker.client.thread(run.run_id).resume(40)
    worker.work()

    assert run.result(1) == 40
    assert keys_of(worker, run.run_id) == 0


def test_a_failed_one_goes_on_until_another_is_on_its_thread(worker: InMemoryWorker) -> None:
    run = run_of(worker, -1)
    run.resume()
    worker.work()
    assert run.status() is RunStatus.FAILED
    assert keys_of(worker, run.run_id) == 0

    run_of(worker, 1, thread_id=run.run_id)

    with pytest.raises(ResumeError, match="newer input"):
        run.resume()


def test_input_for_the_thread_of_one_at_work_waits_or_is_refused(worker: InMemoryWorker) -> None:
    first = worker.client.enqueue("add", 1)
    with pytest.raises(ThreadBusyError):
        worker.client.enqueue("add", 2, thread_id=first.run_id, on_busy="reject")
    second = worker.client.enqueue("add", 2, thread_id=first.run_id)
    worker.work()

    assert first.result(1) == 2
    assert second.result(1) == 7, "it goes on from what the first one saved"


def test_it_is_deleted_with_its_thread(worker: InMemoryWorker) -> None:
    run = run_of(worker, 0)
    other = run_of(worker, 1)

    worker.client.thread(run.run_id).delete()
    worker.client.thread(other.run_id).delete()

    left = worker.connection.keys(f"*{run.run_id}*") + worker.connection.keys(f"*{other.run_id}*")
    assert left == []


def test_a_run_whose_id_is_the_name_of_a_thread_is_on_that_thread(worker: InMemoryWorker) -> None:
    run_of(worker, 1, thread_id="both")

    run = run_of(worker, 2, run_id="both")

    assert run.result(1) == 7
    assert len(states(worker, "both")) == 4


def test_a_command_for_its_thread_is_refused_as_on_any(worker: InMemoryWorker) -> None:
    run = run_of(worker, 0)

    with pytest.raises(Exception, match="resume"):
        worker.client.enqueue("add", Command(resume=1), thread_id=run.run_id)


def test_nothing_is_copied_onto_its_thread(worker: InMemoryWorker) -> None:
    run_of(worker, 5, thread_id="source")
    run = run_of(worker, 0)

    with pytest.raises(ConfigurationError, match="history of its own"):
        worker.client.thread("source").copy(run.run_id)

    run.resume(3)
    worker.work()
    assert run.result(1) == 3


def test_its_thread_does_not_come_back_when_that_has_expired(worker: InMemoryWorker) -> None:
    run = run_of(worker, 1)
    thread = worker.client.thread(run.run_id)
    thread.update(1000)
    thread.expire(60)

    worker.advance(61)

    assert states(worker, run.run_id) == []
    assert run_of(worker, 1, thread_id=run.run_id).result(1) == 2


def test_a_run_that_its_thread_is_not_at_is_not_resumed(worker: InMemoryWorker) -> None:
    run = worker.client.enqueue("add", 1)
    run.cancel()
    worker.client.thread(run.run_id).update(1)

    with pytest.raises(ResumeError):
        worker.client.thread(run.run_id).resume()


def test_a_run_that_was_cancelled_before_it_began_is_not_resumed(worker: InMemoryWorker) -> None:
    run = worker.client.enqueue("add", 1)
    run.cancel()

    with pytest.raises(ResumeError, match="cancelled"):
        run.resume()


def test_no_more_checkpoints_are_shown_than_are_kept() -> None:
    with InMemoryWorker([add], settings=Settings(history=1)) as worker:
        run = run_of(worker, 1)
        assert [state[2] for state in states(worker, run.run_id)] == ["2"]
        assert worker.client.thread(run.run_id).update(7)["configurable"]["checkpoint_id"] == "3"


def test_a_run_knows_its_checkpoint_when_its_thread_has_been_made(worker: InMemoryWorker) -> None:
    runs = [run_of(worker, 0, thread_id="named"), run_of(worker, 0)]
    for number, run in enumerate(runs):
        worker.client.thread(run.info().thread_id).copy(f"copy-{number}")

    keys = [worker.client.plans.keys.run(run.run_id) for run in runs]
    stood = [worker.connection.hmget(key, "checkpoint", "step", "lone") for key in keys]
    for run in runs:
        run.resume(1)
    worker.work()

    assert stood == [[b"1", b"-1", None]] * 2
    assert [run.result() for run in runs] == [1, 1]
    assert states(worker, runs[1].run_id) == states(worker, "named")
