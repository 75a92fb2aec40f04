"""Entrypoints in entrypoints: whose state, whose record, whose thread."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from penstock.publisher.codec.encrypted import EncryptedCodec
from penstock.publisher.codec.keyring import KeyRing
from penstock.runtime import (
    Command,
    GraphOutput,
    InMemorySaver,
    RedisSaver,
    entrypoint,
    get_config,
    get_runtime,
    interrupt,
    task,
)
from penstock.runtime.errors import AnswerError, EmptyInputError, ResumeError, ThreadBusyError
from penstock.runtime.testing import crash_after_each_step
from tests.runtime.flows import Calls, asked, ids, thread
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


# -- None: part of the parent's run --------------------------------------------------------------


def test_a_child_has_no_previous_of_its_own(drive: Drive) -> None:
    @entrypoint()
    def child(x: int, *, previous: Any = None) -> Any:
        inner: Any = task(_previous)
        return [previous, inner().result(), x]

    @entrypoint()
    def main(x: int, *, previous: Any = None) -> Any:
        return [previous, child.invoke(x)]

    assert drive(main, 1) == [None, [None, None, 1]]
    assert drive(main, 2) == [[None, [None, None, 1]], [None, None, 2]]


def _previous(previous: Any = "not filled in") -> Any:
    return previous


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_tasks_of_a_child_that_asks_are_reused(drive: Drive, kind: str) -> None:
    calls = Calls()

    @task
    def work(x: int) -> int:
        calls(x)
        return x + 1

    @entrypoint()
    def child(x: int) -> Any:
        return [work(x).result(), interrupt("?")]

    @entrypoint()
    async def achild(x: int) -> Any:
        return [await work(x), interrupt("?")]

    @entrypoint()
    def main(x: int) -> Any:
        return [work(10).result(), child.invoke(x)]

    @entrypoint(name="main")
    async def amain(x: int) -> Any:
        return [await work(10), await achild.ainvoke(x)]

    flow: Any = main if kind == "sync" else amain
    assert asked(drive(flow, 1)) == ["?"]
    assert drive(flow, Command(resume="!")) == [11, [2, "!"]]
    assert calls.made == [10, 1]


def test_several_children_in_one_task_keep_their_results_in_any_interleaving(
    saver: RedisSaver,
) -> None:
    calls = Calls()
    turn = {"fast": 0}

    @task
    async def work(x: int) -> int:
        calls(x)
        await asyncio.sleep(0.002 * ((x + turn["fast"]) % 3))
        return x * 10

    @entrypoint()
    async def child(x: int) -> Any:
        first = await work(x)
        return [first, interrupt(x) if x == 2 else await work(x + 100)]

    @task
    async def several() -> list[Any]:
        return list(await asyncio.gather(*[child.ainvoke(x) for x in range(4)]))

    @entrypoint(checkpointer=saver)
    async def main(_: str) -> Any:
        return await several()

    assert asked(asyncio.run(main.ainvoke("x", thread()))) == [2]
    turn["fast"] = 2
    result = asyncio.run(main.ainvoke(Command(resume="two"), thread()))

    assert result == [[0, 1000], [10, 1010], [20, "two"], [30, 1030]]
    assert sorted(calls.made) == [0, 1, 2, 3, 100, 101, 103]


def test_a_saver_of_its_own_is_not_used_by_a_nested_entrypoint(saver: RedisSaver) -> None:
    own = InMemorySaver()

    @entrypoint(checkpointer=own)
    def child(x: int, *, previous: Any = None) -> Any:
        return [x, previous]

    @entrypoint(checkpointer=saver)
    def main(x: int) -> Any:
        return child.invoke(x)

    assert [main.invoke(1, thread()), main.invoke(2, thread())] == [[1, None], [2, None]]
    assert own.connection.keys() == []


def test_the_config_of_the_run_may_be_handed_on(drive: Drive) -> None:
    @entrypoint()
    def child(x: int) -> Any:
        config = get_config()
        return [x, config["configurable"]["thread_id"], config["configurable"].get("more")]

    @entrypoint()
    def main(x: int, *, config: Any) -> Any:
        more = {"configurable": {**config["configurable"], "more": "yes"}}
        return [child.invoke(x, config), child.invoke(x, more), child.invoke(x)]

    assert drive(main, 1) == [[1, "thread", None], [1, "thread", "yes"], [1, "thread", None]]


def test_the_context_of_the_parent_is_the_childs_as_it_is_unless_it_is_given_one() -> None:
    @entrypoint(context_schema=dict)
    def child(_: str) -> Any:
        return get_runtime().context

    @entrypoint()
    def main(x: str) -> Any:
        return [child.invoke(x), child.invoke(x, context="own"), child.invoke(x)]

    assert main.invoke("x", context="outer") == ["outer", "own", "outer"]


def test_store_and_cache_of_a_child_go_before_those_of_the_parent() -> None:
    one, two = object(), object()

    @task
    def look(store: Any = None) -> Any:
        return store

    @entrypoint(store=one)
    def child(_: str) -> Any:
        return look().result() is one

    @entrypoint(store=two)
    def main(x: str) -> Any:
        return [child.invoke(x), look().result() is two]

    assert main.invoke("x") == [True, True]


def test_another_thread_makes_the_child_a_run_of_its_own(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def child(x: int, *, previous: int | None = None) -> Any:
        return [x, previous, interrupt("own?")]

    @entrypoint(checkpointer=saver)
    def main(x: int) -> Any:
        return asked(child.invoke(x, thread("other")))

    assert main.invoke(1, thread()) == ["own?"]
    assert child.invoke(Command(resume="yes"), thread("other")) == [1, None, "yes"]


def test_a_sync_child_that_waits_for_a_task_is_awaited_in_async_code(drive: Drive) -> None:
    @task
    def work(x: int) -> int:
        return x + 1

    @entrypoint()
    def child(x: int) -> int:
        return work(x).result()

    @entrypoint()
    def simple(x: int) -> int:
        return x

    @entrypoint()
    async def main(x: int) -> Any:
        try:
            return child.invoke(x)
        except RuntimeError as error:
            return [simple.invoke(x), await child.ainvoke(x), str(error)]

    *results, said = drive(main, 1)

    assert results == [1, 2]
    assert "entrypoint 'child'" in said
    assert "task 'work': use await ainvoke(...)" in said


def test_the_questions_of_a_run_of_its_own_are_a_value_that_its_caller_may_return(
    drive: Drive,
) -> None:
    @entrypoint(checkpointer=InMemorySaver())
    def child(x: int) -> int:
        return int(interrupt("own?"))

    @task
    def ask(x: int) -> Any:
        return child.invoke(x, thread("other"), version="v2")

    @entrypoint()
    def main(x: int) -> Any:
        found = ask(x).result()
        return [found, child.invoke(x, thread("another")), interrupt("go on?")]

    assert asked(drive(main, 1)) == ["go on?"]
    whole, plain, answer = drive(main, Command(resume="yes"))

    assert isinstance(whole, GraphOutput)
    assert [question.value for question in whole.interrupts] == ["own?"] == asked(plain)
    assert answer == "yes"


@pytest.mark.parametrize(
    ("value", "error"), [(None, EmptyInputError), (Command(resume=1), ResumeError)]
)
def test_a_nested_entrypoint_is_called_with_an_input(value: Any, error: type[Exception]) -> None:
    @entrypoint()
    def child(x: Any) -> Any:
        return x

    @entrypoint()
    def main(_: str) -> Any:
        with pytest.raises(error, match="child"):
            child.invoke(value)
        return "refused"

    assert main.invoke("x") == "refused"


def test_a_child_beside_a_step_that_fails_the_run_is_executed_again(saver: RedisSaver) -> None:
    began = asyncio.Event()
    failures: list[str] = []

    @task
    async def endless_at_first() -> int:
        began.set()
        if not failures:
            await asyncio.Event().wait()
        return 1

    @task
    async def failing_at_first() -> int:
        await began.wait()
        if not failures:
            failures.append("the first time")
            raise ValueError(failures[0])
        return 2

    @entrypoint()
    async def child(x: int) -> int:
        return await endless_at_first()

    @entrypoint(checkpointer=saver)
    async def main(x: int) -> list[int]:
        return list(await asyncio.gather(child.ainvoke(x), failing_at_first()))

    async def go() -> list[int]:
        with pytest.raises(ValueError, match="the first time"):
            await main.ainvoke(0, thread())
        return await main.ainvoke(None, thread())

    assert asyncio.run(go()) == [1, 2]


def test_a_caught_error_of_a_child_stays_caught_when_the_run_fails_later(drive: Drive) -> None:
    calls = Calls()
    broken = ["yes"]

    @entrypoint()
    def child(x: int) -> int:
        calls("child")
        raise LookupError(x)

    @entrypoint()
    def main(x: int) -> Any:
        with pytest.raises(LookupError) as caught:
            child.invoke(x)
        if broken:
            raise ValueError("later")
        return caught.value.args

    with pytest.raises(ValueError, match="later"):
        drive(main, 1)
    broken.clear()

    assert tuple(drive(main, None)) == (1,)
    assert calls.made == ["child"]


def test_the_error_of_a_child_that_ended_the_run_is_done_again(drive: Drive) -> None:
    broken = ["yes"]

    @entrypoint()
    def child(x: int) -> int:
        if broken:
            raise LookupError(x)
        return x

    @entrypoint()
    def main(x: int) -> int:
        return child.invoke(x)

    with pytest.raises(LookupError):
        drive(main, 1)
    with pytest.raises(LookupError):
        drive(main, None)
    broken.clear()

    assert drive(main, None) == 1


# -- False: nothing recorded ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_child_without_persistence_runs_again_with_its_parent(drive: Drive, kind: str) -> None:
    calls = Calls()

    @task
    def work(x: int) -> int:
        calls(x)
        return x + 1

    @entrypoint(checkpointer=False)
    def child(x: int, *, previous: Any = None) -> Any:
        return [work(x).result(), previous]

    @entrypoint(checkpointer=False)
    async def achild(x: int, *, previous: Any = None) -> Any:
        return [await work(x), previous]

    @entrypoint()
    def main(x: int) -> Any:
        return [work(10).result(), child.invoke(x), interrupt("?")]

    @entrypoint(name="main")
    async def amain(x: int) -> Any:
        return [await work(10), await achild.ainvoke(x), interrupt("?")]

    flow: Any = main if kind == "sync" else amain
    drive(flow, 1)

    assert drive(flow, Command(resume="!")) == [11, [2, None], "!"]
    assert calls.made == [10, 1, 1]


def test_a_child_without_persistence_may_use_what_cannot_be_written(drive: Drive) -> None:
    @task
    def make() -> Any:
        return threading.Lock()

    @entrypoint(checkpointer=False)
    def child(_: str) -> bool:
        return hasattr(make().result(), "acquire")

    @entrypoint()
    def main(x: str) -> Any:
        return child.invoke(x)

    assert drive(main, "x") is True


def test_questions_of_a_child_without_persistence_stop_the_parent_and_keep_their_answers(
    drive: Drive,
) -> None:
    @task
    def ask(question: str) -> Any:
        return interrupt(question)

    @entrypoint(checkpointer=False)
    def child(_: str) -> Any:
        return [interrupt("first"), ask("second").result()]

    @entrypoint()
    def main(x: str) -> Any:
        return child.invoke(x)

    assert asked(drive(main, "x")) == ["first"]
    assert asked(drive(main, Command(resume=1))) == ["second"]
    assert drive(main, Command(resume=2)) == [1, 2]


def test_an_entrypoint_without_persistence_keeps_nothing_by_itself() -> None:
    @entrypoint(checkpointer=False)
    def main(x: int, *, previous: int | None = None) -> Any:
        return [x, previous]

    assert [main.invoke(1, thread()), main.invoke(2, thread())] == [[1, None], [2, None]]


# -- True: a state on the thread -----------------------------------------------------------------


def counting(kind: str) -> Any:
    @entrypoint(checkpointer=True, name="count")
    def count(x: int, *, previous: int | None = None) -> Any:
        total = x + (previous or 0)
        return entrypoint.final(value=f"total {total}", save=total)

    @entrypoint(checkpointer=True, name="count")
    async def acount(x: int, *, previous: int | None = None) -> Any:
        total = x + (previous or 0)
        return entrypoint.final(value=f"total {total}", save=total)

    @entrypoint()
    def main(xs: list[int]) -> list[Any]:
        return [count.invoke(x) for x in xs]

    @entrypoint(name="main")
    async def amain(xs: list[int]) -> list[Any]:
        return [await acount.ainvoke(x) for x in xs]

    return main if kind == "sync" else amain


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_child_keeps_its_state_across_the_runs_of_the_parents_thread(
    drive: Drive, kind: str
) -> None:
    main = counting(kind)

    assert drive(main, [1, 2]) == ["total 1", "total 3"]
    assert drive(main, [10]) == ["total 13"]
    assert drive(main, [], thread="other") == []
    assert drive(main, [5], thread="other") == ["total 5"]
    assert drive(main, []) == []
    assert drive(main, [100]) == ["total 113"]


def test_children_of_several_names_keep_their_states_apart(drive: Drive) -> None:
    def child(name: str) -> Any:
        @entrypoint(checkpointer=True, name=name)
        def count(x: int, *, previous: int = 0) -> int:
            return (previous or 0) + x

        return count

    a, b = child("a:b"), child("ü/^=")

    @entrypoint()
    def main(x: int) -> Any:
        return [a.invoke(x), b.invoke(10 * x) if x < 3 else None]

    assert drive(main, 1) == [1, 10]
    assert drive(main, 2) == [3, 30]
    assert drive(main, 3) == [6, None]
    assert drive(main, 2) == [8, 50]


def test_the_state_of_a_child_is_kept_only_by_runs_that_complete(drive: Drive) -> None:
    broken = ["yes"]
    main_counts = counting("sync")

    @entrypoint(name="main")
    def main(x: int) -> Any:
        found = main_counts.body.function([x])
        if broken:
            raise ValueError("no")
        return found

    with pytest.raises(ValueError, match="no"):
        drive(main, 1)
    assert drive(main_counts, [10]) == ["total 10"]
    with pytest.raises(ValueError, match="no"):
        drive(main, 5)
    broken.clear()

    assert drive(main, None) == ["total 15"]
    assert drive(main_counts, [0]) == ["total 15"]


def test_a_replayed_child_gives_its_state_on_again(drive: Drive) -> None:
    @entrypoint(checkpointer=True)
    def count(x: int, *, previous: int | None = None) -> Any:
        return entrypoint.final(value="counted", save=x + (previous or 0))

    @entrypoint(checkpointer=True)
    def show(_: str, *, previous: Any = None) -> Any:
        return interrupt(previous)

    @entrypoint()
    def main(x: int) -> Any:
        count.invoke(x)
        return [show.invoke("x"), count.invoke(x)]

    assert asked(drive(main, 1)) == [None]
    assert drive(main, Command(resume="shown")) == ["shown", "counted"]
    assert asked(drive(main, 5)) == ["shown"]
    drive(main, Command(resume="again"))

    @entrypoint(checkpointer=True, name="count")
    def peek(_: int, *, previous: Any = None) -> Any:
        return previous

    @entrypoint(name="main")
    def look(x: int) -> Any:
        return peek.invoke(x)

    assert drive(look, 1) == 12


def test_two_calls_at_once_of_a_child_with_a_state_are_refused(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=True)
    async def child(x: int) -> int:
        await asyncio.sleep(0.01)
        return x

    @entrypoint(checkpointer=saver)
    async def main(_: str) -> Any:
        return list(await asyncio.gather(child.ainvoke(1), child.ainvoke(2)))

    with pytest.raises(ThreadBusyError, match="checkpointer=True"):
        asyncio.run(main.ainvoke("x", thread()))


@pytest.mark.parametrize("method", ["invoke", "ainvoke", "stream", "astream"])
def test_a_child_with_a_state_is_not_called_by_itself(method: str) -> None:
    @entrypoint(checkpointer=True)
    def child(x: int) -> int:
        return x

    async def call() -> None:
        if method == "ainvoke":
            await child.ainvoke(1, thread())
        else:
            getattr(child, method)(1, thread())

    with pytest.raises(RuntimeError, match="checkpointer=True"):
        asyncio.run(call())


def test_parallel_questions_of_children_are_asked_at_once(drive: Drive) -> None:
    @entrypoint()
    async def child(x: str) -> Any:
        return interrupt(x)

    @entrypoint()
    async def main(_: str) -> Any:
        return list(await asyncio.gather(child.ainvoke("a"), child.ainvoke("b")))

    questions = ids(drive(main, "x"))
    assert sorted(questions) == ["a", "b"]

    assert drive(main, Command(resume={questions["a"]: 1, questions["b"]: 2})) == [1, 2]


def test_a_timeout_of_a_sync_child_needs_a_loop(drive: Drive) -> None:
    import time

    @entrypoint(timeout=0.05)
    def child(x: float) -> float:
        time.sleep(x)
        return x

    @entrypoint()
    def main(x: float) -> float:
        return child.invoke(x)

    if drive.kind in ("invoke", "redis"):
        with pytest.raises(RuntimeError, match="timeout"):
            drive(main, 0.3)
        return
    from penstock.runtime import StepTimeoutError

    assert drive(main, 0.0) == 0.0
    with pytest.raises(StepTimeoutError):
        drive(main, 0.3)


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("persistence", [None, False, True])
def test_a_crash_behind_any_step_changes_nothing(kind: str, persistence: bool | None) -> None:
    @task
    def work(x: int) -> int:
        return x + 1

    @entrypoint(checkpointer=persistence)
    def child(x: int, *, previous: Any = None) -> Any:
        found = [work(x).result(), interrupt("?"), work(x + 10).result()]
        return entrypoint.final(value=[previous, *found], save=x)

    @entrypoint()
    def main(x: int) -> Any:
        return [child.invoke(x), work(x).result(), child.invoke(x + 1)]

    @entrypoint(name="main")
    async def amain(x: int) -> Any:
        return [await child.ainvoke(x), await work(x), await child.ainvoke(x + 1)]

    result = crash_after_each_step(
        main if kind == "sync" else amain, 1, answer=lambda question: "!"
    )

    before = 1 if persistence else None
    assert result == [[None, 2, "!", 12], 2, [before, 3, "!", 13]]


def test_what_children_keep_and_questions_ask_for_is_encrypted() -> None:
    saver = InMemorySaver(codec=EncryptedCodec(KeyRing({"k": bytes(32)})))

    @entrypoint(checkpointer=True)
    def secret(x: str, *, previous: Any = None) -> Any:
        return entrypoint.final(value=previous, save=f"hidden {x}")

    @task
    def work() -> str:
        return "hidden in a step that is not recorded"

    @entrypoint(checkpointer=False)
    def quiet(_: str) -> Any:
        return len(work().result())

    @entrypoint(checkpointer=saver)
    def main(x: str) -> Any:
        schema = {"type": "string", "title": "hidden title"}
        return [secret.invoke(x), quiet.invoke(x), interrupt("?", response_schema=schema)]

    for turn, before in enumerate([None, "hidden 0"]):
        (question,) = main.invoke(f"{turn}", thread())["__interrupt__"]
        assert question.response_schema["title"] == "hidden title"
        with pytest.raises(AnswerError):
            main.invoke(Command(resume=5), thread())
        assert main.invoke(Command(resume="yes"), thread())[0] == before

    redis: Any = saver.connection
    for name in redis.keys("penstock:*"):
        kind = redis.type(name)
        kept = {b"hash": redis.hgetall, b"list": redis.lrange}.get(kind, redis.dump)
        assert "hidden" not in repr(kept(name, *([0, -1] if kind == b"list" else []))), name
