"""The keywords of a call, and what they refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from penstock.runtime import (
    Command,
    GraphOutput,
    InMemorySaver,
    RedisSaver,
    entrypoint,
    interrupt,
    task,
)
from penstock.runtime.errors import ConfigurationError, InvalidUpdateError, PenstockError
from tests.runtime.flows import Calls, thread

Call = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Calls a method of an entrypoint, or its async twin; streams come as lists."""

    def call(flow: Any, method: str, *args: Any, **options: Any) -> Any:
        if request.param == "sync":
            result = getattr(flow, method)(*args, **options)
            return list(result) if method == "stream" else result

        async def acall() -> Any:
            if method == "stream":
                return [chunk async for chunk in flow.astream(*args, **options)]
            return await getattr(flow, f"a{method}")(*args, **options)

        return asyncio.run(acall())

    return call


@task
def double(x: int) -> int:
    return 2 * x


def doubling(saver: RedisSaver | None = None) -> Any:
    @entrypoint(checkpointer=saver)
    def main(x: int, *, previous: Any = None) -> Any:
        return entrypoint.final(value=double(x).result(), save=[previous, x])

    return main


@pytest.mark.parametrize("method", ["invoke", "stream"])
def test_decide_16_unknown_keywords_are_refused(call: Call, method: str) -> None:
    with pytest.raises(TypeError, match=r"'strem_mode', which .*there are .*stream_mode"):
        call(doubling(), method, 1, strem_mode="values")
    with pytest.raises(PenstockError, match="main"):
        call(doubling(), method, 1, tags=["a"])


