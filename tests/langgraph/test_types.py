"""Only types that are listed are stored and read, and messages say which one is missing."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import re
import threading
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple, TypedDict

import numpy as np
import pydantic
import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Interrupt, Overwrite, Send

from penstock.langgraph import PenstockSaver
from penstock.langgraph.allow_list import AllowList
from penstock.langgraph.serde import ClosedSerializer
from penstock.publisher.errors import CodecError, ConfigurationError, ValueTooLargeError
from penstock.runtime.settings import Settings
from tests.langgraph.graphs import of

THREAD: Any = {"configurable": {"thread_id": "t"}}

Saver = Callable[..., PenstockSaver]


class Weather(pydantic.BaseModel):
    city: str
    degrees: float = 0.0


@dataclasses.dataclass
class Price:
    amount: int


class Point(NamedTuple):
    x: int


class Color(enum.Enum):
    RED = "red"


OWN = [Weather(city="Rome"), Price(3), Point(1), Color.RED]


class State(TypedDict):
    value: Any


def graph(saver: PenstockSaver, value: Any) -> Any:
    builder: Any = StateGraph(State)
    builder.add_node("forecast", of(lambda state: {"value": value}))
    builder.add_edge(START, "forecast")
    return builder.compile(checkpointer=saver)


@pytest.mark.parametrize("value", OWN, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("durability", ["sync", "exit"])
def test_a_type_that_is_not_listed_is_refused_when_it_is_written(
    make_saver: Saver, value: Any, durability: str
) -> None:
    name = f"{type(value).__module__}.{type(value).__name__}"
    says = rf"'value'.*, which holds a {re.escape(name)}; name it in types=\[...\]"

    with pytest.raises(CodecError, match=says) as caught:
        graph(make_saver(), [{"inside": value}]).invoke({}, THREAD, durability=durability)

    assert caught.value.type_name == name
    found = graph(make_saver(types="any"), 0).get_state(THREAD)
    assert "value" not in found.values


@pytest.mark.parametrize("types", [[type(value) for value in OWN], "any"], ids=["listed", "any"])
@pytest.mark.parametrize("value", OWN, ids=lambda value: type(value).__name__)
def test_a_type_that_is_listed_comes_back(make_saver: Saver, types: Any, value: Any) -> None:
    saver = make_saver(types=types)
    graph(saver, [{"inside": value}]).invoke({}, THREAD)

    found = graph(make_saver(types=types), 0).get_state(THREAD).values["value"]

    assert found == [{"inside": value}]
    assert type(found[0]["inside"]) is type(value)


@pytest.mark.parametrize(
    ("path", "who"),
    [("~__pregel_pull, forecast", "node 'forecast'"), ("~__pregel_push, 1", "a task")],
)
def test_a_write_that_is_refused_names_its_node(make_saver: Saver, path: str, who: str) -> None:
    config: Any = {"configurable": {"thread_id": "t", "checkpoint_id": "1"}}
    saver = make_saver()

    with pytest.raises(CodecError, match=f"{who} wrote 'b', which holds a .*Price"):
        saver.put_writes(config, [("a", 1), ("b", Price(1))], "task", path)
    with pytest.raises(CodecError, match=f"{who} wrote 'b', which cannot be stored"):
        saver.put_writes(config, [("a", 1), ("b", object())], "task", path)


def test_the_point_after_a_refused_write_names_its_node_too(make_saver: Saver) -> None:
    at: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": "", "checkpoint_id": "1"}}
    point: Any = {"v": 4, "id": "2", "ts": "", "versions_seen": {}}
    point |= {"channel_values": {"a": Price(1)}, "channel_versions": {"a": "1"}}
    saver = make_saver()

    with pytest.raises(CodecError, match="channel 'a' was given a value, which holds"):
        saver.put(at, point, {}, {"a": "1"})
    with pytest.raises(CodecError):
        saver.put_writes(at, [("a", Price(1))], "task", "~__pregel_pull, forecast")

    with pytest.raises(CodecError, match="node 'forecast' wrote 'a', which holds"):
        saver.put(at, point, {}, {"a": "1"})
    assert saver.get_tuple(THREAD) is None


def test_a_type_may_be_listed_by_its_name(make_saver: Saver) -> None:
    saver = make_saver(types=[(Price.__module__, "Price")])

    graph(saver, Price(3)).invoke({}, THREAD)

    assert graph(saver, 0).get_state(THREAD).values == {"value": Price(3)}


def test_a_type_that_is_not_listed_is_refused_when_it_is_read(make_saver: Saver) -> None:
    graph(make_saver(types="any"), Price(3)).invoke({}, THREAD)

    with pytest.raises(CodecError, match=r"'value' holds a .*\.Price; name it in types=\[...\]"):
        graph(make_saver(), 0).get_state(THREAD)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 1.5, "é", b"\0\n~", bytearray(b"a"), [], {1: {"a": (2,)}}, {1, 2}),
        *(datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), datetime.date(2026, 1, 2)),
        uuid.UUID(int=7),
        *(decimal.Decimal("1.10"), re.compile("a+"), datetime.timedelta(1, 2, 3)),
        AIMessage("hi", tool_calls=[{"name": "f", "args": {"a": [1]}, "id": "1"}], id="m"),
        *(ToolMessage("x", tool_call_id="1"), Document("text", metadata={"page": 1})),
        *(Send("node", {"a": 1}), Command(goto="x", update={"a": 1}), Overwrite([1])),
        *(Interrupt("?", id="1"), frozenset({1}), datetime.time(1, 2)),
    ],
    ids=repr,
)
def test_types_that_are_safe_need_no_list(value: Any) -> None:
    serializer, theirs = ClosedSerializer(AllowList()), JsonPlusSerializer()

    typed = serializer.dumps_typed(value)

    assert typed == theirs.dumps_typed(value), "the form is LangGraph's"
    found = serializer.loads_typed(typed)
    assert found == theirs.loads_typed(typed)
    assert type(found) in (type(value), list)


def test_arrays_come_back_and_arrays_of_objects_are_refused() -> None:
    serializer = ClosedSerializer(AllowList())
    array = np.arange(6, dtype=np.float32).reshape(2, 3)

    assert (serializer.loads_typed(serializer.dumps_typed(array)) == array).all()
    with pytest.raises(ValueError, match="array of objects has no stored form"):
        serializer.dumps_typed([np.array([None, {}], dtype=object)])


@pytest.mark.parametrize(
    "value", [threading.Lock(), 2**70, [object()], {"a": {1: print}}], ids=["lock", "int", "o", "f"]
)
def test_a_value_that_cannot_be_stored_is_named(make_saver: Saver, value: Any) -> None:
    says = "'value'.*, which cannot be stored: .+ Keep it out of the state"

    with pytest.raises(CodecError, match=says):
        graph(make_saver(), value).invoke({}, THREAD, durability="sync")


def test_a_value_over_the_limit_is_named(make_saver: Saver) -> None:
    saver = make_saver(settings=Settings(value_limit=1000))

    with pytest.raises(ValueTooLargeError, match=r"'value'.*, which has 1003 bytes"):
        graph(saver, "x" * 1000).invoke({}, THREAD, durability="sync")


def test_a_class_that_cannot_be_read_again_is_refused_at_once() -> None:
    @dataclasses.dataclass
    class Local:
        a: int

    with pytest.raises(ConfigurationError, match="define the class at the top of its module"):
        PenstockSaver(types=[Local])
    with pytest.raises(ConfigurationError, match="has classes, or pairs"):
        PenstockSaver(types=["Price"])  # type: ignore[list-item]
    for wrong in (Price, "Price"):
        with pytest.raises(ConfigurationError, match='a list of classes or "any"'):
            PenstockSaver(types=wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="leave out either it or serde"):
        PenstockSaver(types=[Price], serde=JsonPlusSerializer())


def test_reading_imports_nothing_that_is_not_listed(make_saver: Saver) -> None:
    evil = JsonPlusSerializer(allowed_msgpack_modules=True)
    data = evil.dumps_typed(decimal.Decimal(1))[1].replace(b"decimal", b"os.path")

    with pytest.raises(CodecError, match=r"os\.path"):
        ClosedSerializer(AllowList()).loads_typed(("msgpack", data))
    for kind in ("json", "pickle"):
        with pytest.raises(CodecError, match=f"has the form '{kind}'"):
            ClosedSerializer(AllowList()).loads_typed((kind, b"{}"))


def test_a_graph_may_add_the_types_of_its_schemas(make_saver: Saver) -> None:
    saver = make_saver()

    wider = saver.with_allowlist({(Price.__module__, "Price")})

    graph(wider, Price(3)).invoke({}, THREAD)
    assert graph(wider, 0).get_state(THREAD).values == {"value": Price(3)}
    with pytest.raises(CodecError, match=r"\.Price; name it"):
        graph(saver, 0).get_state(THREAD)


class Reversed:
    """A serializer of a user's."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        kind, data = JsonPlusSerializer().dumps_typed(obj)
        return f"{kind}+reversed", data[::-1]

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        return JsonPlusSerializer().loads_typed((data[0].partition("+")[0], data[1][::-1]))


def test_a_serializer_of_the_users_takes_the_place_of_ours(make_saver: Saver) -> None:
    saver = make_saver(serde=Reversed())

    for value in (["a" * 100], ["a" * 100, "b"]):
        graph(saver, value).invoke({}, THREAD)

    assert graph(make_saver(serde=Reversed()), 0).get_state(THREAD).values == {
        "value": ["a" * 100, "b"]
    }
    with pytest.raises(CodecError, match=r"has the form 'msgpack\+reversed'"):
        graph(make_saver(), 0).get_state(THREAD)
