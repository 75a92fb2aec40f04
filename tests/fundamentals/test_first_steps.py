"""What Penstock is, one concept a test: read from top to bottom, it is the shortest tutorial."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.runtime import (
    Command,
    InMemorySaver,
    RetryPolicy,
    entrypoint,
    get_runtime,
    get_stream_writer,
    interrupt,
    task,
)

CONFIG = {"configurable": {"thread_id": "abc"}}


def test_an_entrypoint_is_a_workflow_and_a_task_is_a_step_of_it() -> None:
    """Calling a task starts it and returns a future; `.result()` waits for its value."""

    @task
    def shout(text: str) -> str:
        return text.upper()

    @entrypoint()
    def main(text: str) -> str:
        return shout(text).result() + "!"

    assert main.invoke("hello") == "HELLO!"


def test_async_code_awaits_what_sync_code_asks_for_its_result() -> None:
    """The same decorators take async functions; `await` takes the place of `.result()`."""

    @task
    async def shout(text: str) -> str:
        return text.upper()

    @entrypoint()
    async def main(text: str) -> str:
        return await shout(text) + "!"

    assert asyncio.run(main.ainvoke("hello")) == "HELLO!"


def test_tasks_run_in_parallel_until_their_results_are_asked_for() -> None:
    """Call first, collect later."""

    @task
    def square(x: int) -> int:
        return x * x

    @entrypoint()
    def main(count: int) -> int:
        futures = [square(x) for x in range(count)]
        return sum(future.result() for future in futures)

    assert main.invoke(10) == 285


def test_a_workflow_tells_what_it_does_while_it_runs() -> None:
    """What is written is `custom`; what tasks and the workflow return is `updates`."""

    @entrypoint(checkpointer=InMemorySaver())
    def main(inputs: dict[str, int]) -> int:
        write = get_stream_writer()
        write("Started processing")
        result = inputs["x"] * 2
        write(f"Result is {result}")
        return result

    assert list(main.stream({"x": 5}, CONFIG, stream_mode=["custom", "updates"])) == [
        ("custom", "Started processing"),
        ("custom", "Result is 10"),
        ("updates", {"main": 10}),
    ]


def test_a_recorded_step_is_never_executed_again() -> None:
    """A failed run goes on with `None` as its input: what was done is not done twice."""
    done: list[str] = []
    shop_is_open = False

    @task
    def pay() -> str:
        done.append("pay")
        return "receipt"

    @task
    def fetch(receipt: str) -> str:
        if not shop_is_open:
            raise ConnectionError("closed")
        return f"goods for {receipt}"

    @entrypoint(checkpointer=InMemorySaver())
    def buy(_: str) -> str:
        return fetch(pay().result()).result()

    with pytest.raises(ConnectionError):
        buy.invoke("book", CONFIG)
    shop_is_open = True

    assert buy.invoke(None, CONFIG) == "goods for receipt"
    assert done == ["pay"]


def test_a_workflow_asks_a_human_and_waits_without_a_process() -> None:
    """`interrupt` ends the attempt; the answer comes later, and out of the same call."""

    @entrypoint(checkpointer=InMemorySaver())
    def publish(text: str) -> str:
        answer = interrupt({"publish?": text})
        return "published" if answer else "dropped"

    waiting: Any = publish.invoke("draft", CONFIG)
    assert [each.value for each in waiting["__interrupt__"]] == [{"publish?": "draft"}]

    assert publish.invoke(Command(resume=True), CONFIG) == "published"


def test_several_questions_are_asked_at_once_and_answered_by_their_ids() -> None:
    """Parallel questions come together, each with an id."""

    @task
    def ask(question: str) -> Any:
        return interrupt(question)

    @entrypoint(checkpointer=InMemorySaver())
    def survey(_: str) -> Any:
        return [future.result() for future in [ask("name?"), ask("age?")]]

    asked = survey.invoke("x", CONFIG)["__interrupt__"]
    answers = {"name?": "Ada", "age?": 36}

    result = survey.invoke(Command(resume={each.id: answers[each.value] for each in asked}), CONFIG)
    assert result == ["Ada", 36]


def test_a_thread_remembers_what_its_last_run_returned() -> None:
    """`previous` is what the last completed run of the thread returned, or saved."""

    @entrypoint(checkpointer=InMemorySaver())
    def count(step: int, *, previous: int | None = None) -> int:
        return step + (previous or 0)

    assert [count.invoke(1, CONFIG), count.invoke(2, CONFIG), count.invoke(3, CONFIG)] == [1, 3, 6]
    assert count.invoke(1, {"configurable": {"thread_id": "another"}}) == 1


def test_a_run_may_return_one_thing_and_save_another() -> None:
    """`entrypoint.final` sets the result and the next `previous` apart."""

    @entrypoint(checkpointer=InMemorySaver())
    def main(x: int, *, previous: int | None = None) -> Any:
        return entrypoint.final(value=previous, save=2 * x)

    assert main.invoke(3, CONFIG) is None
    assert main.invoke(1, CONFIG) == 6


def test_an_error_that_the_workflow_caught_is_caught_again_by_every_replay() -> None:
    """Outcomes are recorded, errors too: the workflow takes the same branch."""
    primary_works = False

    @task
    def primary() -> str:
        if not primary_works:
            raise ConnectionError
        return "primary"

    @task
    def fallback() -> str:
        return "fallback"

    @entrypoint(checkpointer=InMemorySaver())
    def main(_: str) -> Any:
        try:
            used = primary().result()
        except ConnectionError:
            used = fallback().result()
        return used, interrupt("go on?")

    main.invoke("x", CONFIG)
    primary_works = True

    assert main.invoke(Command(resume="yes"), CONFIG) == ("fallback", "yes")


def test_a_task_is_tried_again_as_its_policy_says() -> None:
    """`retry_policy` is a number of attempts, a policy, or several."""
    tries: list[int] = []

    @task(retry_policy=RetryPolicy(max_attempts=3, initial_interval=0, jitter=False))
    def flaky() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError
        return len(tries)

    @entrypoint()
    def main(_: str) -> int:
        return flaky().result()

    assert main.invoke("x") == 3


def test_a_step_has_an_idempotency_key_for_the_world_outside() -> None:
    """`runtime.step_id` is the same whenever this very step is executed again."""
    used: list[str] = []

    @task
    def charge(amount: int) -> None:
        used.append(get_runtime().step_id)
        if len(used) == 1:
            raise ConnectionError("did it arrive?")

    @entrypoint(checkpointer=InMemorySaver())
    def main(amount: int) -> None:
        charge(amount).result()

    with pytest.raises(ConnectionError):
        main.invoke(10, CONFIG)
    main.invoke(None, CONFIG)

    assert used[0] == used[1]


def test_calls_whose_order_may_change_are_found_by_key() -> None:
    """`task.keyed(key)` replaces the number of the call, for loops over sets or completions."""
    pages = ["a", "b", "c"]
    loaded: list[str] = []

    @task
    def load(page: str) -> str:
        loaded.append(page)
        return page.upper()

    @entrypoint(checkpointer=InMemorySaver())
    def main(_: str) -> dict[str, str]:
        texts = {page: load.keyed(page)(page).result() for page in pages}
        interrupt("go on?")
        return texts

    main.invoke("x", CONFIG)
    pages.reverse()

    assert main.invoke(Command(resume=1), CONFIG) == {"a": "A", "b": "B", "c": "C"}
    assert loaded == ["a", "b", "c"]


def test_workflows_call_workflows() -> None:
    """A nested entrypoint is a step with steps of its own, recorded like any other."""

    @task
    def double(x: int) -> int:
        return 2 * x

    @entrypoint()
    def twice(x: int) -> int:
        return double(double(x).result()).result()

    @entrypoint(checkpointer=InMemorySaver())
    def main(x: int) -> int:
        return twice.invoke(x) + 1

    assert main.invoke(3, CONFIG) == 13


def test_values_keep_their_types() -> None:
    """What comes back from the record is what was returned: a tuple stays a tuple."""

    @task
    def pair() -> tuple[int, set[str]]:
        return 1, {"a"}

    @entrypoint(checkpointer=InMemorySaver())
    def main(_: str) -> Any:
        value = pair().result()
        interrupt("go on?")
        return value

    main.invoke("x", CONFIG)

    assert main.invoke(Command(resume=1), CONFIG) == (1, {"a"})
