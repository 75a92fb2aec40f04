"""Where Penstock differs from the API it follows on purpose: one test for each decision.

The numbers are those of the list of decisions; 13, 16 and 19 are tested where their parameters are.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from penstock.publisher.errors import CodecError
from penstock.runtime import (
    Client,
    Command,
    RedisSaver,
    RetryPolicy,
    entrypoint,
    get_runtime,
    get_stream_writer,
    interrupt,
    task,
)
from penstock.runtime.errors import ReplayError, ResumeError, ThreadBusyError
from tests.runtime.flows import Calls, asked, ids, in_background, thread
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


def test_decide_1_branches_keep_their_results_and_other_arguments_are_an_error(
    drive: Drive,
) -> None:
    pace = [0.0, 0.02]
    argument = ["same"]

    @task
    async def work(branch: int, number: int) -> str:
        return f"{branch}.{number}"

    @task
    async def look(text: str) -> str:
        return text

    async def chain(branch: int) -> list[str]:
        await asyncio.sleep(pace[branch])
        return [await work(branch, number) for number in range(3)]

    @entrypoint()
    async def main(_: str) -> Any:
        found = await asyncio.gather(chain(0), chain(1))
        seen = await look(argument[0])
        return [*found, seen, interrupt("?")]

    assert asked(drive(main, "x")) == ["?"]
    pace.reverse()
    argument[0] = "another"
    with pytest.raises(ReplayError, match=r"look:0.*keyed"):
        drive(main, Command(resume="!"))
    argument[0] = "same"

    expected = [[f"{branch}.{number}" for number in range(3)] for branch in (0, 1)]
    assert drive(main, None) == [*expected, "same", "!"]


def test_decide_2_an_error_that_the_body_survived_replays_as_it_was(drive: Drive) -> None:
    world = ["broken"]

    @task
    def flaky() -> str:
        if world[0] == "broken":
            raise LookupError("broken")
        return "repaired"

    @entrypoint()
    def main(_: str) -> Any:
        try:
            way = flaky().result()
        except LookupError as error:
            way = f"around {error}"
        return [way, interrupt("?")]

    drive(main, "x")
    world[0] = "repaired"

    assert drive(main, Command(resume=1)) == ["around broken", 1]


def test_decide_3_each_try_of_the_body_counts_its_calls_anew(drive: Drive) -> None:
    calls, tries = Calls(), Calls()

    @task
    def work(x: int) -> int:
        calls(x)
        return x

    @entrypoint(retry_policy=RetryPolicy(initial_interval=0, jitter=False))
    def main(_: str) -> Any:
        found = [work(1).result(), interrupt("?"), work(2).result()]
        tries("try")
        if len(tries.made) < 3:
            raise ConnectionError
        return found

    drive(main, "x")

    assert drive(main, Command(resume="!")) == [1, "!", 2]
    assert calls.made == [1, 2]


def test_decide_4_the_finished_tasks_of_a_nested_entrypoint_are_reused(drive: Drive) -> None:
    calls = Calls()

    @task
    def work(x: int) -> int:
        calls(x)
        return x

    @entrypoint()
    def child(x: int) -> Any:
        return [work(x).result(), interrupt("?")]

    @task
    def outer(x: int) -> Any:
        return child.invoke(x)

    @entrypoint()
    def main(x: int) -> Any:
        return outer(x).result()

    drive(main, 7)

    assert drive(main, Command(resume="!")) == [7, "!"]
    assert calls.made == [7]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_decide_5_sync_durability_stores_before_the_future_resolves(
    redis_saver: RedisSaver, kind: str
) -> None:
    @task
    def work(x: int) -> int:
        return x

    def stored() -> bool:
        info = get_runtime().execution_info
        key = f"penstock:checkpoints:{info.run_id}"
        return bool(redis_saver.connection.hexists(key, "work:0"))

    @entrypoint(checkpointer=redis_saver)
    def main(_: str) -> Any:
        work(1).result()
        return stored()

    @entrypoint(checkpointer=redis_saver)
    async def amain(_: str) -> Any:
        await work(1)
        return stored()

    if kind == "sync":
        assert main.invoke("x", thread(), durability="sync") is True
    else:
        assert asyncio.run(amain.ainvoke("x", thread(), durability="sync")) is True


def test_decide_6_who_stops_reading_does_not_undo_the_run(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int, *, previous: Any = None) -> Any:
        get_stream_writer()("working")
        return [x, previous]

    chunks = main.stream(1, thread(), stream_mode=["custom", "updates"])
    assert next(chunks) == ("custom", "working")
    chunks.close()  # type: ignore[attr-defined]

    assert main.invoke(2, thread()) == [2, [1, None]]


def test_decide_7_questions_have_ids_of_their_own_and_every_answer_is_one(drive: Drive) -> None:
    @entrypoint()
    def main(_: str) -> Any:
        return [interrupt("a"), interrupt("b")]

    first = ids(drive(main, "x"))
    with pytest.raises(ResumeError, match="has no open interrupt"):
        drive(main, Command(resume={"0" * 32: 1}))
    assert ids(drive(main, Command(resume={}))) == first
    second = ids(drive(main, Command(resume=None)))

    assert set(second) == {"b"}
    assert set(second.values()).isdisjoint(first.values())
    assert drive(main, Command(resume={second["b"]: False})) == [None, False]


def test_decide_8_except_exception_lets_a_question_pass(drive: Drive) -> None:
    @entrypoint()
    def main(_: str) -> Any:
        try:
            return interrupt("?")
        except Exception:
            return "swallowed"

    assert asked(drive(main, "x")) == ["?"]
    assert drive(main, Command(resume="answer")) == "answer"


def test_decide_9_an_answer_on_a_fresh_or_finished_thread_is_an_error(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: Any) -> Any:
        return x

    with pytest.raises(ResumeError, match="no run"):
        main.invoke(Command(resume=1), thread())
    assert main.invoke("x", thread()) == "x"
    with pytest.raises(ResumeError, match="no run"):
        main.invoke(Command(resume=1), thread())


def test_decide_10_a_question_is_not_mixed_with_an_older_result(drive: Drive) -> None:
    @entrypoint()
    def main(x: int) -> Any:
        return {"answer": interrupt("?")} if x > 1 else {"stale": x}

    assert drive(main, 1) == {"stale": 1}
    assert list(drive(main, 2)) == ["__interrupt__"]


def test_decide_11_a_thread_runs_one_run_at_a_time(saver: RedisSaver) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    @entrypoint(checkpointer=saver)
    def main(x: int) -> int:
        at_work.set()
        assert go_on.wait(10)
        return x

    first = in_background(lambda: main.invoke(1, thread()))
    assert at_work.wait(10)
    with pytest.raises(ThreadBusyError):
        main.invoke(2, thread())
    go_on.set()

    assert first.result(10) == 1


def test_decide_12_parents_that_wait_do_not_count(drive: Drive) -> None:
    @task
    def nest(depth: int) -> int:
        return 0 if depth == 0 else 1 + nest(depth - 1).result()

    @entrypoint()
    def main(depth: int) -> Any:
        return [future.result() for future in [nest(depth) for _ in range(4)]]

    assert drive(main, 6, config={"max_concurrency": 1}) == [6] * 4


def test_decide_14_a_result_that_cannot_be_kept_fails_at_its_step_and_types_stay(
    drive: Drive,
) -> None:
    @task
    def lock() -> Any:
        return threading.Lock()

    @task
    def pair() -> Any:
        return (1, {2})

    @entrypoint()
    def main(_: str) -> Any:
        found = [pair().result()]
        with pytest.raises(CodecError, match="lock:0"):
            lock().result()
        return [*found, interrupt("?")]

    drive(main, "x")

    assert drive(main, Command(resume="!")) == [(1, {2}), "!"]


def test_decide_15_a_writer_works_in_any_thread(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> None:
        write = get_stream_writer()
        sender = threading.Thread(target=write, args=("from a thread",))
        sender.start()
        sender.join()

    assert list(main.stream("x", thread(), stream_mode="custom")) == ["from a thread"]


def test_decide_17_custom_events_of_nested_entrypoints_come_by_default(
    any_saver: RedisSaver | None,
) -> None:
    @entrypoint()
    def child(_: str) -> None:
        get_stream_writer()("from the child")

    @entrypoint(checkpointer=any_saver)
    def main(x: str) -> None:
        child.invoke(x)

    assert list(main.stream("x", thread(), stream_mode="custom")) == ["from the child"]


def test_decide_20_a_late_reader_reads_from_the_first_event(redis_url: str) -> None:
    @entrypoint()
    def main(_: str) -> str:
        get_stream_writer()("early")
        return "done"

    drive = Drive("worker", redis_url)
    drive(main, "x")

    with Client(redis_url) as client:
        (run,) = client.runs()
        late = client.get(run.run_id).stream(["custom", "updates"])
        assert [tuple(event) for event in late] == [
            ("custom", "early"),
            ("updates", {"main": "done"}),
        ]
