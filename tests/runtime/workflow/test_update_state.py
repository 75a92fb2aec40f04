"""Changing the state of a thread between its runs."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest

from penstock.publisher.errors import CodecError
from penstock.publisher.subscribe import subscribe
from penstock.runtime import Command, RedisSaver, entrypoint, interrupt, task
from penstock.runtime.errors import (
    ConfigurationError,
    EmptyInputError,
    InvalidUpdateError,
    ResumeError,
    ThreadBusyError,
    UnknownCheckpointError,
)
from penstock.runtime.types.state import StateUpdate
from tests.runtime.flows import Calls, in_background
from tests.runtime.hands import Hands, line, number, told


@pytest.fixture(params=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "async")


def chain(saver: RedisSaver, is_async: bool = False, made: Calls | None = None) -> Hands:
    """Appends its input to what the thread has; -1 fails, 0 asks."""
    calls = made or Calls()

    @task
    def work(x: int) -> int:
        calls("work")
        return x

    @entrypoint(checkpointer=saver)
    def main(x: int, *, previous: list[Any] | None = None) -> Any:
        calls("main")
        done = work(x).result()
        if x == -1:
            raise ValueError("no")
        return [*(previous or []), interrupt("?") if x == 0 else done]

    return Hands(main, is_async)


def test_an_update_is_as_if_the_entrypoint_had_returned_it(
    saver: RedisSaver, is_async: bool
) -> None:
    hands = chain(saver, is_async)
    hands.invoke(1)

    made = hands.update(["changed"])

    state = hands.state()
    assert made == number(state) == "3"
    assert (state.values, state.next) == (["changed"], ())
    assert (told(state, "source"), told(state, "step")) == ("update", 1)
    assert hands.invoke(None) == ["changed"]
    assert hands.invoke(2) == ["changed", 2]


def test_an_update_begins_a_fresh_thread(saver: RedisSaver, is_async: bool) -> None:
    hands = chain(saver, is_async)

    hands.update(["first"], metadata={"user": "ann"})

    assert line(hands.history()) == [("1", "update", 0)]
    assert told(hands.state(), "user") == "ann"
    assert hands.state().parent_config is None
    assert hands.invoke(1) == ["first", 1]
    assert line(hands.history())[1:] == [("2", "input", 1), ("3", "loop", 2)]


def test_an_update_may_say_what_is_shown_and_what_is_saved(saver: RedisSaver) -> None:
    hands = chain(saver)

    hands.update(entrypoint.final(value="shown", save=["saved"]))

    assert hands.state().values == "shown"
    assert hands.invoke(1) == ["saved", 1]
    assert hands.state("1").values == "shown"


def test_none_is_a_value_like_any_other(saver: RedisSaver) -> None:
    hands = chain(saver)
    hands.invoke(1)

    hands.update(None)

    assert hands.state().values is None
    assert hands.invoke(None) is None
    assert hands.invoke(2) == [2]


@pytest.mark.parametrize("pending", [0, -1])
def test_an_update_completes_a_run_that_waits_or_failed(
    saver: RedisSaver, is_async: bool, pending: int
) -> None:
    calls = Calls()
    hands = chain(saver, is_async, calls)
    try:
        hands.invoke(pending)
    except ValueError:
        pass
    run_id = hands.state().run_id

    hands.update(["given"])

    assert (hands.state().next, hands.state().values) == ((), ["given"])
    assert hands.state().run_id == run_id
    assert line(hands.history()) == [("1", "input", -1), ("2", "update", 0)]
    run = saver.do(saver.plans.info(run_id))
    assert run.status == "completed"
    assert saver.do(saver.plans.outcome(run)) == ["given"]
    with pytest.raises(ResumeError, match="no run that waits"):
        hands.invoke(Command(resume="late"))
    assert hands.invoke(None) == ["given"]
    assert calls.count("main") == 1
    assert hands.invoke(5) == ["given", 5]


def test_readers_of_a_completed_run_get_its_end(redis_saver: RedisSaver) -> None:
    hands = chain(redis_saver)
    hands.invoke(0)
    run_id = hands.state().run_id
    connection = redis_saver.connection

    def read() -> Any:
        with subscribe(run_id, connection=connection, codec=redis_saver.codec) as events:
            return [(event.mode, event.data) for event in events][-1]

    reading = in_background(read)
    hands.update({"big": "x" * 100_000})

    expected = {
        "name": "main",
        "status": "completed",
        "checkpoint": {"id": "2", "parent": "1", "step": 0, "source": "update"},
        "outcome": {"value": {"big": "x" * 100_000}},
    }
    assert reading.result(10) == ("run.finished", expected)
    assert read() == ("run.finished", expected)


def test_an_update_of_a_thread_at_work_is_refused(saver: RedisSaver) -> None:
    begun, go = threading.Event(), threading.Event()

    @entrypoint(checkpointer=saver)
    def main(x: int) -> int:
        begun.set()
        go.wait(10)
        return x

    hands = Hands(main, False)
    running = in_background(lambda: hands.invoke(1))
    begun.wait(10)

    with pytest.raises(ThreadBusyError, match="busy"):
        hands.update(2)
    with pytest.raises(ThreadBusyError):
        hands.update(None, "__copy__")
    with pytest.raises(ThreadBusyError):
        hands.update(3, "__input__")
    go.set()

    assert running.result(10) == 1
    assert len(hands.history()) == 2


def test_a_thread_without_checkpoints_has_none_to_copy(saver: RedisSaver) -> None:
    with pytest.raises(UnknownCheckpointError, match="nothing ever ran on it"):
        chain(saver).update(None, "__copy__")


def test_the_entrypoint_may_be_named_and_nothing_else(saver: RedisSaver) -> None:
    hands = chain(saver)

    hands.update([1], "main")
    for unknown in ("other", "", "__start__"):
        with pytest.raises(InvalidUpdateError, match="__copy__"):
            hands.update([2], unknown)
    with pytest.raises(InvalidUpdateError, match="__end__"):
        hands.update([2], "__end__")

    assert hands.state().values == [1]


def test_the_end_with_none_cancels_what_is_pending(saver: RedisSaver, is_async: bool) -> None:
    hands = chain(saver, is_async)
    hands.invoke(7)
    hands.invoke(0)
    run_id = hands.state().run_id

    hands.update(None, "__end__")

    state = hands.state()
    assert (state.next, state.values, told(state, "source")) == ((), [7], "update")
    assert saver.do(saver.plans.info(run_id)).status == "cancelled"
    assert hands.invoke(None) == [7]
    with pytest.raises(ResumeError):
        saver.do(saver.threads.resume("t", "answer"))


def test_the_end_with_none_gives_up_a_failed_run(saver: RedisSaver) -> None:
    hands = chain(saver)
    with pytest.raises(ValueError, match="no"):
        hands.invoke(-1)

    hands.update(None, "__end__")

    assert hands.state().next == ()
    with pytest.raises(EmptyInputError):
        hands.invoke(None)
    assert hands.invoke(1) == [1]


def test_an_input_is_stored_and_runs_with_none(saver: RedisSaver, is_async: bool) -> None:
    calls = Calls()
    hands = chain(saver, is_async, calls)
    hands.invoke(1)

    made = hands.update(2, "__input__", metadata={"user": "ann"})

    state = hands.state()
    assert (number(state), told(state, "source"), state.next) == (made, "input", ("main",))
    assert told(state, "user") == "ann"
    assert calls.count("main") == 1
    assert hands.invoke(None) == [1, 2]
    assert line(hands.history())[2:] == [("3", "input", 1), ("4", "loop", 2)]
    with pytest.raises(InvalidUpdateError):
        hands.update(None, "__input__")


def test_newer_input_takes_the_place_of_a_stored_one(saver: RedisSaver) -> None:
    hands = chain(saver)
    hands.update(2, "__input__")

    assert hands.invoke(3) == [3]
    assert hands.invoke(None) == [3]


def test_a_copy_is_a_fork_of_the_checkpoint(saver: RedisSaver) -> None:
    hands = chain(saver)
    hands.invoke(1)
    hands.invoke(2)

    hands.update("not looked at", "__copy__")
    assert hands.state().values == [1, 2]
    hands.update(None, "__copy__", checkpoint=2)

    assert hands.state().values == [1]
    assert line(hands.history())[4:] == [("5", "fork", 3), ("6", "fork", 1)]
    assert hands.state().parent_config == hands.state(2).config
    assert hands.invoke(3) == [1, 3]


def test_an_update_of_an_old_checkpoint_goes_on_from_there(
    saver: RedisSaver, is_async: bool
) -> None:
    hands = chain(saver, is_async)
    hands.invoke(1)
    hands.invoke(0)
    run_id = hands.state().run_id

    hands.update(["other"], checkpoint=2)

    state = hands.state()
    assert (number(state), state.values, told(state, "step")) == ("4", ["other"], 1)
    assert state.parent_config == hands.state(2).config
    assert saver.do(saver.plans.info(run_id)).status == "cancelled"
    with pytest.raises(UnknownCheckpointError, match="'99'"):
        hands.update([], checkpoint=99)
    with pytest.raises(UnknownCheckpointError, match="'x'"):
        hands.update([], checkpoint="x")


def test_many_updates_make_a_checkpoint_each(saver: RedisSaver, is_async: bool) -> None:
    hands = chain(saver, is_async)
    hands.invoke(0)

    made = hands.bulk(
        [[StateUpdate(["a"])], [StateUpdate(["b"], "main")], [StateUpdate(9, "__input__")]]
    )

    assert line(hands.history()) == [
        ("1", "input", -1),
        ("2", "update", 0),
        ("3", "update", 1),
        ("4", "input", 2),
    ]
    assert made == "4"
    assert hands.invoke(None) == ["b", 9]


def test_no_update_and_a_bad_one_change_nothing(saver: RedisSaver, is_async: bool) -> None:
    hands = chain(saver, is_async)

    no_updates: list[list[StateUpdate]] = []
    for nothing in (no_updates, [no_updates]):
        with pytest.raises(ValueError, match="update") as caught:
            hands.bulk(nothing)
        assert isinstance(caught.value, ConfigurationError)
    with pytest.raises(InvalidUpdateError, match="one result"):
        hands.bulk([[StateUpdate(1), StateUpdate(2)]])
    with pytest.raises(InvalidUpdateError, match="nobody"):
        hands.bulk([[StateUpdate(1)], [StateUpdate(2, "nobody")]])
    with pytest.raises(CodecError):
        hands.update(object())

    assert hands.history() == []


def test_many_updates_at_once_leave_one_line_of_checkpoints(redis_saver: RedisSaver) -> None:
    hands = chain(redis_saver)

    jobs = [in_background(partial(hands.update, [at])) for at in range(20)]
    made = sorted(int(job.result(10)) for job in jobs)

    assert made == list(range(1, 21))
    assert [int(number(state)) for state in hands.history()] == list(range(20, 0, -1))
