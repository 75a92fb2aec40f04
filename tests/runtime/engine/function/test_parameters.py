"""Parameters are filled in by name and annotation, where the caller has not given them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Optional, Union

import pytest

from penstock.runtime import InMemoryStore, RunnableConfig, Runtime, entrypoint, task
from penstock.runtime.engine.function.parameters import injectable
from penstock.runtime.engine.writer import StreamWriter
from penstock.runtime.store.store import BaseStore
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


class MyStore: ...


def function(name: str, annotation: Any) -> Callable[..., Any]:
    def work(x: int, **given: Any) -> Any: ...

    import inspect

    keyword = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
    vars(work)["__signature__"] = inspect.Signature([keyword])
    return work


NONE = object()

FILLED: list[tuple[str, Any]] = [
    ("config", RunnableConfig),
    ("config", Optional[RunnableConfig]),  # noqa: UP045
    ("config", RunnableConfig | None),
    ("config", "RunnableConfig"),
    ("config", "Optional[RunnableConfig]"),
    ("config", "RunnableConfig | None"),
    ("config", "langchain_core.runnables.RunnableConfig"),
    ("config", Mapping[str, Any]),
    ("config", "Mapping[str, Any]"),
    ("config", Any),
    ("config", "Any"),
    ("writer", StreamWriter),
    ("writer", "StreamWriter"),
    ("writer", Callable[[Any], None]),
    ("writer", "Callable[[Any], None]"),
    ("writer", Any),
    ("store", BaseStore),
    ("store", BaseStore),
    ("store", BaseStore | None),
    ("store", Union[BaseStore, None]),  # noqa: UP007
    ("store", "Optional[BaseStore]"),
    ("store", InMemoryStore),
    ("store", Any),
    ("previous", int),
    ("previous", "list[str] | None"),
    ("runtime", Runtime),
    ("runtime", Runtime[dict[str, Any]]),
    ("runtime", "Runtime[Context]"),
    ("runtime", int),
]

LEFT: list[tuple[str, Any]] = [
    ("config", dict),
    ("config", "dict"),
    ("config", dict[str, Any]),
    ("config", "dict[str, Any]"),
    ("config", str),
    ("store", MyStore),
    ("store", "MyStore"),
    ("store", dict),
    ("store", str),
    ("writer", str),
    ("writer", "csv.writer"),
]


@pytest.mark.parametrize(("name", "annotation"), FILLED, ids=str)
def test_what_is_annotated_as_what_it_is_is_filled_in(name: str, annotation: Any) -> None:
    assert injectable(function(name, annotation)) == ((name, -1),)


@pytest.mark.parametrize(("name", "annotation"), LEFT, ids=str)
def test_what_is_annotated_as_something_else_is_left_to_the_caller(
    name: str, annotation: Any
) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert injectable(function(name, annotation)) == ()

    assert [each.category for each in told] == ([UserWarning] if name == "config" else [])
    assert all("'config'" in str(each.message) for each in told)


def test_a_parameter_that_is_left_to_the_caller_is_missing_without_a_default() -> None:
    with pytest.warns(UserWarning, match="config"):

        @task
        def work(*, config: dict[str, int]) -> Any:
            return config

    @entrypoint()
    def main(_: str) -> Any:
        call: Any = work
        with pytest.raises(TypeError, match="config"):
            call().result()
        return call(config={"a": 1}).result()

    assert main.invoke("x") == {"a": 1}


def test_a_default_stays_where_nothing_is_filled_in(drive: Drive) -> None:
    @task
    def work(store: str = "default", writer: int = 7) -> Any:
        return [store, writer]

    @entrypoint()
    def main(_: str) -> Any:
        return work().result()

    assert drive(main, "x") == ["default", 7]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_positional_arguments_come_first_and_none_is_an_argument(drive: Drive, kind: str) -> None:
    def look(previous: Any, store: Any = "default", *, runtime: Any = None) -> Any:
        return [previous, store, runtime if isinstance(runtime, str) else type(runtime).__name__]

    async def alook(previous: Any, store: Any = "default", *, runtime: Any = None) -> Any:
        return look(previous, store, runtime=runtime)

    call: Any = task(look if kind == "sync" else alook, name="look")

    def calls() -> list[Any]:
        return [
            call("mine", "own"),
            call("mine"),
            call(),
            call(store=None, runtime=None),
            call("mine", runtime="own"),
        ]

    @entrypoint()
    def main(_: str) -> Any:
        return [each.result() for each in calls()]

    @entrypoint(name="main")
    async def amain(_: str) -> Any:
        return [await each for each in calls()]

    flow: Any = main if kind == "sync" else amain
    assert drive(flow, "x") == [
        ["mine", "own", "Runtime"],
        ["mine", None, "Runtime"],
        [None, None, "Runtime"],
        [None, None, "NoneType"],
        ["mine", None, "own"],
    ]


def test_an_entrypoint_may_have_them_at_any_place(drive: Drive) -> None:
    @entrypoint()
    def main(x: int, previous: Any, config: RunnableConfig, *, runtime: Runtime[Any]) -> Any:
        return [x, previous, config["configurable"]["thread_id"], runtime.execution_info.attempt]

    assert drive(main, 1) == [1, None, "thread", 1]
