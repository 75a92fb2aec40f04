"""What a project sets of its graphs, and the classes that their state may hold unnamed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from penstock.langgraph.hosting.graph_settings import GraphSettings, load_graph_settings
from penstock.publisher.codec.codec import Codec
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.diagnostics.doctor import Level, examine
from penstock.runtime.diagnostics.doctor.facts import read
from penstock.runtime.errors import ConfigurationError, RunFailedError
from penstock.runtime.executor.describing import describe
from penstock.runtime.misspelt import UnknownSettingWarning
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import load_settings
from penstock.runtime.testing import InMemoryWorker
from penstock.worker.process.app_loader import load_app

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

KITCHEN = """
import dataclasses, enum
from typing import NamedTuple
from pydantic import BaseModel

@dataclasses.dataclass
class Dish:
    name: str

class Order(BaseModel):
    table: int

class Course(enum.Enum):
    STARTER = 1

class Place(NamedTuple):
    row: int

class Opaque:
    pass
"""

AGENT = """
from typing import Any, TypedDict
from langgraph.graph import START, StateGraph
from penstock.langgraph import host
from {kitchen} import Course, Dish, Opaque, Order, Place

class State(TypedDict):
    kept: Any

def keep(state):
    return {{"kept": {kept}}}

own = StateGraph(State).add_node("keep", keep).add_edge(START, "keep").compile()
{more}
"""


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The folder of a project; what a test imports of it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if name.startswith(("kitchen", "elsewhere", "house")) or str(tmp_path) in file:
            del sys.modules[name]


def ran(kept: str, kitchen: str = "kitchen", app: str = "agent_kitchen.py", more: str = "") -> Any:
    """Run a graph that keeps something in its state; returns the run and its events' modes."""
    path = Path(app)
    path.parent.mkdir(exist_ok=True)
    path.write_text(AGENT.format(kept=kept, kitchen=kitchen, more=more))
    with InMemoryWorker(load_app([app]).entrypoints.values()) as worker:
        run = worker.client.enqueue("own", {"kept": None})
        worker.work()
        return outcome(run), {event.mode for event in run.stream(["values", "updates", "tasks"])}


def outcome(run: RunHandle) -> Any:
    try:
        return run.result(0)["kept"]
    except RunFailedError as error:
        return str(error)


@pytest.mark.parametrize(
    ("kept", "read"),
    [
        ("Dish('soup')", {"name": "soup"}),
        ("[Order(table=3)]", [{"table": 3}]),
        ("{'c': Place(4)}", {"c": {"row": 4}}),
        ("Course.STARTER", 1),
    ],
)
def test_data_classes_beside_the_graph_need_not_be_named(
    folder: Path, kept: str, read: Any
) -> None:
    (folder / "kitchen.py").write_text(KITCHEN)

    assert ran(kept)[0] == read


def test_an_object_of_such_a_class_is_one_again_after_an_answer(folder: Path) -> None:
    (folder / "kitchen.py").write_text(KITCHEN)
    more = """
from langgraph.types import interrupt
def look(state):
    interrupt("on?")
    return {"kept": type(state["kept"]).__name__}
asking = StateGraph(State).add_node("keep", keep).add_node("look", look)
asking = asking.add_edge(START, "keep").add_edge("keep", "look").compile()
"""
    (folder / "agent_kitchen.py").write_text(
        AGENT.format(kept="Order(table=3)", kitchen="kitchen", more=more)
    )
    with InMemoryWorker(load_app(["agent_kitchen.py"]).entrypoints.values()) as worker:
        run = worker.client.enqueue("asking", {"kept": None})
        worker.work()
        run.resume("on")
        worker.work()

        assert outcome(run) == "Order"


def test_data_classes_of_other_modules_of_its_package_need_not_be_named(folder: Path) -> None:
    (folder / "house").mkdir()
    (folder / "house/__init__.py").touch()
    (folder / "house/kitchen.py").write_text(KITCHEN)

    found, _ = ran("Dish('soup')", "house.kitchen", "house/agent_kitchen.py")
    assert found == {"name": "soup"}


def test_other_classes_are_refused_with_the_way_to_name_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = folder / "lib/site-packages"
    installed.mkdir(parents=True)
    (installed / "elsewhere.py").write_text(KITCHEN)
    monkeypatch.syspath_prepend(str(installed))

    assert "elsewhere.Dish; name it in types=[...]" in ran("Dish('soup')", "elsewhere")[0]


