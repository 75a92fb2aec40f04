"""Which graphs of an app workers take, and by which names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.runtime.errors import ConfigurationError
from penstock.worker.process.app_loader import load_app

TOP = """
import operator
from typing import Annotated, TypedDict
from langgraph.func import entrypoint
from langgraph.graph import START, StateGraph
from penstock.langgraph import host
from penstock import runtime

class State(TypedDict):
    log: Annotated[list[str], operator.add]

builder = StateGraph(State)
builder.add_node("only", lambda state: {"log": ["only"]})
builder.add_edge(START, "only")
"""


@pytest.fixture(autouse=True)
def fresh_imports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What a test imports is forgotten, and where it looked for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        module = sys.modules[name]
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def names(code: str, *sources: str, file: str = "agents_app.py") -> list[str]:
    Path(file).write_text(TOP + code)
    return sorted(load_app(sources or [file]).entrypoints)


def test_each_compiled_graph_of_a_module_is_taken_by_its_name_or_its_variable() -> None:
    code = """
first = builder.compile()
second = builder.compile(name="other")

@entrypoint()
def work(x: int) -> int:
    return x

@runtime.entrypoint()
def flow(x: int) -> int:
    return x
"""
    assert names(code) == ["first", "flow", "other", "work"]


def test_an_object_may_be_named() -> None:
    code = "first = builder.compile()\nsecond = builder.compile()\n"

    assert names(code, "agents_app.py:second") == ["second"]
    assert names(code, "agents_app:first") == ["first"]


def test_a_graph_that_is_hosted_is_taken_once_by_the_name_it_is_given() -> None:
    code = """
graph = builder.compile()
agent = host(graph, name="waiter")
plain = host(builder.compile())
"""
    assert names(code) == ["plain", "waiter"]


def test_two_graphs_of_one_name_are_refused() -> None:
    Path("agents_other.py").write_text(TOP + "agent = builder.compile()\n")
    with pytest.raises(ConfigurationError, match=r"agents_app.py:agent and agents_other.py:agent"):
        names("agent = builder.compile()\n", "agents_app.py", "agents_other.py")
    with pytest.raises(ConfigurationError, match=r"two entrypoints are named 'flow'"):
        names(
            'agent = builder.compile(name="flow")\n\n@runtime.entrypoint()\n'
            "def flow(x: int) -> int:\n    return x\n",
            file="agents_third.py",
        )


def test_what_is_no_graph_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"nothing called 'nothing'"):
        names("", "agents_app.py:nothing")
    with pytest.raises(ConfigurationError, match=r"no LangGraph graph, but StateGraph"):
        names("", "agents_other.py:builder", file="agents_other.py")
    with pytest.raises(ConfigurationError, match="takes a compiled graph"):
        names("agent = host(builder)\n", file="agents_third.py")


def test_without_the_extra_a_graph_is_named_with_what_is_to_be_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "penstock.langgraph.hosting.discovery", None)

    with pytest.raises(
        ConfigurationError,
        match=r"^agents_app.py:agent is a LangGraph graph; install penstock\[langgraph\]\.$",
    ):
        names("agent = builder.compile()\n")
