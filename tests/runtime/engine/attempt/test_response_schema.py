"""Answers are checked before the run is woken, and again where they are used."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pydantic
import pytest
from pydantic import BaseModel, Field, TypeAdapter
from typing_extensions import TypedDict

from penstock.runtime import Command, InMemorySaver, Interrupt, entrypoint, interrupt, task
from penstock.runtime.errors import AnswerError, ConfigurationError, InputError
from penstock.runtime.types.answers import check_answers
from penstock.runtime.types.json_schema import type_of
from tests.runtime.flows import asked, ids, thread
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


class Approval(BaseModel):
    ok: bool
    note: Annotated[str, Field(max_length=5)] = ""


@pytest.mark.parametrize("schema", [Approval, TypeAdapter(Approval), Approval.model_json_schema()])
@pytest.mark.parametrize("where", ["body", "task"])
def test_a_bad_answer_is_an_error_and_the_run_waits_on(
    drive: Drive, schema: Any, where: str
) -> None:
    def ask() -> Any:
        answer = interrupt("sure?", response_schema=schema)
        return answer.model_dump() if isinstance(answer, Approval) else answer

    asking = task(ask)

    @entrypoint()
    def main(_: str) -> Any:
        return asking().result() if where == "task" else ask()

    result = drive(main, "x")
    assert asked(result) == ["sure?"]
    assert result["__interrupt__"][0].response_schema == Approval.model_json_schema()

    for bad, says in [
        ("yes", "valid dictionary"),
        ({"note": "x"}, "Field required"),
        ({"ok": "perhaps"}, "valid boolean"),
        ({"ok": True, "note": "much too long"}, "at most 5 characters"),
        (None, "valid dictionary"),
    ]:
        with pytest.raises(AnswerError, match=says) as caught:
            drive(main, Command(resume=bad))
        assert isinstance(caught.value, InputError)
        assert isinstance(caught.value.__cause__, pydantic.ValidationError)
    assert asked(drive(main, Command(resume={}))) == ["sure?"]

    good = drive(main, Command(resume={"ok": True, "note": "fine"}))
    assert good == {"ok": True, "note": "fine"}


def test_an_answer_may_be_an_object_of_the_type(drive: Drive) -> None:
    class Vote(BaseModel):
        """Mentioned nowhere else."""

        ok: bool

    @entrypoint()
    def main(_: str) -> Any:
        return interrupt("sure?", response_schema=Vote)

    drive(main, "x")

    assert drive(main, Command(resume=Vote(ok=True))) == Vote(ok=True)


def test_each_of_several_answers_is_checked_against_its_own_question(drive: Drive) -> None:
    @task
    def ask(question: str, kind: Any) -> Any:
        return interrupt(question, response_schema=int if kind == "int" else str)

    @entrypoint()
    def main(_: str) -> Any:
        return [future.result() for future in [ask("a", "int"), ask("b", "str")]]

    name = ids(drive(main, "x"))
    with pytest.raises(AnswerError, match=name["a"]):
        drive(main, Command(resume={name["a"]: "no number", name["b"]: "text"}))

    assert asked(drive(main, Command(resume={name["b"]: "text"}))) == ["a"]
    assert drive(main, Command(resume={name["a"]: 7})) == [7, "text"]


def test_what_only_the_code_can_refuse_is_asked_again(drive: Drive) -> None:
    def even(value: int) -> int:
        if value % 2:
            raise ValueError("odd")
        return value

    @entrypoint()
    def main(_: str) -> Any:
        found = interrupt("even?", response_schema=Annotated[int, pydantic.AfterValidator(even)])
        return [found, interrupt("and then?")]

    first = ids(drive(main, "x"))["even?"]
    again = ids(drive(main, Command(resume=3)))["even?"]
    assert again != first

    assert asked(drive(main, Command(resume=4))) == ["and then?"]
    assert drive(main, Command(resume="end")) == [4, "end"]


def test_without_a_checkpointer_the_question_has_its_schema_too() -> None:
    @entrypoint()
    def main(_: str) -> Any:
        return interrupt("how many?", response_schema=int)

    (question,) = main.invoke("x")["__interrupt__"]
    assert question.response_schema == {"type": "integer"}
    (chunk,) = main.stream("x")
    assert chunk["__interrupt__"][0].response_schema == {"type": "integer"}


def test_streams_and_tasks_events_tell_the_schema() -> None:
    @task
    def ask() -> Any:
        return interrupt("how many?", response_schema=int)

    @entrypoint(checkpointer=InMemorySaver())
    def main(_: str) -> Any:
        return ask().result()

    chunks = list(main.stream("x", thread(), stream_mode=["updates", "tasks"]))

    told = [chunk.get("interrupts") for mode, chunk in chunks if mode == "tasks"]
    assert [each[0]["response_schema"] for each in told if each] == [{"type": "integer"}] * 2
    (shown,) = [chunk["__interrupt__"] for _, chunk in chunks if "__interrupt__" in chunk]
    assert shown[0].response_schema == {"type": "integer"}


@pytest.mark.parametrize("schema", [5, object()])
def test_a_schema_of_a_wrong_kind_is_refused_where_it_is_given(schema: Any) -> None:
    @entrypoint()
    def main(_: str) -> Any:
        return interrupt("?", response_schema=schema)

    with pytest.raises(ConfigurationError, match="response_schema"):
        main.invoke("x")


def test_a_type_without_a_json_schema_is_checked_by_the_code_alone() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    def main(_: str) -> Any:
        kind = Annotated[Any, pydantic.PlainValidator(lambda value: int(value))]
        return interrupt("?", response_schema=kind)

    main.invoke("x", thread())
    assert asked(main.invoke(Command(resume="no"), thread())) == ["?"]
    assert main.invoke(Command(resume="7"), thread()) == 7


# -- types of schemas ----------------------------------------------------------------------------


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(NamedTuple):
    x: int
    y: int


class Options(TypedDict, total=False):
    size: int


@dataclass
class Order:
    items: list[Annotated[int, Field(ge=1)]]
    color: Color = Color.RED


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


class Strict(BaseModel, extra="forbid"):
    ok: bool


FITS: list[tuple[Any, list[Any], list[Any]]] = [
    (int, [1, "2", 3.0], ["x", None, 1.5, []]),
    (float, [1, 1.5, "2.5"], ["x", None]),
    (str, ["", "x"], [1, None, []]),
    (bool, [True, "yes", 0], ["perhaps", None]),
    (None, [None], [0, ""]),
    (int | None, [1, None], ["x"]),
    (Literal["a", 2], ["a", 2], ["b", 3, None]),
    (Color, ["red"], ["green", None]),
    (list[int], [[], [1, "2"], (3,)], [["x"], 1, "12"]),
    (tuple[int, str], [(1, "a"), [1, "a"]], [(1,), ("a", 1)]),
    (Point, [(1, 2)], [(1,), "xy"]),
    (dict[str, int], [{}, {"a": 1}], [{"a": "x"}, []]),
    (Options, [{}, {"size": 2}], [{"size": "x"}, 1]),
    (Order, [{"items": [1]}, {"items": [2], "color": "blue"}], [{}, {"items": [0]}]),
    (Strict, [{"ok": True}], [{"ok": True, "more": 1}]),
    (Tree, [{"value": 1, "children": [{"value": 2}]}], [{"children": []}, {"value": "x"}]),
    (date, [date(2026, 1, 2), "2026-01-02"], ["tomorrow", None]),
    (timedelta, [timedelta(1), "P1D"], ["long", None]),
    (UUID, [UUID(int=1), str(UUID(int=1))], ["x", None]),
    (Decimal, [1.5, "1.5"], [[], None]),
    (bytes, [b"x", "x"], [1, None]),
    (Annotated[int, Field(gt=0, le=10)], [1, 10], [0, 11]),
    (Annotated[str, Field(pattern="^a+$", min_length=2)], ["aa"], ["a", "ab"]),
    (Annotated[list[int], Field(min_length=1, max_length=2)], [[1], [1, 2]], [[], [1, 2, 3]]),
    (Any, [1, None, {"a": []}], []),
    (Approval | int, [{"ok": True}, 5], ["x", {}]),
]


@pytest.mark.parametrize(("kind", "good", "bad"), FITS, ids=lambda each: str(each)[:30])
def test_a_type_made_of_a_schema_takes_what_the_type_takes(
    kind: Any, good: list[Any], bad: list[Any]
) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    question = Interrupt("?", "id", adapter.json_schema())

    for answer in good:
        adapter.validate_python(answer)
        check_answers([question], {"id": answer})
    for answer in bad:
        with pytest.raises(AnswerError):
            check_answers([question], {"id": answer})


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"not": {"type": "string"}},
        {"type": "strange"},
        {"$ref": "#/nowhere"},
        {"enum": []},
    ],
)
def test_what_has_no_counterpart_takes_anything(schema: Any) -> None:
    assert TypeAdapter(type_of({"anyOf": [schema]})).validate_python("x") == "x"
