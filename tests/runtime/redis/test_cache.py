"""Values of tasks that outlive their run, and whose they are."""

from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
import time
from array import array
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from penstock.publisher.errors import CodecError
from penstock.runtime import CachePolicy, InMemoryCache, RedisCache, entrypoint, task
from penstock.runtime.errors import ConfigurationError
from tests.runtime.flows import Calls
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

CACHED = CachePolicy()


def run(cache: Any, *calls: Callable[[], Any]) -> list[Any]:
    """The results of calling tasks in one run, one after the other."""

    @entrypoint(cache=cache)
    def main(_: str) -> list[Any]:
        return [call().result() for call in calls]

    result: list[Any] = main.invoke("x")
    return result


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_value_is_reused_by_other_runs(drive: Drive, kind: str) -> None:
    calls = Calls()
    cache = InMemoryCache()

    def body(x: int) -> Any:
        calls(x)
        return (x, {x})

    async def abody(x: int) -> Any:
        return body(x)

    work: Any = task(body if kind == "sync" else abody, name="work", cache_policy=CACHED)

    @entrypoint(cache=cache)
    async def main(x: int) -> Any:
        return await work(x)

    assert drive(main, 1) == drive(main, 1, thread="other") == (1, {1})
    assert drive(main, 2) == (2, {2})
    assert calls.made == [1, 2]


def test_without_a_cache_nothing_is_kept() -> None:
    calls = Calls()
    work = task(lambda: calls(1), cache_policy=CACHED)

    run(None, work, work)

    assert calls.made == [1, 1]


def test_one_call_is_one_key_however_it_is_written(cache: Any) -> None:
    calls = Calls()

    @task(cache_policy=CACHED)
    def work(x: int, y: int = 0) -> int:
        calls((x, y))
        return x + y

    run(cache, lambda: work(1), lambda: work(1, 0), lambda: work(1, y=0), lambda: work(x=1))
    run(cache, lambda: work(1, 1))

    assert calls.made == [(1, 0), (1, 1)]


def test_a_key_function_tells_which_arguments_count(cache: Any) -> None:
    calls = Calls()

    def key(x: Any, **_: Any) -> str:
        return str(x["id"])

    @task(cache_policy=CachePolicy(key_func=key))
    def work(x: Any) -> Any:
        calls(x["id"])
        return x["id"]

    run(cache, lambda: work({"id": 1, "lock": object()}), lambda: work({"id": 1}))
    run(cache, lambda: work({"id": 2}))

    assert calls.made == [1, 2]


def test_arguments_without_a_key_are_an_error_that_says_so(cache: Any) -> None:
    @task(cache_policy=CACHED)
    def work(x: Any) -> Any:
        return x

    with pytest.raises(CodecError, match="cached"):
        run(cache, lambda: work(object()))


def test_a_key_of_another_kind_is_refused(cache: Any) -> None:
    def number(x: Any) -> Any:
        return x

    work = task(number, cache_policy=CachePolicy(key_func=number))

    with pytest.raises(ConfigurationError, match="returns a str or bytes, not 5"):
        run(cache, lambda: work(5))


@pytest.mark.parametrize("ttl", [0, -1.0, float("nan"), float("inf"), True, "60"])
def test_a_time_that_is_none_is_refused(ttl: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"a ttl is a (positive )?number of seconds"):
        CachePolicy(ttl=ttl)


async def asynchronous(x: int) -> str:
    return str(x)


@pytest.mark.parametrize("key_func", ["x", 5, asynchronous], ids=["text", "number", "async"])
def test_a_key_function_that_is_none_is_refused_when_the_policy_is_made(key_func: Any) -> None:
    with pytest.raises(ConfigurationError, match="a key_func is a function"):
        CachePolicy(key_func=key_func)


@pytest.mark.parametrize("policy", [True, 60, CachePolicy], ids=["bool", "seconds", "class"])
def test_a_policy_that_is_none_is_refused_where_it_is_declared(policy: Any) -> None:
    with pytest.raises(ConfigurationError, match="cache_policy is a CachePolicy"):
        task(cache_policy=policy)
    with pytest.raises(ConfigurationError, match="cache_policy is a CachePolicy"):
        entrypoint(cache_policy=policy)


