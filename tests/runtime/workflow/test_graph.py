"""What an entrypoint says of its shape: a graph of three nodes, and the entrypoints it calls."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
from typing import Any

import pytest

from penstock.runtime import entrypoint, task
from penstock.runtime.workflow.drawing import Edge, Graph, Node


@task
def double(x: int) -> int:
    return 2 * x


@entrypoint()
def leaf(x: int) -> int:
    return double(x).result()


@entrypoint()
def middle(x: int) -> list[int]:
    return [leaf.invoke(y) for y in range(x)]


@entrypoint()
def countdown(x: int) -> Any:
    return countdown.invoke(x - 1) if x else 0


@entrypoint()
def top(x: int) -> tuple[Any, ...]:
    return middle.invoke(x), countdown.invoke(x)


@entrypoint()
async def atop(x: int) -> Any:
    return await leaf.ainvoke(x)


def names(flow: Any, **options: Any) -> list[str]:
    """The names of the entrypoints that one is found to call."""
    return [name for name, _ in flow.get_subgraphs(**options)]


# -- the graph -----------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", [leaf, top, atop], ids=lambda flow: flow.name)
@pytest.mark.parametrize("xray", [False, True, 2])
def test_a_graph_is_start_body_end_whatever_the_body_calls(flow: Any, xray: int) -> None:
    graph = flow.get_graph(xray=xray)

    assert graph == Graph(
        {
            "__start__": Node("__start__", "__start__"),
            flow.name: Node(flow.name, flow.name, flow),
            "__end__": Node("__end__", "__end__"),
        },
        [Edge("__start__", flow.name), Edge(flow.name, "__end__")],
    )
    assert graph == asyncio.run(flow.aget_graph(xray=xray))


def test_a_graph_knows_its_first_and_its_last_node() -> None:
    graph = leaf.get_graph({"configurable": {"thread_id": "t"}})

    assert graph.first_node() == graph.nodes["__start__"]
    assert graph.last_node() == graph.nodes["__end__"]


def test_a_graph_with_two_beginnings_has_no_first_node() -> None:
    nodes = {name: Node(name, name) for name in "abc"}

    assert Graph(nodes, [Edge("a", "c"), Edge("b", "c")]).first_node() is None
    assert Graph(nodes, [Edge("a", "b"), Edge("a", "c")]).last_node() is None


def test_a_graph_can_be_written_as_json() -> None:
    told = leaf.get_graph().to_json()

    assert json.loads(json.dumps(told)) == {
        "nodes": [
            {"id": "__start__"},
            {
                "id": "leaf",
                "type": "runnable",
                "data": {"id": [*__name__.split("."), "leaf"], "name": "leaf"},
            },
            {"id": "__end__"},
        ],
        "edges": [
            {"source": "__start__", "target": "leaf"},
            {"source": "leaf", "target": "__end__"},
        ],
    }


def test_json_says_what_is_special_of_an_edge() -> None:
    nodes = {name: Node(name, name) for name in "ab"}

    told = Graph(nodes, [Edge("a", "b", "maybe", conditional=True)]).to_json()

    assert told["edges"] == [{"source": "a", "target": "b", "data": "maybe", "conditional": True}]


def test_a_graph_of_a_callable_without_a_name_of_its_own_can_be_written() -> None:
    def add(more: int, x: int) -> int:
        return x + more

    flow = entrypoint(name="plus two")(functools.partial(add, 2))

    assert flow.get_graph().to_json()["nodes"][1]["data"]["name"] == "plus two"


def test_a_graph_is_drawn_as_a_mermaid_flowchart() -> None:
    assert leaf.get_graph().draw_mermaid() == (
        "graph TD\n"
        '    n0(["__start__"])\n'
        '    n1["leaf"]\n'
        '    n2(["__end__"])\n'
        "    n0 --> n1\n"
        "    n1 --> n2\n"
    )


def test_names_that_mean_something_to_mermaid_are_safe_in_a_drawing() -> None:
    @entrypoint(name='end "<b>#1')
    def flow(x: int) -> int:
        return x

    assert 'n1["end #quot;#lt;b#gt;#35;1"]' in flow.get_graph().draw_mermaid()


def test_a_drawing_shows_conditions_and_labels() -> None:
    nodes = {name: Node(name, name) for name in "ab"}

    drawn = Graph(nodes, [Edge("a", "b", "may|be", conditional=True)]).draw_mermaid()

    assert 'n0 -.->|"may|be"| n1' in drawn


def test_a_graph_is_frozen() -> None:
    graph = leaf.get_graph()

    for each, name in ((graph, "nodes"), (graph.nodes["leaf"], "id"), (graph.edges[0], "source")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(each, name, "other")


# -- the entrypoints it calls --------------------------------------------------------------------


def test_entrypoints_that_are_globals_of_the_function_are_found() -> None:
    assert list(top.get_subgraphs()) == [("middle", middle), ("countdown", countdown)]
    assert list(atop.get_subgraphs()) == [("leaf", leaf)]


def test_a_reference_inside_of_a_comprehension_or_an_inner_function_counts() -> None:
    @entrypoint()
    async def main(x: int) -> Any:
        async def one(y: int) -> Any:
            return await leaf.ainvoke(y)

        return await asyncio.gather(*(one(y) for y in range(x)))

    assert list(middle.get_subgraphs()) == [("leaf", leaf)]
    assert list(main.get_subgraphs()) == [("leaf", leaf)]


def test_entrypoints_in_the_closure_of_the_function_are_found() -> None:
    @entrypoint(checkpointer=False)
    def child(x: int) -> int:
        return x

    @entrypoint()
    def main(x: int) -> Any:
        return child.invoke(x)

    assert list(main.get_subgraphs()) == [("child", child)]


def test_a_closure_that_is_not_filled_yet_is_passed_over() -> None:
    @entrypoint()
    def main(x: int) -> Any:
        return later.invoke(x)

    assert names(main) == []
    later = leaf
    assert names(main) == ["leaf"]


def test_an_entrypoint_is_found_once_under_the_name_it_was_declared_with() -> None:
    alias = leaf

    @entrypoint()
    def main(x: int) -> int:
        return alias.invoke(x) + leaf.invoke(x)

    assert list(main.get_subgraphs()) == [("leaf", leaf)]


def test_what_a_task_calls_is_not_found() -> None:
    @task
    def work(x: int) -> int:
        return leaf.invoke(x)

    @entrypoint()
    def main(x: int) -> int:
        return work(x).result()

    assert names(main) == []


def test_an_attribute_that_is_called_like_a_global_is_not_a_reference() -> None:
    @entrypoint()
    def main(x: Any) -> Any:
        return x.leaf

    assert names(main) == []


def test_partials_methods_and_callable_objects_are_looked_into() -> None:
    class Service:
        def work(self, x: int) -> int:
            return leaf.invoke(x)

        def __call__(self, x: int) -> int:
            return middle.invoke(x)[0]

    class Made:
        def __init__(self, x: int) -> None:
            self.x = leaf.invoke(x)

    def plain(more: int, x: int) -> int:
        return leaf.invoke(x) + more

    @functools.wraps(plain)
    def wrapper(more: int, x: int) -> int:
        return plain(more, x)

    assert names(entrypoint()(Service().work)) == ["leaf"]
    assert names(entrypoint()(Service())) == ["middle"]
    assert names(entrypoint()(functools.partial(plain, 1))) == ["leaf"]
    assert names(entrypoint()(wrapper)) == ["leaf"]
    assert names(entrypoint()(Made)) == []


def test_recursion_finds_what_the_found_ones_refer_to_under_the_whole_path() -> None:
    assert names(top, recurse=True) == [
        "middle",
        "middle|leaf",
        "countdown",
        "countdown|countdown",
    ]


def test_a_namespace_is_the_one_that_is_wanted() -> None:
    assert list(top.get_subgraphs(namespace="middle")) == [("middle", middle)]
    assert list(top.get_subgraphs(namespace="middle|leaf", recurse=True)) == [("middle|leaf", leaf)]
    assert names(top, namespace="other", recurse=True) == []


def test_an_entrypoint_that_calls_itself_is_found_and_comes_to_an_end() -> None:
    assert list(countdown.get_subgraphs(recurse=True)) == [("countdown", countdown)]


def test_the_async_twin_finds_the_same() -> None:
    async def found() -> list[Any]:
        return [each async for each in top.aget_subgraphs(recurse=True)]

    assert asyncio.run(found()) == list(top.get_subgraphs(recurse=True))