@pytest.mark.parametrize("method", ["invoke", "stream"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"version": "v3"}, "v3"),
        ({"durability": "none"}, "none"),
        ({"output_keys": "other"}, "'other'"),
        ({"output_keys": ["__end__", "other"]}, "'other'"),
        ({"interrupt_before": ["other"]}, "'other'"),
        ({"interrupt_after": "other"}, "'other'"),
        ({"interrupt_before": "*"}, "checkpointer"),
        ({"config": {"recursion_limit": 0}}, "recursion_limit"),
        ({"config": {"max_concurrency": -1}}, "max_concurrency must be .* least 1, not -1"),
        ({"config": {"max_concurrency": 0}}, "max_concurrency must be .* least 1, not 0"),
        ({"config": {"max_concurrency": "a"}}, "max_concurrency must be a number"),
        ({"config": "thread"}, "a config is a dict such as"),
        ({"config": {"configurable": "thread"}}, "'configurable' of a config is a dict"),
        ({"stream_mode": "valuez"}, "valuez"),
        ({"print_mode": "valuez"}, "valuez"),
    ],
)
def test_values_that_cannot_be_are_refused(
    call: Call, method: str, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        call(doubling(), method, 1, **options)


def test_what_is_none_in_a_config_says_nothing(call: Call) -> None:
    config = {"configurable": None, "metadata": None, "tags": None, "max_concurrency": None}

    assert call(doubling(), "invoke", 1, config) == 2
    assert call(doubling().with_config(tags=["a"]), "invoke", 1, config) == 2


def test_a_recursion_limit_has_no_other_meaning(call: Call) -> None:
    assert call(doubling(), "invoke", 1, {"recursion_limit": 1}) == 2


def test_durability_without_a_checkpointer_warns(call: Call) -> None:
    with pytest.warns(UserWarning, match="no checkpointer"):
        assert call(doubling(), "invoke", 1, durability="sync") == 2


@pytest.mark.parametrize("update", [{"update": {"a": 1}}, {"goto": "x"}, {"graph": Command.PARENT}])
def test_a_command_for_graphs_of_nodes_is_refused(call: Call, update: dict[str, Any]) -> None:
    with pytest.raises(InvalidUpdateError, match=next(iter(update))):
        call(doubling(InMemorySaver()), "invoke", Command(**update), thread())


def test_a_command_that_is_returned_is_a_value(saver: RedisSaver, call: Call) -> None:
    @entrypoint(checkpointer=saver)
    def main(_: str) -> Command:
        return Command(update={"a": 1}, goto="b")

    assert call(main, "invoke", "x", thread()) == Command(update={"a": 1}, goto="b")
    assert call(main, "invoke", None, thread()) == Command(update={"a": 1}, goto="b")


# -- version="v2" --------------------------------------------------------------------------------


def test_version_2_of_invoke_tells_value_and_questions_apart(saver: RedisSaver, call: Call) -> None:
    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        return interrupt("?")

    asked = call(main, "invoke", "x", thread(), version="v2")
    assert isinstance(asked, GraphOutput)
    assert (asked.value, [each.value for each in asked.interrupts]) == (None, ["?"])

    done = call(main, "invoke", Command(resume=1), thread(), version="v2")
    assert done == GraphOutput(1)
    assert call(main, "invoke", None, thread(), version="v2") == GraphOutput(1)


def test_version_2_of_a_nested_call_is_an_output_too(call: Call) -> None:
    child = doubling()

    @entrypoint()
    def main(x: int) -> Any:
        return child.invoke(x, version="v2").value

    assert call(main, "invoke", 1) == 2


# -- what is shown -------------------------------------------------------------------------------


def test_invoke_with_another_stream_mode_gives_all_chunks(call: Call) -> None:
    assert call(doubling(), "invoke", 1, stream_mode="updates") == [{"double": 2}, {"main": 2}]
    assert call(doubling(), "invoke", 1, stream_mode=["values"]) == [("values", 2)]
    assert call(doubling(), "invoke", 1, stream_mode=["values"], version="v2") == [
        {"type": "values", "ns": (), "data": 2, "interrupts": ()}
    ]


def test_output_keys_show_what_was_saved(saver: RedisSaver, call: Call) -> None:
    main = doubling(saver)

    assert call(main, "invoke", 1, thread(), output_keys="__end__") == 2
    assert call(main, "invoke", 2, thread(), output_keys="__previous__") == [[None, 1], 2]
    assert call(main, "invoke", None, thread(), output_keys="__previous__") == [[None, 1], 2]
    both = ["__end__", "__previous__"]
    assert call(main, "stream", 3, thread(), output_keys=both, stream_mode="values")[-1] == {
        "__end__": 6,
        "__previous__": [[[None, 1], 2], 3],
    }
    assert call(main, "invoke", 4, thread("other"), output_keys=both)["__end__"] == 8


def test_printed_modes_change_nothing_else(
    saver: RedisSaver, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    main = doubling(saver)

    assert call(main, "invoke", 1, thread(), print_mode="updates") == 2
    assert capsys.readouterr().out == "[updates] {'double': 2}\n[updates] {'main': 2}\n"
    assert call(main, "stream", 1, thread(), print_mode=["values"]) == [{"double": 2}, {"main": 2}]
    assert capsys.readouterr().out == "[values] 2\n"
    call(main, "invoke", 1, thread(), debug=True)
    assert capsys.readouterr().out.splitlines()[-2:] == ["[updates] {'main': 2}", "[values] 2"]
    call(main, "invoke", 1, thread(), print_mode=(), debug=False)
    assert capsys.readouterr().out == ""


# -- stops before and after ----------------------------------------------------------------------


@pytest.mark.parametrize("nodes", ["*", ["main"], "main"])
def test_a_run_stopped_before_its_body_goes_on_with_none(
    saver: RedisSaver, call: Call, nodes: Any
) -> None:
    calls = Calls()

    @entrypoint(checkpointer=saver)
    def main(x: int) -> int:
        calls(x)
        return x + 1

    assert call(main, "stream", 1, thread(), interrupt_before=nodes) == [{"__interrupt__": ()}]
    assert calls.made == []
    assert call(main, "invoke", None, thread(), interrupt_before=nodes) == 2
    assert call(main, "invoke", 5, thread(), interrupt_before=nodes) == {"__interrupt__": []}
    assert call(main, "invoke", 7, thread()) == 8
    assert calls.made == [1, 7]


def test_a_stop_after_the_body_is_the_last_chunk(saver: RedisSaver, call: Call) -> None:
    main = doubling(saver)

    chunks = call(main, "stream", 1, thread(), stream_mode=["values"], interrupt_after="*")

    assert chunks[-2:] == [("values", 2), ("values", {"__interrupt__": ()})]
    assert call(main, "invoke", None, thread()) == 2


# -- bound configs and copies --------------------------------------------------------------------


def test_a_config_can_be_bound(saver: RedisSaver, call: Call) -> None:
    @entrypoint(checkpointer=saver)
    def main(x: int, *, config: Any, previous: int = 0) -> Any:
        found = config["configurable"]
        return entrypoint.final(
            value=[found["thread_id"], found.get("user"), config.get("tags")],
            save=(previous or 0) + x,
        )

    bound = main.with_config({"configurable": {"thread_id": "t", "user": "u"}, "tags": ["a"]})

    assert call(bound, "invoke", 1) == ["t", "u", ["a"]]
    more = {"configurable": {"user": "v"}, "tags": ["b"]}
    assert call(bound, "invoke", 1, more) == ["t", "v", ["a", "b"]]
    assert call(bound.with_config(tags=["c"]), "invoke", 1)[2] == ["a", "c"]
    with pytest.raises(ConfigurationError, match="thread_id"):
        call(main, "invoke", 1)


def test_a_copy_differs_in_what_it_is_told_to(call: Call) -> None:
    main = doubling(InMemorySaver())

    assert call(main.copy({"checkpointer": None}), "invoke", 1) == 2
    assert call(main.copy(), "invoke", 1, thread(), output_keys="__previous__") == [None, 1]
    assert main.copy({"name": "other"}).name == "other"
    with pytest.raises(TypeError, match="'color'"):
        main.copy({"color": "red"})
