"""Which graphs of an app workers take, and by which names."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.langgraph.redis.keys import GraphKeys
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.redis.keys import Keys, thread_key
from penstock.runtime.testing import InMemoryWorker
from penstock.worker.process.app_loader import load_app

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

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
    with pytest.raises(ConfigurationError, match=r"no LangGraph graph, but int"):
        names("number = 3\n", "agents_other.py:number", file="agents_other.py")
    with pytest.raises(ConfigurationError, match="takes a graph as"):
        names("agent = host(3)\n", file="agents_third.py")
    with pytest.raises(ConfigurationError, match="makes no graph, but int"):
        names("def make():\n    return 3\n", "agents_fourth:make", file="agents_fourth.py")
    with pytest.raises(ConfigurationError, match=r"make has a parameter 'size'"):
        names("def make(size):\n    return 3\n", "agents_fifth:make", file="agents_fifth.py")
    with pytest.raises(ConfigurationError, match=r"empty config.*KeyError: 'user'"):
        code = "def make(config):\n    return config['user']\n"
        names(code, "agents_sixth:make", file="agents_sixth.py")


def test_builders_and_functions_are_taken_where_they_are_named() -> None:
    code = """
def make():
    return builder

async def make_later(config):
    return builder.compile(name=config["configurable"].get("tone", "kind"))
"""
    assert names(code, "agents_app:builder") == ["builder"]
    assert names(code, "agents_app:make") == ["make"]
    assert names(code, "agents_app:make_later") == ["kind"]
    with pytest.raises(ConfigurationError, match="defines no entrypoint"):
        names(code, "agents_app")


FACTORIES = """
import contextlib
from langchain_core.runnables import RunnableConfig

OPEN = []

def graph(config):
    tone = config["configurable"].get("tone")
    own = StateGraph(State)
    own.add_node("only", lambda state: {"log": [tone, len(OPEN)]})
    own.add_edge(START, "only")
    return own

def plain(config: RunnableConfig):
    return graph(config)

async def later(given: RunnableConfig):
    return graph(given).compile()

def generator(config):
    OPEN.append(1)
    yield graph(config)
    OPEN.pop()

async def async_generator(config):
    OPEN.append(1)
    yield graph(config)
    OPEN.pop()

@contextlib.contextmanager
def managed(config):
    OPEN.append(1)
    yield graph(config)
    OPEN.pop()

@contextlib.asynccontextmanager
async def async_managed(config):
    OPEN.append(1)
    yield graph(config)
    OPEN.pop()
"""


@pytest.mark.parametrize(
    ("name", "held"),
    [
        *(("plain", 0), ("later", 0), ("generator", 1), ("async_generator", 1)),
        *(("managed", 1), ("async_managed", 1)),
    ],
)
def test_a_function_makes_a_graph_for_each_attempt(name: str, held: int) -> None:
    Path("agents_made.py").write_text(TOP + FACTORIES)
    app = load_app([f"agents_made.py:{name}"])
    with InMemoryWorker(app.entrypoints.values()) as worker:
        for tone in ("kind", "stern"):
            config = {"configurable": {"tone": tone}}
            run = worker.client.enqueue(name, {"log": []}, config=config)
            worker.work()
            assert run.result(0) == {"log": [tone, held]}

    assert sys.modules["agents_made"].OPEN == []


RUNTIMES = """
import dataclasses
from langgraph_sdk.runtime import ServerRuntime

CALLED_FOR = []

@dataclasses.dataclass
class Mood:
    tone: str

async def make(told: ServerRuntime[Mood], config):
    CALLED_FOR.append(told.access_context)
    told.store.put(("made",), "how", {"for": told.access_context})
    running = told.execution_runtime
    tone = running.context.tone if running else "none"
    own = StateGraph(State, context_schema=Mood)
    own.add_node("only", lambda state: {"log": [tone, config["configurable"].get("x")]})
    own.add_edge(START, "only")
    return own
"""


def test_a_function_that_makes_a_graph_is_told_why() -> None:
    Path("agents_told.py").write_text(TOP + RUNTIMES)
    app = load_app(["agents_told.py:make"])
    with InMemoryWorker(app.entrypoints.values()) as worker:
        run = worker.client.enqueue(
            "make", {"log": []}, context={"tone": "kind"}, config={"configurable": {"x": 1}}
        )
        worker.work()
        assert run.result(0) == {"log": ["kind", 1]}

    assert sys.modules["agents_told"].CALLED_FOR == ["assistants.read", "threads.create_run"]


PLAIN = """
from typing import Any, TYPE_CHECKING

import langgraph_sdk as sdk

def make(config: dict[str, Any], told: "sdk.ServerRuntime" = None, other: "sdk.Missing" = None):
    own = StateGraph(State)
    own.add_node("only", lambda state: {"log": [config["configurable"].get("x")]})
    own.add_edge(START, "only")
    return own
"""


def test_a_function_that_makes_a_graph_may_have_any_annotations() -> None:
    Path("agents_plain.py").write_text(TOP + PLAIN)
    app = load_app(["agents_plain.py:make"])
    with InMemoryWorker(app.entrypoints.values()) as worker:
        config = {"configurable": {"x": 1}}
        run = worker.client.enqueue("make", {"log": []}, context={"tone": "kind"}, config=config)
        worker.work()

        assert run.result(0) == {"log": [1]}


def test_a_langgraph_json_sets_types_and_the_store(caplog: pytest.LogCaptureFixture) -> None:
    code = """
import dataclasses

@dataclasses.dataclass
class Dish:
    name: str

def embed(texts):
    return [[float(len(text)), 1.0] for text in texts]

