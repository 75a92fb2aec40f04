"""Steps on a queue of their own, on workers in memory and in this process."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import pytest

from penstock.publisher import fold, subscribe
from penstock.publisher.errors import CodecError, ValueTooLargeError
from penstock.runtime import (
    Client,
    Command,
    InMemorySaver,
    RedisSaver,
    RetryPolicy,
    entrypoint,
    get_runtime,
    get_stream_writer,
    interrupt,
    sleep,
    task,
)
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import (
    ConfigurationError,
    ReplayError,
    ResumeError,
    RunFailedError,
    ThreadBusyError,
)
from penstock.runtime.func.task import Task
from penstock.runtime.settings import load_settings
from penstock.runtime.testing import InMemoryWorker, crash_after_each_step
from tests.runtime.flows import thread

KEY_NAMES = ((1, "one"), (2, "two"))


class Calls:
    """How often each body was executed."""

    def __init__(self) -> None:
        self.made: list[str] = []


calls = Calls()


@pytest.fixture(autouse=True)
def no_calls() -> None:
    calls.made = []


@task(queue="far")
def far(x: int, *, by: int = 2) -> int:
    calls.made.append("far")
    return by * x


@task(queue="farther")
def farther(x: int) -> int:
    calls.made.append("farther")
    return x + 1


@task(queue="far")
def outer(x: int) -> int:
    calls.made.append("outer")
    return farther(far(x).result()).result()


@task(queue="far")
def asks(_: int) -> Any:
    return interrupt("may I?")


@task(queue="far")
def naps(seconds: float) -> str:
    calls.made.append("naps")
    sleep(seconds)
    return get_runtime().step_id


@task(queue="far", retry_policy=RetryPolicy(max_attempts=2, initial_interval=60.0, jitter=False))
def tries(_: int) -> int:
    calls.made.append("tries")
    if calls.made.count("tries") < 2:
        raise ConnectionError("once")
    return get_runtime().execution_info.step_attempt


@task
def near(x: int) -> int:
    calls.made.append("near")
    return x


TASKS: list[Task[..., Any]] = [far, farther, outer, asks, naps, tries]


def performed(flow: Any, argument: Any, *, seconds: float = 0.0, **options: Any) -> Any:
    """Return the result of a run on a worker in memory, and that it left nothing behind."""
    with InMemoryWorker([flow], tasks=TASKS) as worker:
        run: RunHandle = worker.client.enqueue(flow, argument, **options)
        worker.work()
        if seconds:
            worker.advance(seconds)
        result = run.result(5)
        left = [key.decode() for key in worker.connection.keys("*:remote:*")]
        assert not left
        assert not [
            name
            for name in worker.connection.hkeys(f"penstock:checkpoints:{run.run_id}")
            if name.startswith(b">")
        ]
        return result


def test_a_remote_step_gives_its_value_as_any_step() -> None:
    @entrypoint()
    def main(x: int) -> list[int]:
        first = far(x, by=3)
        return [near(x).result(), first.result(), far(x).result()]

    assert performed(main, 2) == [2, 6, 4]
    assert sorted(calls.made) == ["far", "far", "near"]


def test_remote_steps_of_remote_steps_bring_each_other_back() -> None:
    @entrypoint()
    async def main(x: int) -> int:
        return await outer(x)

    assert performed(main, 2) == 5
    # `outer` is executed again after `farther`, as a body is; what it had from `far` is recorded.
    assert calls.made == ["outer", "far", "farther", "outer"]


def test_a_run_in_this_process_performs_all_its_steps() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    def main(x: int) -> int:
        return far(x).result()

    assert main.invoke(2, thread("one")) == 4


def test_a_run_on_the_queue_of_its_steps_performs_them_itself() -> None:
    @entrypoint()
    def main(x: int) -> str:
        far(x).result()
        return naps(0.0).result()

    with InMemoryWorker([main], tasks=TASKS) as worker:
        run = worker.client.enqueue(main, 2, queue="far")
        assert worker.work() == 1
        assert run.result(5) == f"{run.run_id}/naps:0"


def test_a_remote_step_has_the_idempotency_key_of_its_run_and_sleeps_as_one() -> None:
    @entrypoint()
    def main(seconds: float) -> str:
        return naps(seconds).result()

    key = performed(main, 3000.0, seconds=3000.0, run_id="ours")

    assert key == "ours/naps:0"
    assert calls.made == ["naps", "naps"]


def test_the_back_off_of_a_remote_step_leaves_its_process() -> None:
    @entrypoint()
    def main(x: int) -> int:
        return tries(x).result()

    assert performed(main, 1, seconds=60.0) == 2


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_remote_steps_come_with_any_durability(durability: Any) -> None:
    @entrypoint()
    def main(x: int) -> int:
        return far(near(x).result()).result()

    assert performed(main, 2, durability=durability) == 4
    assert calls.made == ["near", "far"]  # stored before it was sent, so not executed again


def test_a_run_waits_for_remote_steps_that_nobody_asks_for() -> None:
    @entrypoint()
    def main(x: int) -> str:
        far(x)
        return "done"

    assert performed(main, 2) == "done"
    assert calls.made == ["far"]


def test_a_question_beside_a_remote_step_is_asked_once_and_answered() -> None:
    @entrypoint()
    def main(x: int) -> list[Any]:
        away = far(x)
        return [interrupt("well?"), away.result()]

    with InMemoryWorker([main], tasks=TASKS) as worker:
        run = worker.client.enqueue(main, 2)
        worker.work()
        (asked,) = run.result(5)["__interrupt__"]
        run.resume({asked.id: "yes"})
        worker.work()
        assert run.result(5) == ["yes", 4]
    assert calls.made == ["far"]


def test_who_performs_a_step_anew_is_brought_back_by_what_is_still_under_way_below_it() -> None:
    @task(queue="farther")
    def rests(x: int) -> int:
        calls.made.append("rests")
        sleep(5000.0)
        return x

    @task(queue="far")
    def asks_for(x: int) -> int:
        return rests(x).result()

    @entrypoint()
    def main(x: int) -> int:
        return asks_for(x).result()

    with InMemoryWorker([main], tasks=[asks_for, rests]) as worker:
        run = worker.client.enqueue(main, 2)
        worker.work()
        remote = worker.client.plans.keys.remote(run.run_id)
        first = worker.connection.hget(remote, "asks_for:0")
        worker.connection.delete(worker.client.plans.keys.run(first.decode()))
        worker.advance(3600.0)  # when it looks after its steps
        worker.advance(1400.0)
        assert run.result(5) == 2
    assert calls.made == ["rests", "rests"]


def test_an_answer_is_taken_while_a_remote_step_has_its_run_at_work() -> None:
    @entrypoint()
    def main(x: int) -> list[Any]:
        away = far(x)
        if calls.made == ["far"]:
            calls.made.append("answered")
            (asked,) = worker.client.do(worker.client.plans.interrupts(run.run_id))
            run.resume({asked.id: "yes"})
            with pytest.raises(ResumeError, match="waits for no answer"):
                run.resume({asked.id: "no"})
        return [interrupt("well?"), away.result()]

    with InMemoryWorker([main], tasks=TASKS) as worker:
        run = worker.client.enqueue(main, 2)
        worker.work()
        assert run.result(5) == ["yes", 4]
    assert calls.made == ["far", "answered"]


def test_a_remote_step_cannot_ask_and_says_where_to() -> None:
    @entrypoint()
    def main(x: int) -> Any:
        return asks(x).result()

    with pytest.raises(RunFailedError) as raised:
        performed(main, 1)

    assert isinstance(raised.value.__cause__, ConfigurationError)
    assert "call interrupt() in the entrypoint" in str(raised.value.__cause__)


def test_a_remote_step_needs_a_place_for_its_outcome() -> None:
    @entrypoint(checkpointer=False)
    def child(x: int) -> int:
        return far(x).result()

    @entrypoint()
    def main(x: int) -> int:
        return child.invoke(x)

    with pytest.raises(RunFailedError, match="checkpointer=False"):
        performed(main, 1)


def test_arguments_that_cannot_be_sent_fail_their_step_at_once() -> None:
    @entrypoint()
    def main(_: int) -> str:
        with pytest.raises(CodecError, match="arguments of step 'far:0'"):
            far(object()).result()  # type: ignore[arg-type]
        return "survived"

    assert performed(main, 1) == "survived"
    assert calls.made == []


def test_arguments_are_held_against_the_limit_as_a_whole() -> None:
    @entrypoint()
    def main(_: int) -> int:
        return far("x" * 700, by="y" * 700).result()  # type: ignore[arg-type]

    settings = load_settings({"value_limit": 1000})
    with InMemoryWorker([main], tasks=TASKS, settings=settings) as worker:
        run = worker.client.enqueue(main, 1)
        worker.work()
        with pytest.raises(RunFailedError) as raised:
            run.result(5)
    assert isinstance(raised.value.__cause__, ValueTooLargeError)
    assert calls.made == []


def test_other_arguments_in_a_replay_are_refused_as_of_any_step() -> None:
    given = iter([1, 2, 3, 4])

    @entrypoint()
    def main(_: int) -> int:
        return far(next(given)).result()

    with pytest.raises(RunFailedError) as raised:
        performed(main, 1)
    assert isinstance(raised.value.__cause__, ReplayError)


def test_what_is_sent_is_sealed_where_there_are_keys() -> None:
    @entrypoint()
    def main(x: int) -> int:
        return far(x, by=7777).result()

    settings = load_settings({"encryption_keys": f"one:{base64.b64encode(bytes(32)).decode()}"})
    with InMemoryWorker([main], tasks=TASKS, settings=settings) as worker:
        run = worker.client.enqueue(main, 3)
        worker.work()
        assert run.result(5) == 3 * 7777
        codec = worker.client.codec
        said = [chunk.data for chunk in run.stream("updates")]
    assert codec.plain is not codec
    assert said == [{"far": 3 * 7777}, {"main": 3 * 7777}]


def test_a_remote_step_that_goes_on_after_a_rotation_of_keys_knows_what_is_recorded() -> None:
    @task(queue="far")
    def unlucky(x: int) -> int:
        first = near(x).result()
        if not luck:
            raise ValueError("no luck")
        return first + far(x).result()

    @entrypoint()
    def main(x: int) -> int:
        return unlucky(x).result()

    one, two = (f"{name}:{base64.b64encode(bytes([n] * 32)).decode()}" for n, name in KEY_NAMES)
    luck: list[str] = []
    with InMemoryWorker(
        [main], tasks=[*TASKS, unlucky], settings=load_settings({"encryption_keys": one})
    ) as worker:
        run = worker.client.enqueue(main, 3)
        worker.work()
        with pytest.raises(RunFailedError):
            run.result(5)
        keys = load_settings({"encryption_keys": f"{two},{one}"}).encryption_keys
        worker.settings = dataclasses.replace(worker.settings, encryption_keys=keys)
        luck.append("now")

        run.resume()
        worker.work()

        remote = worker.connection.hget(f"penstock:checkpoints:{run.run_id}", "result")
        assert worker.settings.codec().at("penstock", "run", run.run_id).outcome(
            remote, "result"
        ) == {"value": 9}
        assert calls.made == ["near", "far"]


def test_a_queue_has_a_name() -> None:
    with pytest.raises(ConfigurationError, match="use letters"):
        task(near.function, queue="no such:queue")


def test_remote_steps_survive_a_crash_after_each_step_and_are_recorded_once() -> None:
    @entrypoint()
    def main(x: int) -> list[int]:
        return [near(x).result(), outer(x).result(), far(x).result()]

    assert crash_after_each_step(main, 2, tasks=TASKS) == [2, 5, 4]


@pytest.mark.parametrize("ends", ["fails", "dies", "is called off"])
def test_a_remote_step_that_is_sent_again_repeats_nothing_recorded_and_takes_back_its_words(
    ends: str,
) -> None:
    @task(queue="far")
    def unlucky(x: int) -> int:
        get_stream_writer()("unlucky")
        first = near(x).result()
        if calls.made.count("near") == 1 and not luck:
            if ends == "fails":
                raise ValueError("no luck")
            sleep(1000.0)
        return first

    @entrypoint()
    def main(x: int) -> int:
        away = unlucky(x)
        if ends == "is called off" and interrupt("go on?") == "no" and not luck:
            raise ValueError("no luck")
        return away.result()

    luck: list[str] = []
    with InMemoryWorker([main], tasks=[unlucky]) as worker:
        run = worker.client.enqueue(main, 2)
        worker.work()
        if ends == "dies":
            remote = worker.connection.hget(f"penstock:remote:{run.run_id}", "unlucky:0")
            worker.client.get(remote.decode()).cancel()
            worker.work()
        elif ends == "is called off":
            run.resume("no")
            worker.work()
        with pytest.raises(RunFailedError):
            run.result(5)
        luck.append("now")

        run.resume()
        worker.work()

        assert run.result(5) == 2
        assert calls.made == ["near"]
        with subscribe(run.run_id, connection=worker.connection) as events:
            said = [event.data for event in fold(events) if event.mode == "custom"]
        assert said == ["unlucky"]


def test_a_process_does_not_take_a_run_over_while_steps_of_it_are_under_way() -> None:
    @task(queue="far")
    def rests(_: int) -> str:
        calls.made.append("rests")
        if len(calls.made) == 1:
            sleep(1000.0)
        return "rested"

    @entrypoint()
    def main(x: int) -> list[Any]:
        away = rests(x)
        return [interrupt("well?"), away.result()]

    with InMemoryWorker([main], tasks=[rests]) as worker:
        run = worker.client.enqueue(main, 2, thread_id="t")
        worker.work()
        main.checkpointer = RedisSaver(worker.connection)

        with pytest.raises(ThreadBusyError, match="waiting for steps on other queues"):
            main.invoke(Command(resume="yes"), thread("t"))

        assert calls.made == ["rests"]
        worker.advance(1000.0)
        assert run.result(5) == ["yes", "rested"]


def test_a_client_lists_runs_and_not_who_performs_their_steps() -> None:
    @entrypoint()
    def main(x: int) -> int:
        return far(x).result()

    with InMemoryWorker([main], tasks=TASKS) as worker:
        client: Client = worker.client
        run = client.enqueue(main, 3)
        worker.work()
        assert [each.run_id for each in client.runs()] == [run.run_id]
