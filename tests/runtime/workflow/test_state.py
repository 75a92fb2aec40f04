"""What a thread's state shows, now and at each of its checkpoints."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
import redis

from penstock.publisher.errors import ConfigurationError
from penstock.runtime import Command, RedisSaver, entrypoint, interrupt, task
from penstock.runtime.settings import Settings
from penstock.runtime.types.state import StateSnapshot, StateTask
from tests.runtime.flows import in_background, keys
from tests.runtime.hands import Hands, line, number, told
from tests.support.server import RedisServer


@task
def double(x: int) -> int:
    return 2 * x


@task
def ask(question: str) -> Any:
    return interrupt(question)


@task
def fail(message: str) -> None:
    raise ValueError(message)


@pytest.fixture(params=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "async")


def adder(saver: RedisSaver | None, is_async: bool = False) -> Hands:
    """Adds to what the thread has; shows the sum and saves it as a dict."""

    @entrypoint(checkpointer=saver)
    def add(x: int, *, previous: dict[str, int] | None = None) -> Any:
        total = double(x).result() + (previous or {"sum": 0})["sum"]
        return entrypoint.final(value=total, save={"sum": total})

    return Hands(add, is_async)


def test_a_thread_that_nobody_knows_has_an_empty_state(saver: RedisSaver, is_async: bool) -> None:
    hands = adder(saver, is_async)

    expected = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    assert hands.state() == StateSnapshot(values={}, next=(), config=expected)
    assert hands.history() == []


@pytest.mark.parametrize("unknown", ["7", "0", "-1", "x", "1.0", "٣", "1" * 40])
def test_a_checkpoint_that_nobody_knows_has_an_empty_state(saver: RedisSaver, unknown: str) -> None:
    hands = adder(saver)
    hands.invoke(1)

    state = hands.state(unknown)

    assert (state.values, state.next, state.tasks) == ({}, (), ())
    assert number(state) == unknown


def test_a_run_makes_two_checkpoints_and_the_newest_comes_first(
    saver: RedisSaver, is_async: bool
) -> None:
    hands = adder(saver, is_async)
    hands.invoke(1)
    hands.invoke(2)

    states = hands.history()

    assert line(states) == [
        ("1", "input", -1),
        ("2", "loop", 0),
        ("3", "input", 1),
        ("4", "loop", 2),
    ]
    assert [state.values for state in states] == [6, 2, 2, None]
    assert [state.next for state in states] == [(), ("add",), (), ("add",)]
    assert hands.state() == states[0]
    assert [hands.state(number(state)) for state in states] == states


def test_each_state_names_itself_its_parent_and_its_time(saver: RedisSaver) -> None:
    hands = adder(saver)
    hands.invoke(1)

    newest, oldest = hands.history()

    place = {"thread_id": "t", "checkpoint_ns": ""}
    assert newest.config == {"configurable": place | {"checkpoint_id": "2"}}
    assert newest.parent_config == {"configurable": place | {"checkpoint_id": "1"}}
    assert oldest.parent_config is None
    assert newest.created_at is not None and oldest.created_at is not None
    times = [datetime.fromisoformat(each) for each in (oldest.created_at, newest.created_at)]
    assert times == sorted(times)
    assert times[0].tzinfo is not None
    assert newest.run_id == oldest.run_id != ""


def test_the_values_are_the_result_and_the_next_run_gets_what_was_saved(saver: RedisSaver) -> None:
    hands = adder(saver)
    hands.invoke(1)

    assert hands.state().values == 2
    assert hands.invoke(10) == 22
    assert [state.values for state in hands.history()] == [22, 2, 2, None]


@pytest.mark.parametrize("falsy", [None, 0, "", False, [], {}])
def test_a_falsy_result_is_a_value_like_any_other(saver: RedisSaver, falsy: Any) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int) -> Any:
        return falsy

    hands = Hands(main, False)
    hands.invoke(1)
    hands.invoke(2)

    assert [state.values for state in hands.history()] == [falsy, falsy, falsy, None]
    assert type(hands.state().values) is type(falsy)


def test_an_interrupted_run_shows_what_is_asked_and_what_is_recorded(
    saver: RedisSaver, is_async: bool
) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int) -> Any:
        values = [double(number).result() for number in range(11)]
        return values, ask("fine?").result()

    hands = Hands(main, is_async)
    (asked,) = hands.invoke(1)["__interrupt__"]

    state = hands.state()

    assert state.next == ("main",)
    assert state.values is None
    assert state.interrupts == (asked,)
    body, asking, *steps = state.tasks
    assert body == StateTask(id="", name="main", interrupts=(asked,))
    assert asking == StateTask("ask:0", "ask", ("ask:0",), interrupts=(asked,))
    assert [(step.id, step.result) for step in steps] == [
        (f"double:{at}", 2 * at) for at in range(11)
    ]


def test_an_answered_question_is_gone_from_the_head_and_stays_in_the_past(
    saver: RedisSaver,
) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int) -> Any:
        return [interrupt("one"), interrupt("two")]

    hands = Hands(main, False)
    hands.invoke(1)

    hands.invoke(Command(resume="first"))
    assert [asked.value for asked in hands.state().interrupts] == ["two"]

    hands.invoke(Command(resume="second"))
    assert hands.state().interrupts == ()
    past = hands.state("1")
    assert {asked.value for asked in past.interrupts} == {"one", "two"}
    assert past.tasks[0].result == ["first", "second"]


def test_a_failed_run_shows_its_errors_as_text(saver: RedisSaver, is_async: bool) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int) -> Any:
        with suppress(ValueError):
            fail("caught").result()
        fail("not caught").result()

    hands = Hands(main, is_async)
    with pytest.raises(ValueError, match="not caught"):
        hands.invoke(1)

    state = hands.state()

    assert state.next == ("main",)
    body, caught = state.tasks
    assert body.error == "ValueError('not caught')"
    assert (caught.id, caught.error, caught.result) == ("fail:0", "ValueError('caught')", None)


def test_steps_of_nested_entrypoints_are_tasks_with_their_path(saver: RedisSaver) -> None:
    @entrypoint()
    def child(x: int) -> int:
        return double(x).result()

    @entrypoint(checkpointer=saver)
    def parent(x: int) -> Any:
        return child.invoke(x), interrupt("?")

    hands = Hands(parent, False)
    hands.invoke(4)

    tasks = {one.path: (one.name, one.result) for one in hands.state().tasks}

    assert tasks[("^child:0", "double:0")] == ("double", 8)
    assert tasks[("^child:0",)] == ("child", 8)


def test_a_run_at_work_shows_the_steps_that_it_has_recorded(redis_saver: RedisSaver) -> None:
    seen: list[StateSnapshot] = []

    @entrypoint(checkpointer=redis_saver)
    def main(x: int) -> int:
        first = double(x).result()
        seen.append(main.get_state({"configurable": {"thread_id": "t"}}))
        return first

    main.invoke(3, {"configurable": {"thread_id": "t"}}, durability="sync")

    assert seen[0].next == ("main",)
    assert [(one.id, one.result) for one in seen[0].tasks] == [("", None), ("double:0", 6)]


def test_a_cancelled_run_is_not_pending(saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int) -> Any:
        return interrupt("?")

    hands = Hands(main, False)
    hands.invoke(1)

    saver.do(saver.plans.cancel(hands.state().run_id))

    assert hands.state().next == ()
    assert hands.state().interrupts == ()


def test_a_history_can_be_filtered_cut_and_begun_behind_a_checkpoint(
    saver: RedisSaver, is_async: bool
) -> None:
    hands = adder(saver, is_async)
    for count in range(30):
        hands.invoke(1, metadata={"half": count // 15})

    def numbers(**options: Any) -> list[int]:
        return [int(number(state)) for state in hands.history(**options)]

    assert numbers() == list(range(60, 0, -1))
    assert numbers(limit=3) == [60, 59, 58]
    assert numbers(limit=0) == []
    assert numbers(limit=25) == list(range(60, 35, -1))
    assert numbers(before="58", limit=2) == [57, 56]
    assert numbers(before=hands.config(3)) == [2, 1]
    assert numbers(before="1") == numbers(before="x") == []
    assert numbers(filter={"source": "input"}) == list(range(59, 0, -2))
    assert numbers(filter={"half": 0, "source": "loop"}, limit=2) == [30, 28]
    assert numbers(filter={"half": 2}) == []


def test_decide_18_secrets_of_the_configurable_never_reach_metadata(
    redis_saver: RedisSaver,
) -> None:
    hands = adder(redis_saver)
    config = hands.config(metadata={"user": "ann"})
    config["configurable"] |= {"api_key": "s3cret", "model": "m", "level": 3}

    hands.flow.invoke(1, config)
    hands.flow.update_state(config, 4)

    for state in hands.history():
        assert state.metadata is not None
        assert state.metadata.keys() == {"source", "step", "parents", "user"}
        assert state.metadata["user"] == "ann"
    for key in keys(redis_saver):
        assert b"s3cret" not in (redis_saver.connection.dump(key) or b"")


def test_metadata_of_the_caller_does_not_hide_what_penstock_says(saver: RedisSaver) -> None:
    hands = adder(saver)

    hands.invoke(1, metadata={"source": "me", "step": 99, "when": datetime(2026, 1, 1)})

    state = hands.state()
    assert (told(state, "source"), told(state, "step")) == ("loop", 0)
    assert told(state, "when") == datetime(2026, 1, 1)


def test_without_a_checkpointer_there_is_no_state(is_async: bool) -> None:
    hands = adder(None, is_async)

    for look in (hands.state, hands.history, lambda: hands.update(1), lambda: hands.bulk([])):
        with pytest.raises(ValueError, match="No checkpointer set") as caught:
            look()
        assert isinstance(caught.value, ConfigurationError)


@pytest.mark.parametrize("config", [{}, {"configurable": {}}, {"configurable": {"user": 1}}])
def test_a_config_without_a_thread_is_refused(saver: RedisSaver, config: Any) -> None:
    flow = adder(saver).flow

    with pytest.raises(ConfigurationError, match="thread_id"):
        flow.get_state(config)
    with pytest.raises(ConfigurationError, match="thread_id"):
        flow.get_state_history(config)
    with pytest.raises(ConfigurationError, match="thread_id"):
        flow.update_state(config, 1)


def test_old_checkpoints_are_trimmed_and_the_head_keeps_its_values(
    redis_server: RedisServer,
) -> None:
    with redis.Redis.from_url(redis_server.url) as connection:
        connection.flushall()
        hands = adder(RedisSaver(connection, settings=Settings(history=50)))
        for _ in range(150):
            hands.invoke(1)

        states = hands.history()

        # Of fifty that are kept the oldest is an input, and the result it builds on is not kept.
        assert [int(number(state)) for state in states] == list(range(300, 251, -1))
        assert states[0].values == 300
        assert all(state.values is not None for state in states)
        assert hands.state("1").values == {}
        assert hands.invoke(0) == 300


def test_a_state_can_be_read_while_runs_come_and_go(redis_saver: RedisSaver) -> None:
    hands = adder(redis_saver)
    work = in_background(lambda: [hands.invoke(1) for _ in range(30)])
    seen: list[StateSnapshot] = []

    while not work.done():
        seen.append(hands.state())

    work.result()
    for state in seen:
        if state.config["configurable"].get("checkpoint_id"):
            at = int(number(state))
            assert told(state, "step") == at - 2
            assert (state.values or 0) == at // 2 * 2
            assert state.next == (("add",) if at % 2 else ())
