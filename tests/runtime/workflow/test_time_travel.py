"""Going on from an older checkpoint of a thread."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.runtime import Command, RedisSaver, entrypoint, interrupt, task
from penstock.runtime.errors import EmptyInputError, ResumeError, UnknownCheckpointError
from tests.runtime.flows import Calls
from tests.runtime.hands import Hands, line, number, told


@pytest.fixture(params=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "async")


def teller(saver: RedisSaver, is_async: bool, calls: Calls) -> Hands:
    """Tells a story: each run adds its input, asks about 0 and fails once about -1."""

    @task
    def work(x: int) -> int:
        calls("work")
        return x

    @task
    def shaky(x: int) -> int:
        calls("shaky")
        if x == -1 and calls.count("shaky") < 4:
            raise ValueError("no")
        return x

    @entrypoint(checkpointer=saver)
    def tell(x: int, *, previous: list[Any] | None = None) -> Any:
        done = work(x).result()
        shaky(x).result()
        return [*(previous or []), interrupt("?") if x == 0 else done]

    return Hands(tell, is_async)


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def hands(saver: RedisSaver, is_async: bool, calls: Calls) -> Hands:
    """A thread with two runs, of the inputs 1 and 2."""
    hands = teller(saver, is_async, calls)
    hands.invoke(1)
    hands.invoke(2)
    return hands


def test_new_input_goes_on_from_an_old_result(hands: Hands) -> None:
    assert hands.invoke(9, checkpoint=2) == [1, 9]

    assert line(hands.history())[4:] == [("5", "fork", 1), ("6", "input", 2), ("7", "loop", 3)]
    assert hands.state(5).parent_config == hands.state(2).config
    assert hands.invoke(10) == [1, 9, 10]


def test_new_input_goes_on_from_the_state_that_an_old_input_found(hands: Hands) -> None:
    assert hands.invoke(9, checkpoint=3) == [1, 9]
    assert hands.invoke(8, checkpoint=1) == [8]


def test_none_with_an_old_input_runs_it_again_with_all_its_steps(
    hands: Hands, calls: Calls
) -> None:
    hands.invoke(3)

    assert hands.invoke(None, checkpoint=3) == [1, 2]

    assert calls.count("work") == 4
    fork, repeated = hands.state(7), hands.state(8)
    assert (told(fork, "source"), fork.values) == ("fork", [1])
    assert fork.parent_config == hands.state(3).config
    assert repeated.run_id not in ("", hands.state(3).run_id)
    assert hands.invoke(4) == [1, 2, 4]


def test_interrupts_of_a_repeated_run_fire_again(hands: Hands) -> None:
    hands.invoke(0)
    old = hands.state().interrupts
    hands.invoke(Command(resume="yes"))

    asked = hands.invoke(None, checkpoint=5)["__interrupt__"]

    assert asked[0].value == "?"
    assert asked[0].id != old[0].id
    assert hands.invoke(Command(resume="no")) == [1, 2, "no"]


def test_none_with_an_old_result_runs_nothing_and_makes_it_the_head(
    hands: Hands, calls: Calls
) -> None:
    assert hands.invoke(None, checkpoint=2) == [1]

    assert calls.count("work") == 2
    state = hands.state()
    assert (number(state), state.values, state.next) == ("5", [1], ())
    assert told(state, "source") == "fork"
    assert hands.invoke(None) == [1]
    assert hands.invoke(3) == [1, 3]


def test_what_waits_is_given_up_when_the_thread_goes_on_from_elsewhere(
    hands: Hands, saver: RedisSaver
) -> None:
    hands.invoke(0)
    waiting = hands.state().run_id

    hands.invoke(None, checkpoint=2)

    assert saver.do(saver.plans.info(waiting)).status == "cancelled"
    assert hands.state().next == ()
    with pytest.raises(ResumeError, match="no run that waits"):
        hands.invoke(Command(resume="late"))
    assert hands.invoke(None) == [1]


def test_the_head_by_its_id_is_the_head(hands: Hands, calls: Calls) -> None:
    hands.invoke(0)
    head = number(hands.state())

    assert hands.invoke(Command(resume="yes"), checkpoint=head) == [1, 2, "yes"]
    assert calls.count("work") == 3
    head = number(hands.state())
    assert hands.invoke(None, checkpoint=head) == [1, 2, "yes"]
    assert hands.invoke(5, checkpoint=head) == [1, 2, "yes", 5]
    assert [told(state, "source") for state in hands.history()].count("fork") == 0


def test_a_failed_head_by_its_id_goes_on_where_it_failed(hands: Hands, calls: Calls) -> None:
    with pytest.raises(ValueError, match="no"):
        hands.invoke(-1)
    head = number(hands.state())

    assert hands.invoke(None, checkpoint=head) == [1, 2, -1]

    assert calls.count("work") == 3


def test_an_answer_to_an_old_checkpoint_says_why_not(hands: Hands) -> None:
    hands.invoke(0)

    with pytest.raises(ResumeError, match="not the newest"):
        hands.invoke(Command(resume="yes"), checkpoint=3)

    assert len(hands.state().interrupts) == 1


@pytest.mark.parametrize("unknown", ["99", "x", "0", "³"])
def test_an_unknown_checkpoint_is_no_place_to_go_on_from(hands: Hands, unknown: str) -> None:
    with pytest.raises(EmptyInputError, match="no checkpoint"):
        hands.invoke(None, checkpoint=unknown)
    with pytest.raises(UnknownCheckpointError, match="no checkpoint"):
        hands.invoke(1, checkpoint=unknown)

    assert len(hands.history()) == 4


def test_an_input_whose_run_is_no_longer_kept_cannot_run_again(
    hands: Hands, saver: RedisSaver
) -> None:
    saver.connection.delete(saver.calls.keys.checkpoints(hands.state(1).run_id))

    with pytest.raises(EmptyInputError, match="retention"):
        hands.invoke(None, checkpoint=1)

    assert hands.invoke(None, checkpoint=2) == [1]


def test_a_thread_outlives_its_runs(hands: Hands, saver: RedisSaver) -> None:
    for state in hands.history():
        for kind in (saver.calls.keys.run, saver.calls.keys.checkpoints):
            saver.connection.delete(kind(state.run_id))

    assert hands.state().values == [1, 2]
    assert hands.invoke(None) == [1, 2]
    assert [one.result for one in hands.state(3).tasks] == [None]
    assert hands.invoke(3) == [1, 2, 3]


def test_another_entrypoint_does_not_run_the_input_again(hands: Hands, saver: RedisSaver) -> None:
    @entrypoint(checkpointer=saver)
    def other(x: int) -> int:
        return x

    with pytest.raises(ResumeError, match="'tell'"):
        other.invoke(None, hands.config(checkpoint=1))


def test_a_repeated_run_may_be_streamed(hands: Hands) -> None:
    config = hands.config(checkpoint=3)

    chunks = list(hands.flow.stream(None, config, stream_mode=["updates", "checkpoints"]))

    assert [chunk for mode, chunk in chunks if mode == "updates"][-1] == {"tell": [1, 2]}
    numbers = [
        chunk["config"]["configurable"]["checkpoint_id"]
        for mode, chunk in chunks
        if mode == "checkpoints"
    ]
    assert numbers == ["6", "7"]
