"""Declarations, and what they refuse."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from penstock.runtime import (
    InMemorySaver,
    RedisSaver,
    RetryPolicy,
    entrypoint,
    get_config,
    get_runtime,
    get_store,
    task,
)
from penstock.runtime.errors import ConfigurationError, InputError, PenstockError
from tests.runtime.flows import thread


def generator(_: int) -> Iterator[int]:
    yield 1


async def async_generator(_: int) -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [generator, async_generator])
@pytest.mark.parametrize("declare", [task, entrypoint()])
def test_functions_that_yield_are_refused(declare: Any, function: Any) -> None:
    with pytest.raises(ConfigurationError, match="generator"):
        declare(function)


def test_an_entrypoint_needs_an_input_parameter() -> None:
    def main() -> None: ...

    with pytest.raises(ConfigurationError, match="at least one parameter"):
        entrypoint()(main)


@pytest.mark.parametrize("policy", ["3", [1], object(), 2.5])
def test_a_retry_policy_of_a_wrong_kind_is_refused(policy: Any) -> None:
    with pytest.raises((ConfigurationError, TypeError)):
        task(lambda: None, retry_policy=policy)


def test_the_three_spellings_of_a_task_are_equal() -> None:
    def work(x: int) -> int:
        """Work."""
        return x

    made = [task(work), task()(work), task(work, name="work")]

    for each in made:
        assert (each.name, each.__name__, each.__doc__) == ("work", "work", "Work.")
        assert each.func is work
        assert inspect.unwrap(each) is work


def test_an_entrypoint_is_not_called_directly() -> None:
    @entrypoint()
    def main(x: int) -> int:
        return x

    with pytest.raises(TypeError, match="invoke"):
        main(1)


def test_an_entrypoint_may_have_another_name_than_its_function(
    any_saver: RedisSaver | None,
) -> None:
    @entrypoint(checkpointer=any_saver, name="the name")
    def main(x: int) -> int:
        return x

    assert list(main.stream(1, thread())) == [{"the name": 1}]


def test_an_input_is_checked_against_the_annotation() -> None:
    @entrypoint()
    def main(order: dict[str, int]) -> Any:
        return order

    assert main.accept({"a": "3"}) == {"a": 3}
    with pytest.raises(InputError, match="valid integer") as caught:
        main.accept({"a": "x"})
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, PenstockError)


# -- injection -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_parameters_are_filled_in_by_name(saver: RedisSaver, kind: str) -> None:
    @task
    def look(x: int, *, config: Any, writer: Any, store: Any, previous: Any, runtime: Any) -> Any:
        assert callable(writer)
        info = runtime.execution_info
        told = [info.run_id, info.step_id, info.step_attempt, info.attempt]
        return [x, config["configurable"]["thread_id"], store, previous, told]

    @entrypoint(checkpointer=saver)
    def main(x: int, *, config: Any, runtime: Any) -> Any:
        call: Any = look
        *found, told = call(x).result()
        assert config["configurable"]["run_id"] == runtime.execution_info.run_id
        assert told == [runtime.execution_info.run_id, "look:0", 1, 1]
        return found

    main_: Any = main
    if kind == "sync":
        assert main_.invoke(1, thread("t")) == [1, "t", None, None]
    else:
        assert asyncio.run(main_.ainvoke(1, thread("t"))) == [1, "t", None, None]


def test_what_the_caller_gives_is_not_filled_in(any_saver: RedisSaver | None) -> None:
    @task
    def look(previous: Any = None, store: Any = None, *, config: Any = None) -> Any:
        return [previous, store, config]

    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> Any:
        return [
            look("mine", "own").result()[:2],
            look(previous="mine", config="own").result(),
            look(config=None).result(),
        ]

    assert main.invoke("x", thread()) == [
        ["mine", "own"],
        ["mine", None, "own"],
        [None, None, None],
    ]


def test_config_of_the_caller_reaches_the_code(any_saver: RedisSaver | None) -> None:
    @task
    def look() -> Any:
        return get_config()

    @entrypoint(checkpointer=any_saver)
    def main(_: str) -> Any:
        config = look().result()
        return [config["configurable"]["user"], config["tags"], config["configurable"]["thread_id"]]

    config = {"configurable": {"thread_id": "t", "user": "u"}, "tags": ["a"]}
    assert main.invoke("x", config) == ["u", ["a"], "t"]


def test_context_and_store_reach_the_code_and_the_nested_entrypoint() -> None:
    store = object()

    @entrypoint()
    def child(_: str) -> Any:
        return [get_runtime().context, get_store() is store]

    @entrypoint(store=store)
    def main(x: str) -> Any:
        return [get_runtime().context, get_store() is store, *child.invoke(x)]

    assert main.invoke("x", context={"user": 1}) == [{"user": 1}, True] * 2


def test_a_store_that_is_not_there_is_none() -> None:
    @entrypoint()
    def main(_: str) -> Any:
        return get_store()

    assert main.invoke("x") is None


# -- forms of bodies -----------------------------------------------------------------------------


def test_a_method_a_partial_and_an_instance_can_be_entrypoints() -> None:
    class Flow:
        def __init__(self, by: int) -> None:
            self.by = by

        def run(self, x: int) -> int:
            return x * self.by

    def scale(by: int, x: int) -> int:
        return by * x

    assert entrypoint()(Flow(3).run).invoke(2) == 6
    assert entrypoint(name="part")(functools.partial(scale, 4)).invoke(2) == 8


def test_a_retry_policy_may_be_a_number_of_attempts() -> None:
    tries: list[int] = []

    @task(retry_policy=[RetryPolicy(initial_interval=0, jitter=False, max_attempts=2)])
    def flaky() -> int:
        tries.append(1)
        if len(tries) < 2:
            raise ConnectionError
        return len(tries)

    @entrypoint(checkpointer=InMemorySaver())
    def main(_: str) -> int:
        return flaky().result()

    assert main.invoke("x", thread()) == 2
