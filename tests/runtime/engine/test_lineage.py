"""A step's identity is its place in the run's lineage, whatever the interleaving."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.runtime import (
    Command,
    InMemorySaver,
    RedisSaver,
    entrypoint,
    get_runtime,
    interrupt,
    task,
)
from penstock.runtime.errors import ReplayError
from penstock.runtime.journal.step_id import ancestry, caller, label, namespace, step_name
from tests.runtime.flows import Calls, asked, keys, thread

fresh = itertools.count()


class CrashError(Exception):
    """What the body raises at a random point."""


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["parse", "load pages", "a/b", "a:0", "x=y", "~1", "p@q", "100 %", "^up", "ß"]
)
def test_a_name_can_be_read_back_from_a_step_id_whatever_signs_it_has(name: str) -> None:
    for step_id in (
        f"{label(name)}:0",
        f"load:0/{label(name)}:12",
        f"~3/{label(name)}:0",
        f"{label(name)}=page%3A7",
        f"{label(name)}@5f3a9c01d2e4:1",
    ):
        assert step_name(step_id) == name


def test_a_namespace_is_the_path_of_a_step_with_its_branches() -> None:
    assert namespace("") == ()
    assert namespace("load:0") == ("load:0",)
    assert namespace("~0/load:0/~1/~2/parse=a%2Fb") == (
        *("~0", "load:0", "~1", "~2", "parse=a%2Fb"),
    )


def test_the_caller_of_a_step_is_the_step_above_it() -> None:
    assert caller("") == caller("load:0") == caller("~0/~1/load:0") == ()
    assert caller("~0/load:0/~1/~2/parse:0") == ("~0", "load:0")


def test_the_ancestry_of_a_step_is_the_steps_above_it_and_itself() -> None:
    assert ancestry("") == []
    assert ancestry("~0/~1/load:0") == ["~0/~1/load:0"]
    assert ancestry("^child:0/~1/load:0/parse:2") == [
        "^child:0",
        "^child:0/~1/load:0",
        "^child:0/~1/load:0/parse:2",
    ]


@pytest.mark.parametrize(
    "name", ["a/b", "a:0", "x=y", "~1", "p@q", "^up", "%", "", " ", "ß", "a\nb"]
)
def test_tasks_with_odd_names_replay_to_their_own_results(saver: RedisSaver, name: str) -> None:
    draw = task(lambda: next(fresh), name=name) if name else task(lambda: next(fresh))
    other = task(lambda: next(fresh), name=f"{name}:0")

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[Any]:
        drawn = [draw().result(), draw.keyed("a")().result(), other().result()]
        seen.append(drawn)
        interrupt("?")
        return drawn

    seen: list[list[Any]] = []
    main.invoke("x", thread())
    main.invoke(Command(resume=0), thread())

    assert seen[0] == seen[1]


# -- random programs -----------------------------------------------------------------------------

Program: TypeAlias = Any
"""("draw",), ("adraw",), ("caught",), or a kind and its parts."""

FORKS = ("gather", "group", "create")


def programs() -> st.SearchStrategy[Program]:
    leaf = st.sampled_from([("draw",), ("adraw",), ("caught",)])
    return st.recursive(
        leaf,
        lambda parts: st.tuples(
            st.sampled_from(["seq", "anest", "child", *FORKS]),
            st.lists(parts, min_size=1, max_size=3),
        ),
        max_leaves=10,
    )


@dataclass
class World:
    """What one attempt observes, how it is delayed, and when it crashes."""

    rng: random.Random
    crash_after: int | None
    seen: dict[str, Any] = field(default_factory=dict[str, Any])

    async def pause(self) -> None:
        if self.rng.random() < 0.6:
            await asyncio.sleep(self.rng.random() * 0.002)

    def observe(self, place: str, value: Any) -> None:
        assert place not in self.seen
        self.seen[place] = value
        if len(self.seen) == self.crash_after:
            raise CrashError(place)


def interpreter(world: World) -> Callable[[Program, str], Any]:  # noqa: C901
    """Make the tasks of one attempt and return the function that executes a program with them."""

    @task
    def draw() -> int:
        time.sleep(world.rng.random() * 0.001)
        return next(fresh)

    @task
    async def adraw() -> int:
        await world.pause()
        return next(fresh)

    @task
    async def fail() -> None:
        await world.pause()
        raise LookupError(next(fresh))

    @task
    async def anest(parts: Any, place: str) -> None:
        await sequence(parts, place)

    @entrypoint()
    async def child(argument: Any) -> None:
        await sequence(argument[0], argument[1])

    async def sequence(parts: list[Program], place: str) -> None:
        for number, part in enumerate(parts):
            await execute(part, f"{place}.{number}")

    async def fork(kind: str, parts: list[Program], place: str) -> None:
        works = [execute(part, f"{place}.{number}") for number, part in enumerate(parts)]
        if kind == "gather":
            await asyncio.gather(*works)
        elif kind == "create":
            tasks = [asyncio.create_task(work) for work in works]
            await world.pause()
            for each in reversed(tasks):
                await each
        else:
            try:
                async with asyncio.TaskGroup() as group:
                    for work in works:
                        group.create_task(work)
            except* CrashError as errors:
                raise CrashError(str(errors)) from None

    async def leaf(kind: str, place: str) -> None:
        if kind == "caught":
            text = ""
            try:
                await fail()
            except LookupError as error:
                text = str(error)
            await adraw()
            world.observe(place, text)
            return
        world.observe(place, await (draw() if kind == "draw" else adraw()))

    async def execute(program: Program, place: str) -> None:
        await world.pause()
        kind = program[0]
        if len(program) == 1:
            await leaf(kind, place)
        elif kind == "seq":
            await sequence(program[1], place)
        elif kind == "anest":
            await anest(program[1], place)
        elif kind == "child":
            await child.ainvoke((program[1], place))
        else:
            await fork(kind, program[1], place)

    return execute


def attempt(saver: RedisSaver, world: World, program: Program, value: Any) -> bool:
    """Execute a program once, by code made anew; tell whether it came to its end."""
    execute = interpreter(world)

    @entrypoint(checkpointer=saver)
    async def main(_: Any) -> str:
        await execute(program, "")
        return "end"

    async def ainvoke() -> bool:
        try:
            return bool(await main.ainvoke(value, thread()) == "end")
        finally:
            await asyncio.sleep(0)

    try:
        return asyncio.run(ainvoke())
    except CrashError:
        return False


def leaves(program: Program) -> int:
    return 1 if len(program) == 1 else sum(leaves(part) for part in program[1])


def replays_to_its_own_results(saver: RedisSaver, program: Program, seed: int) -> None:
    rng = random.Random(seed)
    known: dict[str, Any] = {}
    value: str | None = "go"
    ended = False
    for limit in (*sorted(rng.randint(1, leaves(program)) for _ in range(2)), None):
        world = World(random.Random(rng.random()), limit)
        ended = attempt(saver, world, program, value)
        value = None
        moved = {
            place: (known[place], seen)
            for place, seen in world.seen.items()
            if place in known and known[place] != seen
        }
        assert not moved, f"observed otherwise after a crash: {moved}"
        known |= world.seen
        if ended:
            break
    assert ended
    assert len(known) == leaves(program)


@given(program=programs(), seed=st.integers(0, 2**16))
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_random_programs_observe_after_a_crash_what_they_observed_before(
    program: Program, seed: int
) -> None:
    # Arguments tell nothing apart here: every step draws a new number each time it is executed.
    replays_to_its_own_results(InMemorySaver(), program, seed)


def test_random_programs_over_redis(redis_saver: RedisSaver) -> None:
    part = ("gather", [("seq", [("draw",), ("adraw",)]), ("anest", [("adraw",), ("caught",)])])
    program = ("seq", [("group", [part, ("child", [part])]), ("create", [part, ("draw",)])])
    for seed in range(8):
        redis_saver.connection.flushall()
        replays_to_its_own_results(redis_saver, program, seed)


# -- one way of branching after the other --------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fork", ["gather", "TaskGroup", "create_task"])
def test_two_chains_on_the_loop_keep_their_results_when_their_speed_changes(
    saver: RedisSaver, fork: str, seed: int
) -> None:
    rng = random.Random(seed)

    @task
    async def draw() -> int:
        await asyncio.sleep(rng.random() * 0.004)
        return next(fresh)

    async def chain(name: str) -> list[int]:
        drawn: list[int] = []
        for _ in range(4):
            await asyncio.sleep(rng.random() * 0.004)
            drawn.append(await draw())
            seen[-1].setdefault(name, []).append(drawn[-1])
        return drawn

    async def both() -> list[list[int]]:
        if fork == "gather":
            return list(await asyncio.gather(chain("a"), chain("b")))
        if fork == "create_task":
            tasks = [asyncio.create_task(chain(name)) for name in "ab"]
            return [await each for each in tasks]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(chain(name)) for name in "ab"]
        return [each.result() for each in tasks]

    @entrypoint(checkpointer=saver)
    async def main(_: str) -> list[list[int]]:
        seen.append({})
        drawn = await both()
        interrupt("?")
        return drawn

    seen: list[dict[str, list[int]]] = []
    asyncio.run(main.ainvoke("x", thread()))
    result = asyncio.run(main.ainvoke(Command(resume=0), thread()))

    assert seen[0] == seen[1]
    assert result == [seen[0]["a"], seen[0]["b"]]


def test_a_generator_that_is_left_early_takes_no_number_from_asyncio_tasks(
    saver: RedisSaver,
) -> None:
    @task
    async def work(x: str) -> str:
        await asyncio.sleep(0.001)
        return x

    async def chain(name: str) -> str:
        return await work(name)

    async def count() -> AsyncIterator[int]:
        for number in itertools.count():
            yield number

    @entrypoint(checkpointer=saver)
    async def main(_: str) -> Any:
        async for _number in count():
            break
        first = await work("takes time in the first attempt, none in the second")
        return [first, *await asyncio.gather(chain("a"), chain("b")), interrupt("?")]

    def steps() -> list[str]:
        (key,) = [key for key in keys(saver) if "checkpoints" in key]
        fields: Any = saver.connection.hkeys(key)
        return sorted(field.decode() for field in fields if b"work" in field)

    asyncio.run(main.ainvoke("x", thread()))
    first = steps()
    result = asyncio.run(main.ainvoke(Command(resume="!"), thread()))

    assert result[1:] == ["a", "b", "!"]
    assert steps() == first == ["work:0", "~0/work:0", "~1/work:0"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fork", ["to_thread", "thread", "executor"])
def test_steps_called_by_threads_are_told_apart_by_their_arguments(  # noqa: C901
    saver: RedisSaver, fork: str, seed: int
) -> None:
    rng = random.Random(seed)

    @task
    def draw(who: str, number: int) -> tuple[str, int, int]:
        return who, number, next(fresh)

    def chain(name: str) -> list[Any]:
        drawn: list[Any] = []
        for number in range(3):
            time.sleep(rng.random() * 0.003)
            drawn.append(draw(name, number).result())
        return drawn

    def in_threads() -> list[Any]:
        contexts = [contextvars.copy_context() for _ in "abc"]
        if fork == "executor":
            with ThreadPoolExecutor(3) as pool:
                chains = [
                    pool.submit(context.run, chain, name)
                    for context, name in zip(contexts, "abc", strict=True)
                ]
                return [each.result() for each in chains]
        results: dict[str, Any] = {}
        threads = [
            threading.Thread(
                target=lambda where, name: results.update({name: where.run(chain, name)}),  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
                args=(context, name),
            )
            for context, name in zip(contexts, "abc", strict=True)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return [results[name] for name in "abc"]

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[Any]:
        drawn = in_threads()
        seen.append(drawn)
        interrupt("?")
        return drawn

    @entrypoint(checkpointer=saver)
    async def amain(_: str) -> list[Any]:
        drawn = list(await asyncio.gather(*[asyncio.to_thread(chain, name) for name in "abc"]))
        seen.append(drawn)
        interrupt("?")
        return drawn

    seen: list[list[Any]] = []
    if fork == "to_thread":
        asyncio.run(amain.ainvoke("x", thread()))
        result = asyncio.run(amain.ainvoke(Command(resume=0), thread()))
    else:
        main.invoke("x", thread())
        result = main.invoke(Command(resume=0), thread())

    assert result == seen[0] == seen[1]
    assert [[each[:2] for each in chain] for chain in result] == [
        [(name, number) for number in range(3)] for name in "abc"
    ]


def test_tasks_of_parallel_tasks_keep_their_results(saver: RedisSaver) -> None:
    rng = random.Random(5)

    @task
    def draw() -> int:
        time.sleep(rng.random() * 0.003)
        return next(fresh)

    @task
    def parent(name: str) -> list[int]:
        time.sleep(rng.random() * 0.003)
        drawn = [draw().result(), draw().result()]
        seen.setdefault(name, []).append(drawn)
        if not go_on[0]:
            raise CrashError(name)
        return drawn

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[list[int]]:
        return [future.result() for future in [parent(name) for name in "abcd"]]

    seen: dict[str, list[list[int]]] = {}
    go_on = [False]
    with pytest.raises(CrashError):
        main.invoke("x", thread())
    go_on[0] = True
    result = main.invoke(None, thread())

    assert result == [seen[name][0] for name in "abcd"]
    assert all(first == second for first, second in seen.values())


def test_a_loop_over_completed_steps_may_complete_in_another_order(saver: RedisSaver) -> None:
    slow = {1: 0.01, 2: 0.0}
    crash = [True]

    @task
    async def fetch(x: int) -> int:
        await asyncio.sleep(slow[x])
        return x

    @task
    async def parse(x: int) -> tuple[int, int]:
        return x, next(fresh)

    @entrypoint(checkpointer=saver)
    async def main(_: str) -> list[tuple[int, int]]:
        parsed: list[tuple[int, int]] = []
        for future in asyncio.as_completed([fetch(1), fetch(2)]):
            parsed.append(await parse(await future))
        seen.append(sorted(parsed))
        slow.update({1: 0.0, 2: 0.01})
        if crash[0]:
            raise CrashError
        return sorted(parsed)

    seen: list[Any] = []
    with pytest.raises(CrashError):
        asyncio.run(main.ainvoke("x", thread()))
    crash[0] = False

    assert asyncio.run(main.ainvoke(None, thread())) == seen[0] == seen[1]


# -- arguments that changed ----------------------------------------------------------------------


def test_f66_changed_arguments_raise_a_replay_error_that_names_the_step(saver: RedisSaver) -> None:
    given = [1]

    @task
    def work(x: int) -> int:
        return x

    @entrypoint(checkpointer=saver)
    def main(_: str) -> int:
        done = work(given[0]).result()
        interrupt("?")
        return done

    main.invoke("x", thread())
    given[0] = 2

    with pytest.raises(ReplayError, match="work:0") as caught:
        main.invoke(Command(resume=0), thread())
    assert "'work'" in str(caught.value)
    assert "keyed" in str(caught.value)
    assert "on_change" in str(caught.value)


def test_a_replay_error_names_expected_and_found_step_file_and_line(saver: RedisSaver) -> None:
    given = [1]

    @task
    def work(x: int) -> int:
        return x

    @entrypoint(checkpointer=saver)
    def main(_: str) -> int:
        done = work(given[0]).result()
        interrupt("?")
        return done

    main.invoke("x", thread())
    given[0] = 2

    with pytest.raises(ReplayError, match=r"test_lineage\.py.*\d+"):
        main.invoke(Command(resume=0), thread())


def test_a_run_that_met_a_replay_error_can_go_on_when_the_code_is_right_again(
    saver: RedisSaver,
) -> None:
    given = [1]
    calls = Calls()

    @task
    def work(x: int) -> int:
        calls(x)
        return x

    @entrypoint(checkpointer=saver)
    def main(_: str) -> tuple[int, Any]:
        done = work(given[0]).result()
        return done, interrupt("?")

    main.invoke("x", thread())
    given[0] = 2
    with pytest.raises(ReplayError):
        main.invoke(Command(resume="a"), thread())
    given[0] = 1

    assert main.invoke(None, thread()) == (1, "a")
    assert calls.made == [1]


def test_a_task_may_say_that_it_runs_again_when_its_arguments_changed(saver: RedisSaver) -> None:
    given = [1]

    @task(on_change="rerun")
    def work(x: int) -> int:
        return 10 * x

    @entrypoint(checkpointer=saver)
    def main(_: str) -> int:
        done = work(given[0]).result()
        interrupt("?")
        interrupt("again?")
        return done

    main.invoke("x", thread())
    given[0] = 2
    main.invoke(Command(resume=0), thread())

    assert main.invoke(Command(resume=0), thread()) == 20


def test_a_call_by_key_finds_its_result_in_any_order(saver: RedisSaver) -> None:
    order = ["a", "b", "c/d", "ü:1", "caf\udce9"]
    calls = Calls()

    @task
    def load(page: str) -> tuple[str, int]:
        calls(page)
        return page, next(fresh)

    @entrypoint(checkpointer=saver)
    def main(_: str) -> dict[str, Any]:
        loaded = {page: load.keyed(page)(page).result() for page in order}
        seen.append(loaded)
        interrupt("?")
        return loaded

    seen: list[dict[str, Any]] = []
    main.invoke("x", thread())
    order.reverse()

    assert main.invoke(Command(resume=0), thread()) == seen[0]
    assert len(calls.made) == 5


def test_a_key_may_be_a_number() -> None:
    @task
    def load(page: int) -> str:
        return get_runtime().execution_info.step_id

    @entrypoint()
    def main(page: Any) -> str:
        return load.keyed(page)(page).result()

    assert main.invoke(7) == "load=7"


def test_a_keyed_call_with_changed_arguments_is_a_replay_error(saver: RedisSaver) -> None:
    given = [1]

    @task
    def work(x: int) -> int:
        return x

    @entrypoint(checkpointer=saver)
    def main(_: str) -> int:
        done = work.keyed("k")(given[0]).result()
        interrupt("?")
        return done

    main.invoke("x", thread())
    given[0] = 2

    with pytest.raises(ReplayError, match="work=k"):
        main.invoke(Command(resume=0), thread())


def test_f66_one_more_call_at_the_front_is_noticed_and_not_answered_with_anothers_result(
    saver: RedisSaver,
) -> None:
    more = [False]

    @task
    def work(x: str) -> str:
        return x.upper()

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[str]:
        done = [work("new").result()] if more[0] else []
        done += [work(x).result() for x in "ab"]
        interrupt("?")
        return done

    main.invoke("x", thread())
    more[0] = True

    with pytest.raises(ReplayError):
        main.invoke(Command(resume=0), thread())


def test_f66_a_call_of_another_task_before_does_not_shift_the_numbers(saver: RedisSaver) -> None:
    more = [False]
    calls = Calls()

    @task
    def work(x: str) -> str:
        calls(x)
        return x.upper()

    @task
    def other() -> str:
        return "other"

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[str]:
        done = [other().result()] if more[0] else []
        done += [work(x).result() for x in "ab"]
        interrupt("?")
        return done

    main.invoke("x", thread())
    more[0] = True

    assert asked(main.invoke(None, thread())) == ["?"]
    assert main.invoke(Command(resume=0), thread()) == ["other", "A", "B"]
    assert calls.made == ["a", "b"]


def test_one_recorded_result_is_never_given_to_two_calls(saver: RedisSaver) -> None:
    given = ["a", "b"]

    @task
    def work(x: str) -> tuple[str, int]:
        return x, next(fresh)

    @entrypoint(checkpointer=saver)
    def main(_: str) -> list[Any]:
        done = [work(x).result() for x in given]
        interrupt("?")
        return done

    main.invoke("x", thread())
    given[:] = ["b", "b"]

    with pytest.raises(ReplayError):
        main.invoke(Command(resume=0), thread())