@pytest.mark.parametrize("given", [True, {}, InMemoryCache], ids=["bool", "dict", "class"])
def test_a_cache_that_is_none_is_refused_where_it_is_declared(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="cache is an InMemoryCache"):
        entrypoint(cache=given)


def test_a_value_is_kept_for_its_time(cache: Any) -> None:
    calls = Calls()
    work = task(lambda: calls(1), name="work", cache_policy=CachePolicy(ttl=0.05))

    run(cache, work, work)
    assert calls.made == [1]
    time.sleep(0.1)
    run(cache, work)

    assert calls.made == [1, 1]


class Scale:
    def __init__(self, by: int) -> None:
        self.by = by

    def times(self, x: int) -> int:
        return x * self.by

    def __call__(self, x: int) -> int:
        return x * self.by


@dataclass
class Known:
    by: int

    def times(self, x: int) -> int:
        return x * self.by

    def __call__(self, x: int) -> int:
        return x * self.by


def scale(x: int, by: int) -> int:
    return x * by


def closure(by: int) -> Callable[[int], int]:
    def inner(x: int) -> int:
        return x * by

    return inner


def partial(by: int) -> Callable[[int], int]:
    return functools.partial(scale, by=by)


def partial_of_partial(by: int) -> Callable[[int], int]:
    return functools.partial(functools.partial(scale), by=by)


def method(by: int) -> Callable[[int], int]:
    return Known(by).times


def unknown_method(by: int) -> Callable[[int], int]:
    return Scale(by).times


def anonymous(by: int) -> Callable[[int], int]:
    return lambda x: x * by


@dataclass(frozen=True)
class Rate:
    by: int


class Labelled:
    by = 0

    @classmethod
    def times(cls, x: int) -> int:
        return x * cls.by


class Two(Labelled):
    by = 2


class Three(Labelled):
    by = 3


def class_method(by: int) -> Callable[[int], int]:
    return (Two if by == 2 else Three).times


def captured_partial(by: int) -> Callable[[int], int]:
    scaled = functools.partial(scale, by=by)
    return lambda x: scaled(x)


def captured_closure(by: int) -> Callable[[int], int]:
    scaled = closure(by)
    return lambda x: scaled(x)


@dataclass(frozen=True)
class Rated:
    rate: Rate

    def times(self, x: int) -> int:
        return x * self.rate.by


def captured_method(by: int) -> Callable[[int], int]:
    times = Rated(Rate(by)).times
    return lambda x: times(x)


def captured_value(by: int) -> Callable[[int], int]:
    rate = Rate(by)
    return lambda x: x * rate.by


def captured_tuple(by: int) -> Callable[[int], int]:
    rates = (Rate(by), print)
    return lambda x: x * rates[0].by


def wrapped(by: int) -> Callable[[int], int]:
    @functools.wraps(scale)
    def wrapper(x: int) -> int:
        return scale(x, by)

    return wrapper


def bound_later(by: int) -> Callable[[int], int]:
    chosen = 0

    def inner(x: int) -> int:
        return x * chosen

    chosen = by
    return inner


def other_code(by: int) -> Callable[[int], int]:
    if by == 2:

        def inner(x: int) -> int:
            return x + x

    else:

        def inner(x: int) -> int:
            return x + x + x

    return inner


def default(by: int) -> Callable[[int], int]:
    def inner(x: int, by: int = by) -> int:
        return x * by

    return inner


def captured_dict(by: int) -> Callable[[int], int]:
    settings = {"by": by}
    return lambda x: x * settings["by"]


def captured_list(by: int) -> Callable[[int], int]:
    factors = [[by]]
    return lambda x: x * factors[0][0]


def captured_set(by: int) -> Callable[[int], int]:
    factors = {by}
    return lambda x: x * max(factors)


def captured_object(by: int) -> Callable[[int], int]:
    model = Scale(by)
    return lambda x: model.times(x)


def captured_objects_method(by: int) -> Callable[[int], int]:
    times = Scale(by).times
    return lambda x: times(x)


