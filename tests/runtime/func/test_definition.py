"""What `@task` and `@entrypoint` take, and what they refuse."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from penstock.runtime import (
    CachePolicy,
    InMemoryCache,
    InMemorySaver,
    RetryPolicy,
    TimeoutPolicy,
    entrypoint,
    task,
)
from penstock.runtime.deprecation import PenstockDeprecationWarning
from penstock.runtime.errors import ConfigurationError, PenstockError, WrongKindError
from tests.runtime.flows import Calls, thread
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

# -- older names ---------------------------------------------------------------------------------


def test_retry_is_now_called_retry_policy() -> None:
    def work() -> None: ...

    with pytest.warns(PenstockDeprecationWarning, match="retry_policy") as told:
        made = task(work, retry=RetryPolicy(max_attempts=7))
    with pytest.warns(DeprecationWarning, match="retry_policy"):
        flow = entrypoint(retry=7)(SAME)

    assert made.policies[0].max_attempts == flow.body.policies[0].max_attempts == 7
    assert told[0].filename == __file__


def test_config_schema_is_now_called_context_schema() -> None:
    with pytest.warns(PenstockDeprecationWarning, match="context_schema") as told:
        flow = entrypoint(config_schema=dict)(SAME)

    assert flow.context_schema is dict
    assert told[0].filename == __file__


def test_the_method_config_schema_warns_too() -> None:
    flow = entrypoint(context_schema=dict[str, int])(SAME)

    with pytest.warns(PenstockDeprecationWarning, match="get_context_jsonschema"):
        model = flow.config_schema()

    assert model.model_validate({"a": 1}).model_dump() == {"a": 1}


def test_of_an_old_and_a_new_name_the_new_one_counts() -> None:
    with pytest.warns(PenstockDeprecationWarning):
        made = task(lambda: None, retry_policy=2, retry=7)

    assert made.policies[0].max_attempts == 2


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0, -1, 0.0, timedelta(0), timedelta(seconds=-1)])
def test_a_timeout_is_greater_than_0_even_before_there_is_a_function(timeout: Any) -> None:
    for declare in (
        lambda: task(timeout=timeout),
        lambda: entrypoint(timeout=timeout),
        lambda: TimeoutPolicy(run_timeout=timeout),
        lambda: TimeoutPolicy(idle_timeout=timeout),
    ):
        with pytest.raises(ValueError, match="greater than 0"):
            declare()


@pytest.mark.parametrize("saver", ["redis://localhost", object(), InMemorySaver, 0, dict])
def test_a_checkpointer_of_a_wrong_type_is_refused(saver: Any) -> None:
    if saver is InMemorySaver:
        saver = saver.open
    with pytest.raises(TypeError, match="Invalid checkpointer provided") as caught:
        entrypoint(checkpointer=saver)
    assert isinstance(caught.value, PenstockError)


def test_a_final_has_two_types() -> None:
    def one(x: int) -> entrypoint.final[int]:  # type: ignore[type-arg]
        raise AssertionError

    def three(x: int) -> entrypoint.final[int, int, int]:  # type: ignore[type-arg]
        raise AssertionError

    def two(x: int) -> entrypoint.final[int, str]:
        raise AssertionError

    wrong: list[Any] = [one, three]
    for function in wrong:
        with pytest.raises(TypeError, match=r"final\[type of value, type of save\]"):
            entrypoint()(function)
    entrypoint()(two)


@pytest.mark.parametrize("policy", ["3", [1], object(), 2.5, [RetryPolicy(), None]])
def test_a_retry_policy_of_a_wrong_kind_is_refused(policy: Any) -> None:
    for declare in (lambda: task(retry_policy=policy), lambda: entrypoint(retry_policy=policy)):
        with pytest.raises(WrongKindError, match="RetryPolicy"):
            declare()


def test_an_extra_parameter_that_nobody_fills_in_is_missing_at_the_call() -> None:
    @entrypoint()
    def main(x: int, y: int) -> int:
        return x + y

    with pytest.raises(TypeError, match="'y'"):
        main.invoke(1)


# -- names ---------------------------------------------------------------------------------------


SAME: Callable[[Any], Any] = lambda x: x  # noqa: E731


class Service:
    def __init__(self, by: int) -> None:
        self.by = by

    def scale(self, x: int) -> int:
        """Scale."""
        return x * self.by

    def __call__(self, x: int) -> int:
        return x + self.by


def scale(x: int, by: int) -> int:
    return x * by


@pytest.mark.parametrize(
    ("function", "name", "result"),
    [
        (Service(3).scale, "scale", 6),
        (Service(3), "Service", 5),
        (functools.partial(scale, by=4), "scale", 8),
        (functools.partial(functools.partial(scale), by=5), "scale", 10),
        (SAME, "<lambda>", 2),
        (complex, "complex", 2),
    ],
    ids=["method", "instance", "partial", "partial of partial", "lambda", "class"],
)
def test_callables_have_the_name_they_go_by(
    drive: Drive, function: Callable[..., Any], name: str, result: Any
) -> None:
    work = task(function)

    @entrypoint()
    def main(x: int) -> Any:
        return work(x).result()

    assert work.__name__ == work.name == name
    assert drive(main, 2) == result


class Yielding:
    def __call__(self, x: int) -> Iterator[int]:
        yield x


@pytest.mark.parametrize("function", [Yielding(), functools.partial(Yielding())])
def test_an_instance_that_yields_is_refused_like_a_function(function: Any) -> None:
    with pytest.raises(NotImplementedError, match="task 'Yielding' is a generator"):
        task(function)
    with pytest.raises(NotImplementedError, match="entrypoint 'Yielding' is a generator"):
        entrypoint()(function)


def test_what_is_no_function_is_refused_with_the_way_to_write_it() -> None:
    name: Any = "count"
    with pytest.raises(WrongKindError, match=r"not of 'count'; a name is given as @task\(name="):
        task(name)
    wrong: Any = "re-run"
    with pytest.raises(ConfigurationError, match=r'on_change is "raise" or "rerun", not'):
        task(on_change=wrong)(scale)
    forgot: Any = entrypoint
    with pytest.raises(WrongKindError, match=r"with parentheses: @entrypoint\(\)"):
        forgot(scale)


def test_a_function_may_have_parameters_of_any_name() -> None:
    @task
    def work(key: int, args: int, kwargs: int, task: int, **more: int) -> list[int]:
        return [key, args, kwargs, task, *more.values()]

    @entrypoint()
    def main(_: str) -> Any:
        named = {"key": 1, "args": 2, "kwargs": 3, "task": 4, "self": 5, "branch": 6}
        return work(**named).result()

    assert main.invoke("x") == [1, 2, 3, 4, 5, 6]


def test_one_method_may_be_two_tasks() -> None:
    service = Service(2)
    one, two = task(service.scale, name="one"), task(service.scale, name="two")

    assert (one.name, two.name, Service.scale.__name__, service.scale.__name__) == (
        "one",
        "two",
        "scale",
        "scale",
    )
    assert one.__doc__ == "Scale."


def test_a_callable_without_a_name_may_be_an_entrypoint() -> None:
    flow = entrypoint()(functools.partial(scale, by=4))

    assert flow.name == "scale"
    assert flow.invoke(2) == 8
    assert entrypoint()(Service(1)).invoke(1) == 2


# -- entrypoints that are cached ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_entrypoint_is_cached_as_a_whole(drive: Drive, kind: str) -> None:
    calls = Calls()
    cache = InMemoryCache()

    def body(x: int, *, previous: Any = None) -> Any:
        calls(x)
        return entrypoint.final(value=[x, previous], save=x)

    async def abody(x: int, *, previous: Any = None) -> Any:
        return body(x, previous=previous)

    declare = entrypoint(cache=cache, cache_policy=CachePolicy(ttl=60), name="main")
    main = declare(body if kind == "sync" else abody)

    assert drive(main, 1) == [1, None]
    assert drive(main, 1, thread="other") == [1, None]
    assert drive(main, 2) == [2, 1]
    assert drive(main, 3, thread="other") == [3, 1]
    assert calls.made == [1, 2, 3]

    main.clear_cache()
    asyncio.run(main.aclear_cache())
    assert drive(main, 1) == [1, 2]


def test_a_nested_entrypoint_is_cached_too(drive: Drive) -> None:
    calls = Calls()

    @entrypoint(cache_policy=CachePolicy())
    def child(x: int) -> int:
        calls(x)
        return x + 1

    @entrypoint(cache=InMemoryCache())
    def main(x: int) -> Any:
        return [child.invoke(x), child.invoke(x)]

    assert drive(main, 1) == [2, 2]
    assert drive(main, 1, thread="other") == [2, 2]
    assert calls.made == [1]


def test_a_cached_result_says_so_in_its_update(cache: Any) -> None:
    @entrypoint(cache=cache, cache_policy=CachePolicy(), checkpointer=InMemorySaver())
    def main(x: int) -> int:
        return x + 1

    assert list(main.stream(1, thread())) == [{"main": 2}]
    assert list(main.stream(1, thread())) == [{"main": 2, "__metadata__": {"cached": True}}]
    assert list(main.stream(1, thread(), stream_mode="values")) == [2]


def test_decide_19_policies_of_an_entrypoint_are_not_those_of_its_tasks(drive: Drive) -> None:
    calls = Calls()

    @task
    def work(x: int) -> int:
        calls("work")
        return x

    @task
    def fail() -> None:
        calls("fail")
        raise ConnectionError

    @entrypoint(
        cache=InMemoryCache(),
        cache_policy=CachePolicy(),
        retry_policy=RetryPolicy(max_attempts=2, initial_interval=0, jitter=False),
    )
    def main(x: int) -> Any:
        found = [work(1).result(), work(1).result()]
        with pytest.raises(ConnectionError):
            fail().result()
        return found

    assert drive(main, 1) == [1, 1]
    assert calls.made == ["work", "work", "fail"]


def test_decide_13_errors_are_never_cached(cache: Any) -> None:
    calls = Calls()

    @task(cache_policy=CachePolicy())
    def work(x: int) -> int:
        calls(x)
        raise LookupError(x)

    @entrypoint(cache=cache, cache_policy=CachePolicy())
    def main(x: int) -> Any:
        return work(x).result()

    for _ in range(2):
        with pytest.raises(LookupError):
            main.invoke(1)
    assert calls.made == [1, 1]


def test_without_a_cache_there_is_nothing_to_clear() -> None:
    flow = entrypoint(cache_policy=CachePolicy())(SAME)
    work = task(lambda: None, cache_policy=CachePolicy())

    for clear in (flow.clear_cache, lambda: work.clear_cache(None)):
        with pytest.raises(ValueError, match="no cache"):
            clear()
    for aclear in (flow.aclear_cache, lambda: work.aclear_cache(None)):
        with pytest.raises(ConfigurationError, match="no cache"):
            asyncio.run(aclear())


def test_clearing_one_task_leaves_the_others(cache: Any) -> None:
    calls = Calls()

    def remember(name: str) -> Any:
        @task(name=name, cache_policy=CachePolicy())
        def work(x: int) -> int:
            calls(name)
            return x

        return work

    one, two = remember("one"), remember("two")

    @entrypoint(cache=cache)
    def main(x: int) -> Any:
        return [one(x).result(), two(x).result()]

    main.invoke(1)
    one.clear_cache(cache)
    main.invoke(1)
    assert calls.made == ["one", "two", "one"]
    asyncio.run(two.aclear_cache(cache))
    main.invoke(1)
    assert calls.made == ["one", "two", "one", "two"]
