"""Questions, answers, and what may stand between them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from penstock.runtime import (
    Command,
    InMemorySaver,
    Interrupt,
    RedisSaver,
    entrypoint,
    get_stream_writer,
    interrupt,
    task,
)
from penstock.runtime.errors import ConfigurationError, EmptyInputError, ResumeError
from penstock.runtime.types.interrupt import interrupt_id
from penstock.runtime.workflow.entrypoint import Entrypoint
from tests.runtime.flows import Calls, asked, ids, thread


@task
def ask(question: str) -> Any:
    return interrupt(question)


@task
async def aask(question: str) -> Any:
    return interrupt(question)


@pytest.mark.parametrize("answer", ["yes", False, 0, "", [], {}, None, {"a": 1}, ("t",), b"\0"])
@pytest.mark.parametrize("kind", ["body", "task", "async"])
def test_any_answer_comes_out_of_the_call_as_it_was_given(
    saver: RedisSaver, answer: Any, kind: str
) -> None:
    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        return [interrupt("?")] if kind == "body" else [ask("?").result()]

    @entrypoint(checkpointer=saver)
    async def amain(_: str) -> Any:
        return [await aask("?")]

    def run(value: Any) -> Any:
        if kind == "async":
            return asyncio.run(amain.ainvoke(value, thread()))
        return main.invoke(value, thread())

    assert asked(run("x")) == ["?"]
    if answer == {} and isinstance(answer, dict):  # an empty map answers nothing
        assert asked(run(Command(resume=answer))) == ["?"]
        return
    result = run(Command(resume=answer))
    assert result == [answer]
    assert type(result[0]) is type(answer)


def test_an_interrupt_has_a_value_and_an_id_of_32_hex_digits(any_saver: RedisSaver | None) -> None:
    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> Any:
        return interrupt({"question": ("a", 1)})

    (question,) = main.invoke("x", thread())["__interrupt__"]

    assert isinstance(question, Interrupt)
    assert question.value == {"question": ("a", 1)}
    assert len(question.id) == 32
    assert int(question.id, 16) >= 0


def test_ids_differ_by_run_step_and_index_and_stay_the_same_in_every_attempt() -> None:
    made = {
        interrupt_id(run, step, index) for run in "ab" for step in ("", "x:0") for index in (0, 1)
    }

    assert len(made) == 8
    assert made == {
        interrupt_id(run, step, index) for run in "ab" for step in ("", "x:0") for index in (0, 1)
    }


def test_questions_one_after_the_other_are_answered_one_by_one(saver: RedisSaver) -> None:
    bodies = Calls()

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[Any]:
        bodies("body")
        return [interrupt("first"), ask("second").result(), interrupt("third")]

    results: list[Any] = [main.invoke("x", thread())]
    results += [main.invoke(Command(resume=answer), thread()) for answer in (1, 2, 3)]

    assert [asked(result) for result in results[:3]] == [["first"], ["second"], ["third"]]
    assert results[3] == [1, 2, 3]
    assert len(bodies.made) == 4
    assert len({each for result in results[:3] for each in ids(result).values()}) == 3


def test_going_on_with_none_asks_the_same_question_again(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        return interrupt("?")

    first = main.invoke("x", thread())

    assert main.invoke(None, thread()) == first
    assert main.invoke(Command(resume=1), thread()) == 1


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_all_parallel_questions_are_asked_at_once_and_answered_by_id(
    saver: RedisSaver, kind: str
) -> None:
    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[Any]:
        return [future.result() for future in [ask(name) for name in "abc"]]

    @entrypoint(checkpointer=saver)
    async def amain(_: str) -> list[Any]:
        return list(await asyncio.gather(*[aask(name) for name in "abc"]))

    def run(value: Any) -> Any:
        if kind == "sync":
            return main.invoke(value, thread())
        return asyncio.run(amain.ainvoke(value, thread()))

    result = run("x")
    assert sorted(asked(result)) == ["a", "b", "c"]
    by_name = ids(result)

    with pytest.raises(ResumeError, match="3 answers"):
        run(Command(resume="scalar"))
    with pytest.raises(ResumeError, match="has no open interrupt"):
        run(Command(resume={"0" * 32: 1}))
    result = run(Command(resume={by_name["b"]: "B"}))
    assert sorted(asked(result)) == ["a", "c"]
    with pytest.raises(ResumeError, match="has no open interrupt"):
        run(Command(resume={by_name["b"]: "again"}))
    assert run(Command(resume={by_name["a"]: "A", by_name["c"]: None})) == ["A", "B", None]


def test_the_last_of_several_questions_takes_a_plain_answer(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[Any]:
        return [future.result() for future in [ask("a"), ask("b")]]

    by_name = ids(main.invoke("x", thread()))
    main.invoke(Command(resume={by_name["b"]: 2}), thread())

    assert main.invoke(Command(resume=1), thread()) == [1, 2]


def test_questions_in_tasks_of_tasks_and_in_nested_entrypoints(saver: RedisSaver) -> None:
    calls = Calls()

    @task
    def note(what: str) -> str:
        calls(what)
        return what

    @task
    def outer() -> list[Any]:
        return [note("outer").result(), ask("deep").result()]

    @entrypoint()
    def child(x: str) -> list[Any]:
        return [note(x).result(), interrupt("in child"), ask("in task of child").result()]

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[Any]:
        return [outer().result(), child.invoke("child")]

    results: list[Any] = [main.invoke("x", thread())]
    results += [main.invoke(Command(resume=answer), thread()) for answer in (1, 2, 3)]

    assert [asked(each) for each in results[:3]] == [["deep"], ["in child"], ["in task of child"]]
    assert results[3] == [["outer", 1], ["child", 2, 3]]
    assert calls.made == ["outer", "child"]


def test_finished_steps_are_not_executed_again_by_an_answer(saver: RedisSaver) -> None:
    calls = Calls()

    @task
    def work(x: Any) -> Any:
        calls(x)
        return x

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[Any]:
        values: list[Any] = [None, False, 0, "", []]
        falsy = [work(x).result() for x in values]
        return [falsy, interrupt("?")]

    main.invoke("x", thread())

    assert main.invoke(Command(resume=1), thread()) == [[None, False, 0, "", []], 1]
    assert calls.made == [None, False, 0, "", []]


# -- swallowed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["body", "task"])
def test_except_exception_lets_a_question_pass(saver: RedisSaver, where: str) -> None:
    @task
    def careful() -> Any:
        try:
            return interrupt("?")
        except Exception:
            return "swallowed"

    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        try:
            return interrupt("?") if where == "body" else careful().result()
        except Exception:
            return "swallowed"

    assert asked(main.invoke("x", thread())) == ["?"]
    assert main.invoke(Command(resume="answer"), thread()) == "answer"


def test_a_body_that_swallows_a_question_still_waits_for_its_answer(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        try:
            return interrupt("?")
        except BaseException:
            return "swallowed"

    assert asked(main.invoke("x", thread())) == ["?"]
    assert main.invoke(Command(resume="answer"), thread()) == "answer"


def test_a_task_that_swallows_a_question_is_executed_again_with_its_answer(
    saver: RedisSaver,
) -> None:
    @task
    def careful() -> Any:
        try:
            return interrupt("?")
        except BaseException:
            return "swallowed"

    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        return careful().result()

    assert asked(main.invoke("x", thread())) == ["?"]
    assert main.invoke(Command(resume="answer"), thread()) == "answer"


def test_a_body_that_swallows_the_question_of_a_task_still_waits(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        try:
            return ask("?").result()
        except BaseException:
            return "swallowed"

    assert asked(main.invoke("x", thread())) == ["?"]
    assert main.invoke(Command(resume="answer"), thread()) == "answer"


def test_gather_with_return_exceptions_does_not_hide_questions(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    async def main(_: str) -> Any:
        return await asyncio.gather(aask("a"), aask("b"), return_exceptions=True)

    result = asyncio.run(main.ainvoke("x", thread()))
    assert sorted(asked(result)) == ["a", "b"]
    answers = {name: question.upper() for question, name in ids(result).items()}

    assert asyncio.run(main.ainvoke(Command(resume=answers), thread())) == ["A", "B"]


@pytest.mark.parametrize("where", ["coroutine", "task", "in a task"])
def test_questions_in_a_task_group_are_asked(saver: RedisSaver, where: str) -> None:
    async def plain(question: str) -> Any:
        return interrupt(question)

    async def in_group(count: int) -> list[Any]:
        async with asyncio.TaskGroup() as group:
            made: list[Any] = [
                group.create_task(plain(f"{i}")) if where == "coroutine" else aask(f"{i}")
                for i in range(count)
            ]
            if where != "coroutine":
                made = [group.create_task(_await(each)) for each in made]
        return [each.result() for each in made]

    @task
    async def grouped() -> list[Any]:
        return await in_group(1)

    @entrypoint(checkpointer=saver)
    async def main(_: str) -> list[Any]:
        return await grouped() if where == "in a task" else await in_group(1)

    assert asked(asyncio.run(main.ainvoke("x", thread()))) == ["0"]
    assert asyncio.run(main.ainvoke(Command(resume="a"), thread())) == ["a"]


async def _await(future: Any) -> Any:
    return await future


def test_chains_beside_a_question_are_not_lost_and_nothing_runs_on_afterwards(
    saver: RedisSaver,
) -> None:
    calls = Calls()

    @task
    async def work(x: int) -> int:
        calls(x)
        await asyncio.sleep(0.002)
        return x

    async def chain() -> list[int]:
        return [await work(i) for i in range(8)]

    async def question() -> Any:
        await work(100)
        return interrupt("?")

    @entrypoint(checkpointer=saver)
    async def main(_: str) -> Any:
        return list(await asyncio.gather(chain(), question()))

    async def ask_and_watch() -> list[Any]:
        result = await main.ainvoke("x", thread())
        before = list(calls.made)
        await asyncio.sleep(0.02)
        assert calls.made == before
        return asked(result)

    assert asyncio.run(ask_and_watch()) == ["?"]
    result = asyncio.run(main.ainvoke(Command(resume="a"), thread()))
    assert result == [list(range(8)), "a"]
    assert calls.count(100) == 1
    assert len(calls.made) <= 9 + 1  # at most the step in flight twice


# -- what cannot be resumed ----------------------------------------------------------------------


def test_a_command_without_an_answer_is_refused(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        return interrupt("?")

    main.invoke("x", thread())

    with pytest.raises(ResumeError, match="answers nothing"):
        main.invoke(Command(), thread())
    assert main.invoke(Command(resume=1), thread()) == 1


def test_a_command_on_a_fresh_thread_is_refused_and_leaves_nothing(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: Any) -> Any:
        return x

    with pytest.raises(ResumeError, match="no run"):
        main.invoke(Command(resume=1), thread())
    with pytest.raises(EmptyInputError):
        main.invoke(None, thread())
    assert main.invoke("x", thread()) == "x"


NOTHING_ASKED = [Command(resume=5), Command(resume={}), Command(resume={"a" * 32: 1}), Command()]


@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
@pytest.mark.parametrize("command", NOTHING_ASKED, ids=["answer", "empty map", "map", "empty"])
@pytest.mark.parametrize("state", ["fresh", "completed", "answered", "failed", "cancelled"])
def test_a_command_to_a_thread_that_asks_nothing_is_refused(
    saver: RedisSaver, state: str, command: Command, how: str
) -> None:
    bodies = Calls()

    @entrypoint(checkpointer=saver)
    def main(x: str) -> Any:
        bodies(x)
        if x == "failed":
            raise ValueError(x)
        return interrupt("?") if x in ("answered", "cancelled") else x

    if state != "fresh":
        with suppress(ValueError):
            main.invoke(state, thread())
    if state == "answered":
        main.invoke(Command(resume=state), thread())
    if state == "cancelled":
        saver.do(saver.plans.cancel(main.get_state(thread()).run_id))
    executed = len(bodies.made)

    with pytest.raises(ResumeError, match=r"no run that waits|waits for no answer"):
        asyncio.run(give(main, command, how))
    assert len(bodies.made) == executed
    if state in ("completed", "answered"):
        assert main.invoke(None, thread()) == state


async def give(main: Entrypoint[Any, Any], given: Any, how: str) -> Any:
    if how == "ainvoke":
        return await main.ainvoke(given, thread())
    if how == "astream":
        return [chunk async for chunk in main.astream(given, thread())]
    if how == "invoke":
        return await asyncio.to_thread(lambda: main.invoke(given, thread()))
    return await asyncio.to_thread(lambda: list(main.stream(given, thread())))


def test_a_command_without_a_checkpointer_is_refused() -> None:
    @entrypoint()
    def main(_: str) -> Any:
        return interrupt("?")

    assert asked(main.invoke("x")) == ["?"]
    with pytest.raises(ResumeError, match="checkpointer"):
        main.invoke(Command(resume=1))


def test_a_command_on_a_failed_thread_is_refused(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        main.invoke("x", thread())
    with pytest.raises(ResumeError, match="failed"):
        main.invoke(Command(resume=1), thread())


@pytest.mark.parametrize("value", [None, Command(resume=1)])
def test_another_entrypoint_cannot_go_on_with_a_run(saver: RedisSaver, value: Any) -> None:
    @entrypoint(checkpointer=saver)
    def one(_: str) -> Any:
        return ("one", interrupt("?"))

    @entrypoint(checkpointer=saver)
    def two(_: str) -> Any:
        return ("two", interrupt("other?"))

    one.invoke("x", thread())

    with pytest.raises(ResumeError, match=r"one.*two|two.*one"):
        two.invoke(value, thread())
    assert one.invoke(Command(resume=2), thread()) == ("one", 2)


def test_new_input_on_a_waiting_thread_starts_anew_and_the_old_question_is_void(
    saver: RedisSaver,
) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: str, *, previous: Any = None) -> Any:
        return [x, previous, interrupt(f"{x}?")]

    first = main.invoke("a", thread())
    second = main.invoke("b", thread())

    assert asked(second) == ["b?"]
    with pytest.raises(ResumeError, match="has no open interrupt"):
        main.invoke(Command(resume={ids(first)["a?"]: 1}), thread())
    assert main.invoke(Command(resume=2), thread()) == ["b", None, 2]


def test_a_question_that_cannot_be_written_fails_at_the_call(saver: RedisSaver) -> None:
    from penstock.publisher.errors import CodecError

    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        return interrupt(object())

    with pytest.raises(CodecError, match="interrupt of the run cannot be stored"):
        main.invoke("x", thread())


# -- what the reader sees ------------------------------------------------------------------------


def test_a_default_without_a_time_limit_would_never_be_used(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        return interrupt("Go on?", default=True)

    with pytest.raises(ConfigurationError, match="give timeout= too"):
        main.invoke("x", thread())


def test_a_stream_ends_with_the_questions_as_a_tuple(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        get_stream_writer()("working")
        return [future.result() for future in [ask("a"), ask("b")]]

    def last(mode: str, name: str) -> Any:
        return list(main.stream("x", thread(name), stream_mode=mode))

    for mode in ("updates", "values"):
        (chunk,) = last(mode, mode)
        assert isinstance(chunk["__interrupt__"], tuple)
        assert sorted(each.value for each in chunk["__interrupt__"]) == ["a", "b"]
    assert last("custom", "custom") == ["working"]


def test_the_result_of_an_earlier_run_is_not_merged_with_a_question() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    def main(x: int) -> Any:
        return {"old": x} if x == 1 else interrupt("?")

    main.invoke(1, thread())

    assert set(main.invoke(2, thread())) == {"__interrupt__"}


def test_a_resumed_stream_shows_only_what_is_new(saver: RedisSaver) -> None:
    @task
    def work(x: int) -> int:
        return x

    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        return [work(1).result(), interrupt("?"), work(2).result()]

    first = list(main.stream("x", thread(), stream_mode="updates"))
    second = list(main.stream(Command(resume="a"), thread(), stream_mode="updates"))

    assert first[0] == {"work": 1}
    assert set(first[1]) == {"__interrupt__"}
    assert second == [{"work": 2}, {"main": [1, "a", 2]}]