def keep(state, *, store):
    store.put(("dishes",), "soup", {"text": "soup"})
    found = store.search(("dishes",), query="soup")
    return {"log": [Dish(found[0].key), found[0].score is not None]}

own = StateGraph(State)
own.add_node("keep", keep)
own.add_edge(START, "keep")
"""
    Path("agents_typed.py").write_text(TOP + code)
    given = {
        "graphs": {"one": "./agents_typed.py:own"},
        "checkpointer": {
            "serde": {"allowed_msgpack_modules": [["agents_typed", "Dish"]]},
            "ttl": {"strategy": "keep_latest", "default_ttl": 5, "sweep_limit": 3},
            "path": "x.py:y",
        },
        "store": {"index": {"dims": 2, "embed": "./agents_typed.py:embed"}, "path": "x.py:y"},
    }
    Path("langgraph.json").write_text(json.dumps(given))

    app = load_app(["langgraph.json"])

    unread = "checkpointer.path, checkpointer.ttl.sweep_limit, checkpointer.ttl, as its strategy is"
    assert f"does not look at {unread} not 'delete', store.path" in caplog.text
    with InMemoryWorker(app.entrypoints.values()) as worker:
        run = worker.client.enqueue("one", {"log": []})
        worker.work()
        assert run.result(0) == {"log": [{"name": "soup"}, True]}


def _with_ttl(**ttl: Any) -> None:
    Path("agents_kept.py").write_text(f"{TOP}first = builder.compile()\n")
    given = {"graphs": {"kept": "./agents_kept.py:first"}, "checkpointer": {"ttl": ttl}}
    Path("langgraph.json").write_text(json.dumps(given))


def test_a_langgraph_json_says_how_long_threads_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    _with_ttl(strategy="delete", sweep_interval_minutes=60, default_ttl=5)

    app = load_app(["langgraph.json"])

    assert "does not look at" not in caplog.text
    with InMemoryWorker(app.entrypoints.values()) as worker:
        client = worker.client
        for name in ("usual", "own"):
            client.enqueue("kept", {"log": []}, thread_id=name)
            worker.work()
            if name == "own":
                client.thread(name).expire(3600)
                client.enqueue("kept", {"log": []}, thread_id=name)
                worker.work()
        client.enqueue("kept", {"log": []})
        worker.work()

        keys, graphs = Keys(), GraphKeys()
        for name, seconds in (("usual", 300), ("own", 3600)):
            for key in (keys.thread(thread_key(name)), graphs.thread(thread_key(name))):
                assert seconds - 60 < worker.connection.ttl(key) <= seconds


@pytest.mark.parametrize("minutes", [0, -1, "5", True])
def test_a_langgraph_json_keeps_threads_for_a_number_of_minutes(minutes: Any) -> None:
    _with_ttl(default_ttl=minutes)
    with pytest.raises(ConfigurationError, match="default_ttl` is a number of minutes"):
        load_app(["langgraph.json"])


def test_a_langgraph_json_names_graphs_and_what_they_need(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNOWN", "before")
    monkeypatch.delenv("FRESH", raising=False)
    Path("shop/src").mkdir(parents=True)
    Path("shop/agents_json.py").write_text(f"{TOP}first = builder.compile(name='own')\n")
    Path("shop/.env").write_text("# no\nKNOWN=after\nexport FRESH='new'\n")
    given = {
        "graphs": {"one": "./agents_json.py:first", "two": {"path": "agents_json:builder"}},
        "env": ".env",
        "dependencies": [".", "langgraph>=1"],
        "python_version": "3.12",
    }
    Path("shop/langgraph.json").write_text(json.dumps(given))

    assert sorted(load_app(["shop/langgraph.json"]).entrypoints) == ["one", "two"]

    assert (os.environ["KNOWN"], os.environ.pop("FRESH")) == ("before", "new")
    assert "does not look at python_version" in caplog.text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "it is to be a JSON object"),
        ('{"graphs": {}}', "names no graphs"),
        ('{"graphs": {"a": "agent.py"}}', r"graph 'a' is given as ./file.py:object"),
        ('{"graphs": {"a": "./agents_none.py:x"}}', "there is no file"),
        ('{"graphs": {"a": "x:y"}, "env": ".none"}', "there is no file '.none' for `env`"),
        ('{"graphs": {"a": "x:y"}, "dependencies": ["./none"]}', "there is no folder"),
        ('{"graphs": {"a": "x:y"}, "store": 3}', "`store` is to be a JSON object"),
        (
            '{"graphs": {"a": "x:y"}, "checkpointer": {"serde": {"allowed_msgpack_modules": [3]}}}',
            r'is true, or a list of \["module", "Class"\], not \[3\]',
        ),
        (
            '{"graphs": {"a": "x:y"}, "dependencies": ["no-such-package>=2"]}',
            "needs 'no-such-package>=2', which is not installed",
        ),
    ],
)
def test_a_langgraph_json_that_cannot_be_used_is_refused(given: str, said: str) -> None:
    Path("langgraph.json").write_text(given)

    with pytest.raises(ConfigurationError, match=said):
        load_app(["langgraph.json"])


def test_an_old_langgraph_is_refused_with_the_line_that_updates_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def version(_: str) -> str:
        return "1.2.9"

    monkeypatch.setattr("importlib.metadata.version", version)

    with pytest.raises(ConfigurationError, match=r"1.2.9 is installed: pip install 'langgraph>="):
        names("agent = builder.compile()\n")


def test_without_the_extra_a_graph_is_named_with_what_is_to_be_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "penstock.langgraph.hosting.discovery", None)

    with pytest.raises(
        ConfigurationError,
        match=r"^agents_app.py:agent is a LangGraph graph; install penstock\[langgraph\]\.$",
    ):
        names("agent = builder.compile()\n")