class Slotted:
    __slots__ = ("by", "itself")

    def __init__(self, by: int) -> None:
        self.by = by
        self.itself = self


def captured_slots(by: int) -> Callable[[int], int]:
    slotted = Slotted(by)
    return lambda x: x * slotted.by


class Factor(BaseModel):
    by: int


def captured_model(by: int) -> Callable[[int], int]:
    factor = Factor(by=by)
    return lambda x: x * factor.by


def captured_model_of_another_class(by: int) -> Callable[[int], int]:
    class Plus(Factor):
        def times(self, x: int) -> int:
            return x * self.by

    class Twice(Factor):
        def times(self, x: int) -> int:
            return x * (self.by + 1)

    factor = Plus(by=2) if by == 2 else Twice(by=2)
    return lambda x: factor.times(x)


def captured_class(by: int) -> Callable[[int], int]:
    class Local:
        factor = by

    return lambda x: x * Local.factor


def method_of_a_local_class(by: int) -> Callable[[int], int]:
    class Local(Labelled):
        pass

    Local.by = by
    return Local.times


def captured_array(by: int) -> Callable[[int], int]:
    factors = array("l", [by])
    return lambda x: x * factors[0]


def captured_iterator(by: int) -> Callable[[int], int]:
    by_name = defaultdict(int, by=by)
    return lambda x: x * by_name["by"]


def captured_builtin(by: int) -> Callable[[int], int]:
    get = {"by": by}.get
    return lambda x: x * get("by", 0)


def remembered(by: int) -> Callable[[int], int]:
    @functools.lru_cache
    def inner(x: int) -> int:
        return x * by

    return inner


def mutable_default(by: int) -> Callable[[int], int]:
    scales = [Scale(by)]

    def inner(x: int, *, scale: Any = scales[0]) -> int:
        return int(scale.times(x))

    return lambda x: inner(x)


KINDS_OF_BOUND = [
    *(partial, partial_of_partial, closure, Known, method, anonymous, class_method),
    *(captured_partial, captured_closure, captured_method, captured_value, captured_tuple),
    *(wrapped, bound_later, other_code, default),
    *(captured_dict, captured_list, captured_set, captured_object, captured_objects_method),
    *(captured_slots, captured_model, captured_model_of_another_class, captured_class),
    *(method_of_a_local_class, captured_array, captured_iterator, captured_builtin),
    *(remembered, mutable_default),
]


@pytest.mark.parametrize("make", KINDS_OF_BOUND)
def test_decide_13_what_a_function_is_bound_to_tells_it_from_others(cache: Any, make: Any) -> None:
    from penstock.runtime import register_type

    register_type(Known)
    register_type(Rate)
    two = task(make(2), name="scale", cache_policy=CACHED)
    three = task(make(3), name="scale", cache_policy=CACHED)
    again = task(make(2), name="scale", cache_policy=CACHED)

    calls = [functools.partial(each, 10) for each in (two, three, again)]
    assert run(cache, *calls) == [20, 30, 20]
    assert run(cache, *reversed(calls)) == [20, 30, 20]


def counting(cache: Any) -> list[int]:
    """The calls that two tasks count in one captured variable, after each of three runs."""
    calls = 0

    @task(cache_policy=CACHED)
    def double(x: int) -> int:
        nonlocal calls
        calls += 1
        return 2 * x

    @task(cache_policy=CACHED)
    def triple(x: int) -> int:
        def count() -> None:
            nonlocal calls
            calls += 1

        count()
        return 3 * x

    counts: list[int] = []
    for _ in range(3):
        assert run(cache, lambda: double(5), lambda: triple(5)) == [10, 15]
        counts.append(calls)
    return counts


def test_a_variable_that_a_function_binds_anew_does_not_tell_it_from_itself(cache: Any) -> None:
    assert counting(cache) == [2, 2, 2]
    assert counting(cache) == [0, 0, 0]  # the same functions, as those of another process


def counted(function: Callable[[int], int]) -> Any:
    calls = 0

    @functools.wraps(function)
    def wrapper(x: int) -> Any:
        nonlocal calls
        calls += 1
        return (function(x), calls)

    return wrapper


