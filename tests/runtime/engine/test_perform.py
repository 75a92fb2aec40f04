"""Replay: what is recorded comes back, what failed is done again, what was caught stays caught."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import datetime
import enum
import gc
import itertools
import uuid
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pydantic
import pytest

from penstock.publisher.errors import CodecError
from penstock.runtime import (
    Command,
    InMemorySaver,
    RedisSaver,
    RetryPolicy,
    entrypoint,
    get_runtime,
    interrupt,
    task,
)
from penstock.runtime.errors import ReplayError
from penstock.runtime.settings import Settings
from tests.runtime.flows import Calls, asked, keys, thread
from tests.support.drive import Drive

fresh = itertools.count()


class TroubleError(Exception):
    """What goes wrong in these tests."""


def run_both(saver: RedisSaver, program: Any) -> tuple[list[Any], list[Any]]:
    """Give what a body observes before an interrupt and after it."""
    seen: list[list[Any]] = []

    @entrypoint(checkpointer=saver)
    def main(_: str) -> None:
        seen.append(program())
        interrupt("?")

    main.invoke("x", thread())
    main.invoke(Command(resume=1), thread())
    first, second = seen
    return first, second


# -- failed runs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_failed_run_goes_on_with_none_and_executes_only_what_failed(
    saver: RedisSaver, kind: str
) -> None:
    calls = Calls()
    broken = [True]

    def body(x: str) -> str:
        calls(x)
        if x == "b" and broken[0]:
            raise TroubleError(x)
        return x.upper()

    sync = task(body, name="work")

    @task(name="work")
    async def work(x: str) -> str:
        return body(x)

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[str]:
        return [sync(x).result() for x in "abc"]

    @entrypoint(checkpointer=saver)
    async def amain(_: str) -> list[str]:
        return [await work(x) for x in "abc"]

    def run(value: str | None) -> Any:
        if kind == "sync":
            return main.invoke(value, thread())
        return asyncio.run(amain.ainvoke(value, thread()))

    with pytest.raises(TroubleError):
        run("x")
    with pytest.raises(TroubleError):
        run(None)
    broken[0] = False

    assert run(None) == ["A", "B", "C"]
    assert calls.made == ["a", "b", "b", "b", "c"]


def test_a_body_that_fails_by_itself_replays_all_its_steps(saver: RedisSaver) -> None:
    calls = Calls()
    broken = [True]

    @task
    def work(x: int) -> int:
        calls(x)
        return next(fresh)

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[int]:
        done = [work(i).result() for i in range(3)]
        seen.append(done)
        if broken[0]:
            raise TroubleError
        return done

    seen: list[list[int]] = []
    with pytest.raises(TroubleError):
        main.invoke("x", thread())
    broken[0] = False

    assert main.invoke(None, thread()) == seen[0]
    assert calls.made == [0, 1, 2]


def test_new_input_after_a_failure_starts_anew(saver: RedisSaver) -> None:
    calls = Calls()

    @task
    def work(x: str) -> str:
        calls(x)
        return x

    @entrypoint(checkpointer=saver)
    def main(x: str, *, previous: Any = None) -> list[Any]:
        done = work("same").result()
        if x == "bad":
            raise TroubleError
        return [done, previous]

    assert main.invoke("good", thread()) == ["same", None]
    with pytest.raises(TroubleError):
        main.invoke("bad", thread())

    assert main.invoke("good", thread()) == ["same", ["same", None]]
    assert calls.count("same") == 3


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_caught_error_replays_the_same_way_though_the_world_was_repaired(  # noqa: C901
    saver: RedisSaver, kind: str
) -> None:
    calls = Calls()
    broken = [True]

    @task
    def primary() -> str:
        calls("primary")
        if broken[0]:
            raise TroubleError("down")
        return "primary"

    @task
    def fallback() -> str:
        return "fallback"

    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        try:
            used = primary().result()
        except TroubleError as error:
            used = fallback().result() + str(error)
        return [used, interrupt("?")]

    @entrypoint(checkpointer=saver)
    async def amain(_: str) -> Any:
        try:
            used = await primary()
        except TroubleError as error:
            used = await fallback() + str(error)
        return [used, interrupt("?")]

    def run(value: Any) -> Any:
        if kind == "sync":
            return main.invoke(value, thread())
        return asyncio.run(amain.ainvoke(value, thread()))

    run("x")
    broken[0] = False

    assert run(Command(resume=1)) == ["fallbackdown", 1]
    assert calls.made == ["primary"]


def test_a_caught_error_stays_caught_when_the_run_fails_later(saver: RedisSaver) -> None:
    broken = [True]

    @task
    def one() -> str:
        if broken[0]:
            raise TroubleError("one")
        return "one"

    @task
    def two() -> str:
        if broken[0]:
            raise KeyError("two")
        return "two"

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[str]:
        try:
            first = one().result()
        except TroubleError:
            first = "caught"
        return [first, two().result()]

    with pytest.raises(KeyError):
        main.invoke("x", thread())
    broken[0] = False

    assert main.invoke(None, thread()) == ["caught", "two"]


@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_decide_2_what_a_task_raises_of_a_class_of_its_own_is_caught_in_each_attempt(
    drive: Drive,
) -> None:
    @task
    def connect(host: str) -> None:
        class LostError(ConnectionError):
            """Gone with this call, as a class is that a new process has not loaded."""

        raise LostError(host)

    @entrypoint()
    def main(host: str) -> str:
        try:
            connect(host).result()
        except OSError as error:
            return f"{interrupt('Go on?')}, {str(error)[-4:]}"
        return ""

    assert asked(drive(main, "host")) == ["Go on?"]
    gc.collect()
    assert drive(main, Command(resume="yes")) == "yes, host"


@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_decide_2_what_pydantic_refused_in_a_task_is_caught_in_each_attempt(drive: Drive) -> None:
    @task
    def parse(text: str) -> int:
        return pydantic.TypeAdapter(int).validate_python(text)

    @entrypoint()
    def main(text: str) -> list[Any]:
        try:
            parse(text).result()
        except pydantic.ValidationError as error:
            return [interrupt(error.error_count()), error.errors()[0]["type"]]
        return []

    assert asked(drive(main, "x")) == [1]
    assert drive(main, Command(resume="go on")) == ["go on", "int_parsing"]


def test_an_error_that_was_caught_stays_caught_when_the_body_fails_by_itself(
    saver: RedisSaver,
) -> None:
    broken = [True]

    @task
    def one() -> str:
        if broken[0]:
            raise TroubleError("one")
        return "one"

    @entrypoint(checkpointer=saver)
    def main(_: str) -> str:
        first = "caught"
        try:
            first = one().result()
        except TroubleError:
            pass
        if broken[0]:
            raise KeyError("body")
        return first

    with pytest.raises(KeyError):
        main.invoke("x", thread())
    broken[0] = False

    assert main.invoke(None, thread()) == "caught"


def test_an_error_translated_by_the_body_is_done_again(saver: RedisSaver) -> None:
    broken = [True]

    @task
    def one() -> str:
        if broken[0]:
            raise KeyError("one")
        return "one"

    @entrypoint(checkpointer=saver)
    def main(_: str) -> str:
        try:
            return one().result()
        except KeyError as error:
            raise TroubleError("translated") from error

    with pytest.raises(TroubleError):
        main.invoke("x", thread())
    broken[0] = False

    assert main.invoke(None, thread()) == "one"


def test_an_error_first_looked_at_after_an_answer_can_still_be_repaired(saver: RedisSaver) -> None:
    broken = [True]

    @task
    def work() -> str:
        if broken[0]:
            raise TroubleError("down")
        return "up"

    @entrypoint(checkpointer=saver)
    def main(_: str) -> str:
        future = work()
        concurrent.futures.wait([future])
        interrupt("?")
        return future.result()

    assert asked(main.invoke("x", thread())) == ["?"]
    with pytest.raises(TroubleError):
        main.invoke(Command(resume=1), thread())
    broken[0] = False

    assert main.invoke(None, thread()) == "up"


def test_of_two_errors_in_parallel_none_keeps_the_run_from_going_on(saver: RedisSaver) -> None:
    broken = [True]

    @task
    def work(x: int) -> int:
        if broken[0]:
            raise TroubleError(x)
        return x

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[int]:
        first = work(1)
        concurrent.futures.wait([first])
        second = work(2)
        return [second.result(), first.result()]

    with pytest.raises(TroubleError, match="2"):
        main.invoke("x", thread())
    broken[0] = False

    assert main.invoke(None, thread()) == [2, 1]


def test_errors_of_a_task_group_are_done_again(saver: RedisSaver) -> None:
    broken = [True]

    @task
    async def work(x: int) -> int:
        if broken[0] and x > 0:
            raise TroubleError(x)
        return next(fresh)

    @entrypoint(checkpointer=saver)
    async def main(_: str) -> list[int]:
        async def call(x: int) -> int:
            return await work(x)

        async with asyncio.TaskGroup() as group:
            made = [group.create_task(call(x)) for x in range(3)]
        return [each.result() for each in made]

    with pytest.raises(ExceptionGroup):
        asyncio.run(main.ainvoke("x", thread()))
    broken[0] = False

    assert len(asyncio.run(main.ainvoke(None, thread()))) == 3


def test_an_error_replays_with_its_type_arguments_and_cause(saver: RedisSaver) -> None:
    class OwnError(Exception):
        def __init__(self, code: int, text: str) -> None:
            super().__init__(code, text)
            self.code = code

    @task
    def fail() -> None:
        try:
            raise KeyError("cause")
        except KeyError as cause:
            raise OwnError(7, "text") from cause

    def program() -> list[Any]:
        try:
            fail().result()
        except OwnError as error:
            return [type(error), error.args, str(error), repr(error.__cause__)]
        return []

    first, second = run_both(saver, program)

    assert first == second == [OwnError, (7, "text"), "(7, 'text')", "KeyError('cause')"]


# -- values --------------------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = "red"


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass(frozen=True)
class Box:
    corner: Point
    colour: Colour
    tags: frozenset[str]


class Order(pydantic.BaseModel):
    id: uuid.UUID
    price: Decimal
    boxes: list[Box]


ORDER = Order(
    id=uuid.UUID(int=7),
    price=Decimal("1.10"),
    boxes=[Box(Point(1, 2), Colour.RED, frozenset({"a"}))],
)


@task
def make_order() -> Order:
    return ORDER


@task
def echo(value: Any) -> Any:
    return value


VALUES: list[Any] = [
    None,
    False,
    0,
    "",
    (),
    (1, ("two", [3])),
    {1: "a", (2, 3): "b"},
    {"~tag": 1},
    {1, 2},
    b"\x00\xff",
    float("inf"),
    2**100,
    "\ud800 lone",
    "line\nbreak \u2028 ü",
    datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.UTC),
    datetime.timedelta(days=-1, microseconds=1),
    PurePosixPath("/a/b"),
    [{"deep": [{"er": ({"est"},)}]}],
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:30])
def test_a_value_is_the_same_in_the_first_attempt_and_after(saver: RedisSaver, value: Any) -> None:
    first, second = run_both(saver, lambda: [echo(value).result()])

    assert first == second == [value]
    assert type(first[0]) is type(second[0]) is type(value)


def test_models_come_back_as_what_the_annotation_says(saver: RedisSaver) -> None:
    first, second = run_both(saver, lambda: [make_order().result()])

    assert first == second == [ORDER]
    assert type(second[0].boxes[0].corner) is Point


def test_values_of_inputs_and_of_previous_keep_their_types(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: Any, *, previous: Any = None) -> Any:
        interrupt("?")
        return entrypoint.final(value=(x, previous), save=(x, {1, 2}))

    main.invoke(("a", 1), thread())
    assert main.invoke(Command(resume=0), thread()) == (("a", 1), None)
    main.invoke(("b",), thread())
    assert main.invoke(Command(resume=0), thread()) == (("b",), (("a", 1), {1, 2}))


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_a_result_that_cannot_be_written_fails_at_its_step(
    saver: RedisSaver, durability: Any
) -> None:
    @task
    def bad() -> Any:
        return {"a": [1, object()]}

    @entrypoint(checkpointer=saver)
    def main(_: str) -> str:
        try:
            bad().result()
        except CodecError as error:
            return str(error)
        return "not refused"

    said = main.invoke("x", thread(), durability=durability)

    assert "bad:0" in said
    assert "$.a[1]" in said
    assert "object" in said


def test_a_result_of_the_run_that_cannot_be_written_fails_the_run(saver: RedisSaver) -> None:
    bad = [True]

    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        return object() if bad[0] else "fine"

    with pytest.raises(CodecError, match="result of the run"):
        main.invoke("x", thread())
    bad[0] = False

    assert main.invoke(None, thread()) == "fine"


def test_an_input_that_cannot_be_written_is_refused_and_leaves_nothing(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(_: Any) -> str:
        return "ran"

    with pytest.raises(CodecError, match="input"):
        main.invoke(object(), thread())
    assert keys(saver, "penstock:run*") == []
    assert main.invoke("x", thread()) == "ran"


def test_without_a_checkpointer_nothing_needs_to_be_written() -> None:
    thing = object()

    @entrypoint()
    def main(x: Any) -> Any:
        return echo(x).result()

    assert main.invoke(thing) is thing


def test_a_value_over_the_limit_names_its_step() -> None:
    saver = InMemorySaver(settings=Settings(value_limit=1000))

    @entrypoint(checkpointer=saver)
    def main(_: str) -> str:
        assert echo("x" * 900).result()
        try:
            echo("y" * 500).result()
            make_long(1001).result()
        except CodecError as error:
            return str(error)
        return "not refused"

    @task
    def make_long(size: int) -> str:
        return "z" * size

    said = main.invoke("x", thread())

    assert "make_long:0" in said
    assert "limit" in said


# -- tries in process ----------------------------------------------------------------------------

AGAIN = RetryPolicy(max_attempts=3, initial_interval=0, jitter=False, retry_on=Exception)


def test_a_body_tried_again_reuses_its_finished_steps(any_saver: RedisSaver | None) -> None:
    calls = Calls()

    @task
    def work(x: int) -> int:
        calls(x)
        return next(fresh)

    @entrypoint(checkpointer=any_saver, retry_policy=AGAIN)
    def main(_: str) -> list[int]:
        calls("body")
        seen.append([work(1).result(), work(2).result()])
        if calls.count("body") < 3:
            raise TroubleError
        return seen[-1]

    seen: list[list[int]] = []

    result = main.invoke("x", thread())

    if any_saver is not None:
        assert seen == [result] * 3
        assert calls.made == ["body", 1, 2, "body", "body"]


def test_a_task_tried_again_reuses_its_finished_steps(saver: RedisSaver) -> None:
    calls = Calls()

    @task
    def leaf() -> int:
        calls("leaf")
        return next(fresh)

    @task(retry_policy=AGAIN)
    def parent() -> int:
        drawn = leaf().result()
        calls(drawn)
        if len(set(calls.made)) and calls.count(drawn) < 3:
            raise TroubleError
        return drawn

    @entrypoint(checkpointer=saver)
    def main(_: str) -> int:
        return parent().result()

    assert main.invoke("x", thread()) == calls.made[1]
    assert calls.count("leaf") == 1


def test_a_body_tried_again_keeps_the_answers_it_has(saver: RedisSaver) -> None:
    bodies = Calls()

    @entrypoint(checkpointer=saver, retry_policy=AGAIN)
    def main(_: str) -> Any:
        answer = interrupt("?")
        bodies("after")
        if bodies.count("after") < 2:
            raise TroubleError
        return answer

    assert asked(main.invoke("x", thread())) == ["?"]
    assert main.invoke(Command(resume="a"), thread()) == "a"
    assert len(bodies.made) == 2


def test_the_retry_policy_of_the_body_is_not_that_of_its_tasks(
    any_saver: RedisSaver | None,
) -> None:
    calls = Calls()

    @task
    def fail() -> None:
        calls("fail")
        raise TroubleError

    @entrypoint(checkpointer=any_saver, retry_policy=AGAIN)
    def main(_: str) -> None:
        fail().result()

    with pytest.raises(TroubleError):
        main.invoke("x", thread())
    assert len(calls.made) == 3


def test_changed_arguments_within_a_try_are_a_replay_error_too(saver: RedisSaver) -> None:
    tries = Calls()

    @entrypoint(
        checkpointer=saver,
        retry_policy=RetryPolicy(
            max_attempts=2, initial_interval=0, jitter=False, retry_on=TroubleError
        ),
    )
    def main(_: str) -> Any:
        tries("try")
        got = echo(len(tries.made)).result()
        if len(tries.made) == 1:
            raise TroubleError
        return got

    with pytest.raises(ReplayError):
        main.invoke("x", thread())


def test_a_value_that_could_not_be_written_is_not_reused_by_the_next_try(
    saver: RedisSaver,
) -> None:
    calls = Calls()

    @task
    def make() -> Any:
        calls("make")
        return object()

    @entrypoint(checkpointer=saver, retry_policy=AGAIN)
    def main(_: str) -> None:
        make().result()

    with pytest.raises(CodecError):
        main.invoke("x", thread())
    assert len(calls.made) == 3


def test_a_step_knows_an_id_that_is_the_same_whenever_it_is_executed_again(
    saver: RedisSaver,
) -> None:
    keys: list[str] = []

    @task
    def charge() -> None:
        keys.append(get_runtime().step_id)
        if len(keys) < 3:
            raise TroubleError

    @entrypoint(checkpointer=saver)
    def main(_: str) -> None:
        charge().result()

    for value in ("x", None):
        with pytest.raises(TroubleError):
            main.invoke(value, thread())
    main.invoke(None, thread())
    main.invoke("y", thread())

    assert len(set(keys[:3])) == 1
    assert len(set(keys)) == 2


# -- nested entrypoints --------------------------------------------------------------------------


def test_the_finished_tasks_of_a_nested_entrypoint_are_reused(saver: RedisSaver) -> None:
    calls = Calls()
    broken = [True]

    @task
    def work(x: str) -> str:
        calls(x)
        return x

    @entrypoint()
    def child(x: str) -> str:
        done = work(f"{x}1").result()
        if broken[0]:
            raise TroubleError
        return done + work(f"{x}2").result()

    @task
    def in_task(x: str) -> str:
        return child.invoke(x)

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[str]:
        return [in_task("a").result(), child.invoke("b")]

    with pytest.raises(TroubleError):
        main.invoke("x", thread())
    broken[0] = False

    assert main.invoke(None, thread()) == ["a1a2", "b1b2"]
    assert calls.made == ["a1", "a2", "b1", "b2"]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_entrypoints_in_entrypoints_in_entrypoints(any_saver: RedisSaver | None, kind: str) -> None:
    @entrypoint()
    def down(level: int) -> int:
        return 0 if level == 0 else 1 + down.invoke(level - 1)

    @entrypoint()
    async def adown(level: int) -> int:
        return 0 if level == 0 else 1 + await adown.ainvoke(level - 1)

    @entrypoint(checkpointer=any_saver)
    def main(level: int) -> int:
        return down.invoke(level)

    @entrypoint(checkpointer=any_saver)
    async def amain(level: int) -> int:
        return int(await adown.ainvoke(level))

    if kind == "sync":
        assert main.invoke(20, thread()) == 20
    else:
        assert asyncio.run(amain.ainvoke(20, thread())) == 20


def test_the_error_of_a_nested_entrypoint_can_be_caught(any_saver: RedisSaver | None) -> None:
    @entrypoint()
    def child(x: int) -> int:
        if x == 1:
            raise TroubleError(x)
        return x

    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> list[Any]:
        done: list[Any] = []
        for x in range(3):
            try:
                done.append(child.invoke(x))
            except TroubleError:
                done.append("caught")
        return done

    assert main.invoke("x", thread()) == [0, "caught", 2]


def test_a_nested_final_gives_its_value(any_saver: RedisSaver | None) -> None:
    @entrypoint()
    def child(x: int) -> Any:
        return entrypoint.final(value=x, save="saved")

    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> Any:
        return child.invoke(x)

    assert main.invoke(1, thread()) == 1


def test_an_async_child_is_refused_by_the_sync_call(any_saver: RedisSaver | None) -> None:
    @entrypoint()
    async def child(x: int) -> int:
        return x

    @entrypoint(checkpointer=any_saver)
    def main(x: int) -> Any:
        return child.invoke(x)

    with pytest.raises(TypeError, match="No synchronous function provided"):
        main.invoke(1, thread())


def test_a_child_on_a_thread_of_its_own_is_a_run_of_its_own(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def child(x: int, *, previous: Any = None) -> Any:
        return [x, previous]

    @entrypoint(checkpointer=saver)
    def main(x: int) -> Any:
        return child.invoke(x, thread("child"))

    assert main.invoke(1, thread()) == [1, None]
    assert main.invoke(2, thread()) == [2, [1, None]]
    assert child.invoke(None, thread("child")) == [2, [1, None]]