def test_a_project_names_types_and_modes_for_all_its_graphs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = folder / "lib/site-packages"
    installed.mkdir(parents=True)
    (installed / "elsewhere.py").write_text(KITCHEN)
    monkeypatch.syspath_prepend(str(installed))
    (folder / "pyproject.toml").write_text(
        '[tool.penstock]\nprefix = "p"\n'
        '[tool.penstock.langgraph]\ntypes = ["elsewhere.Dish"]\nmodes = ["custom"]\n'
    )

    assert ran("Dish('soup')", "elsewhere") == ({"name": "soup"}, {"updates", "tasks"})
    assert load_settings(environ={}, folder=folder).prefix == "p"


def test_what_a_graph_says_of_its_modes_itself_counts(folder: Path) -> None:
    (folder / "kitchen.py").write_text(KITCHEN)
    (folder / "pyproject.toml").write_text('[tool.penstock.langgraph]\nmodes = ["custom"]\n')

    _, modes = ran("1", more="own = host(own, name='own', modes=['values'])")
    assert "values" in modes


def test_any_type_of_a_project_opens_no_graph_that_names_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = folder / "lib/site-packages"
    installed.mkdir(parents=True)
    (installed / "elsewhere.py").write_text(KITCHEN)
    monkeypatch.syspath_prepend(str(installed))
    (folder / "pyproject.toml").write_text('[tool.penstock.langgraph]\ntypes = "any"\n')

    closed = "own = host(own, name='own', types=[('elsewhere', 'Order')])"
    refused, _ = ran("Dish('soup')", "elsewhere", "agent_closed.py", closed)
    assert "elsewhere.Dish; name it in types=[...]" in refused
    found, _ = ran("Dish('soup')", "elsewhere", "agent_open.py")
    assert found == {"name": "soup"}


def test_the_environment_wins_over_the_project(folder: Path) -> None:
    (folder / "pyproject.toml").write_text(
        '[tool.penstock.langgraph]\ntypes = "any"\nmodes = ["values"]\n'
    )

    environ = {"PENSTOCK_LANGGRAPH_TYPES": "shop.Price,shop:Dish"}
    found = load_graph_settings(environ=environ, folder=folder)
    assert found == GraphSettings(("shop.Price", "shop:Dish"), ("values",))
    assert found.allowed() == [("shop", "Price"), ("shop", "Dish")]
    assert load_graph_settings(environ={}, folder=folder).allowed() == "any"


def test_what_is_no_setting_of_a_graph_is_said(folder: Path) -> None:
    (folder / "kitchen.py").write_text(KITCHEN)
    with pytest.warns(UnknownSettingWarning, match="mean PENSTOCK_LANGGRAPH_TYPES"):
        load_graph_settings(environ={"PENSTOCK_LANGGRAPH_TYPE": "x"}, folder=folder)
    for table, said in [
        ('typs = ["a.B"]', "'typs', which is no setting"),
        ('types = ["Price"]', "and 'Price' is neither"),
        ('modes = ["tools"]', "not 'tools'"),
    ]:
        (folder / "pyproject.toml").write_text(f"[tool.penstock.langgraph]\n{table}\n")
        with pytest.raises(ConfigurationError, match=said):
            ran("1")


def test_the_doctor_names_graphs_that_read_any_type(
    folder: Path, redis_url: str, redis_client: redis.Redis
) -> None:
    (folder / "kitchen.py").write_text(KITCHEN)
    more = "trusting = host(own, name='trusting', types='any')"
    (folder / "agent_kitchen.py").write_text(AGENT.format(kept="1", kitchen="kitchen", more=more))
    app = load_app(["agent_kitchen.py"])
    keys = Keys()
    with Client(redis_url) as client:
        describe(client.connection, keys, app, time.time())
        redis_client.zadd(keys.entrypoints, {"trusting": (time.time() + 60) * 1000, "t:x": 9e15})

        reading = read(redis_client, keys, Codec(), cli="redis-cli", all_keys=True)

    (found,) = [each for each in examine(reading) if each.check == "graphs"]
    assert (found.level, found.message) == (Level.WARNING, 'types="any": trusting')