def test_a_variable_that_a_wrapper_binds_anew_does_not_either(cache: Any) -> None:
    @task(cache_policy=CACHED)
    @counted
    def double(x: int) -> int:
        return 2 * x

    found: list[Any] = [run(cache, lambda: double(5)) for _ in range(3)]

    assert found == [[(10, 1)]] * 3


def test_a_variable_that_goes_on_changing_outside_does_not_either(cache: Any) -> None:
    calls: list[int] = []
    total = 0

    @task(cache_policy=CACHED)
    def double(x: int) -> int:
        calls.append(total)
        return 2 * x

    for _ in range(3):
        assert run(cache, lambda: double(5)) == [10]
        total += 1

    assert calls == [0]


def test_what_a_captured_object_has_become_does_not_tell_a_function_from_itself(cache: Any) -> None:
    def declare() -> tuple[Any, dict[str, int]]:
        scale: Any = Scale(2)
        seen = {"calls": 0}

        @task(cache_policy=CACHED)
        def double(x: int) -> int:
            seen["calls"] += 1
            scale.last = x
            return int(x * scale.by)

        seen["calls"] += 5  # as another task does that counts in it, too
        return double, seen

    for calls in (6, 5):  # the second time the same functions, as those of another process
        double, seen = declare()
        call = functools.partial(double, 5)
        assert run(cache, call) == run(cache, call) == [10]
        assert seen["calls"] == calls


def test_captured_values_have_the_same_digest_in_every_process() -> None:
    program = """
import threading
from tests.runtime.redis.test_cache import KINDS_OF_BOUND, Known, Rate
from penstock.publisher.codec.codec import Codec
from penstock.runtime import CachePolicy, register_type, task
register_type(Known)
register_type(Rate)
names, lock = {"a", "b", "c", ("d", "e")}, threading.Lock()
KINDS_OF_BOUND.append(lambda by: lambda: (names, lock))
for make in KINDS_OF_BOUND:
    print(task(make(2), cache_policy=CachePolicy()).identity.namespace("x", Codec()))
"""
    found = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert found[0] == found[1] != ""


def test_a_variable_that_is_not_bound_yet_does_not_stop_a_declaration(cache: Any) -> None:
    @task(cache_policy=CACHED)
    def double(x: int) -> int:
        return later(x)

    def later(x: int) -> int:
        return 2 * x

    assert run(cache, lambda: double(5)) == run(cache, lambda: double(5)) == [10]


def test_a_function_that_captures_itself_has_an_identity(cache: Any) -> None:
    calls = Calls()

    def factorial(n: int) -> int:
        calls(n)
        return n * factorial(n - 1) if n else 1

    work = task(factorial, cache_policy=CACHED)

    assert run(cache, lambda: work(3), lambda: work(3)) == [6, 6]
    assert calls.made == [3, 2, 1, 0]


def test_what_a_method_is_bound_to_counts_as_it_is_at_the_call(cache: Any) -> None:
    known = Known(2)
    work = task(known.times, name="scale", cache_policy=CACHED)

    assert run(cache, lambda: work(5)) == [10]
    known.by = 3
    assert run(cache, lambda: work(5)) == [15]


def test_another_config_leaves_a_cached_entrypoint_what_it_is(cache: Any) -> None:
    calls = 0

    @entrypoint(cache=cache, cache_policy=CACHED)
    def main(x: int) -> int:
        nonlocal calls
        calls += 1
        return x

    for number in range(3):
        assert main.with_config({"tags": [str(number)]}).invoke(5) == 5
    assert calls == 1


LAMBDAS: list[Callable[[int], Any]] = [
    lambda x: (x, 2),
    lambda x: (x, 3),
    lambda x: [(y, 2) for y in (x,)],
    lambda x: [(y, 3) for y in (x,)],
]


def test_decide_13_functions_without_a_name_are_told_by_their_code(cache: Any) -> None:
    tasks = [task(each, cache_policy=CACHED) for each in LAMBDAS]
    calls = [functools.partial(work, 5) for work in tasks]

    assert run(cache, *calls) == [(5, 2), (5, 3), [(5, 2)], [(5, 3)]]

    tasks[0].clear_cache(cache)
    assert run(cache, *calls) == [(5, 2), (5, 3), [(5, 2)], [(5, 3)]]


def test_decide_13_the_same_function_under_two_names_is_two_tasks(cache: Any) -> None:
    calls = Calls()

    def work(x: int) -> int:
        calls(x)
        return x

    one, two = (task(work, name=name, cache_policy=CACHED) for name in ("one", "two"))
    run(cache, lambda: one(1), lambda: two(1))

    assert calls.made == [1, 1]


@pytest.mark.parametrize("make", [Scale, unknown_method])
def test_decide_13_what_cannot_be_told_apart_is_refused(cache: Any, make: Any) -> None:
    work = task(make(2), name="scale", cache_policy=CACHED)

    with pytest.raises(ConfigurationError, match="bound to something that has no"):
        run(cache, lambda: work(10))


def endless() -> Any:
    while True:
        yield 2


@dataclass
class Holder:
    part: Any


@pytest.mark.parametrize(
    "make", [endless, lambda: Holder([endless()]), lambda: Holder(memoryview(b""))]
)
def test_a_captured_value_that_cannot_be_told_from_others_is_refused(cache: Any, make: Any) -> None:
    capture = make()
    work = task(lambda: str(capture), name="work", cache_policy=CACHED)

    refused = "in the captured variable 'capture', a (generator|memoryview) cannot be told"
    with pytest.raises(ConfigurationError, match=f"task 'work' cannot be cached.*{refused}"):
        run(cache, work)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_decide_13_an_error_is_not_kept(cache: Any, kind: str) -> None:
    calls = Calls()

    def body() -> str:
        calls("try")
        if len(calls.made) < 2:
            raise LookupError("first")
        return "second"

    async def abody() -> str:
        return body()

    work: Any = task(body if kind == "sync" else abody, name="work", cache_policy=CACHED)

    @entrypoint(cache=cache)
    async def main(_: str) -> Any:
        return await work()

    with pytest.raises(LookupError, match="first"):
        asyncio.run(main.ainvoke("x"))
    assert asyncio.run(main.ainvoke("x")) == asyncio.run(main.ainvoke("x")) == "second"
    assert calls.made == ["try", "try"]


def test_a_list_is_a_namespace_as_a_tuple_is(cache: Any) -> None:
    one, two = (("flows", "one"), "k"), (("flows", "two"), "k")
    cache.set({one: ("1", None), two: ("2", 60.0)})

    assert cache.get([(["flows", "one"], "k"), (["flows", "two"], "k")]) == {one: "1", two: "2"}
    cache.clear([["flows", "two"]])
    assert cache.get([one, two]) == {one: "1"}


def test_every_verb_has_a_twin_for_asyncio(cache: Any) -> None:
    one, two = (("flows", "one"), "k"), (("flows", "two"), "k")

    async def main() -> None:
        await cache.aset({one: ("1", None), two: ("2", None)})
        assert await cache.aget([one, two]) == {one: "1", two: "2"}
        await cache.aclear([("flows", "one")])
        assert await cache.aget([one, two]) == {two: "2"}
        await cache.aclear()
        assert await cache.aget([two]) == {}

    asyncio.run(main())


def test_a_redis_that_is_away_is_a_cache_without_values() -> None:
    calls = Calls()
    cache = RedisCache("redis://127.0.0.1:1")
    work = task(lambda: calls(1), cache_policy=CACHED)

    run(cache, work, work)

    assert calls.made == [1, 1]


def test_a_cached_step_is_recorded_like_any_other(drive: Drive) -> None:
    calls = Calls()
    cache = InMemoryCache()

    @task(cache_policy=CACHED)
    def work(x: int) -> int:
        calls(x)
        return x

    @entrypoint(cache=cache)
    def main(x: int) -> Any:
        found = work(x).result()
        if x == 1 and calls.count("broken") == 0:
            calls("broken")
            raise LookupError
        return found

    with pytest.raises(LookupError):
        drive(main, 1)
    cache.clear()

    assert drive(main, None) == 1
    assert calls.count(1) == 1
