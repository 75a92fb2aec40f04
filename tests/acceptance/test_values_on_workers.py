"""What comes back is what was there, also when another worker process goes on with a run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import RunFailedError
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.until import reaches

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

FLOWS = """
import sys
from collections.abc import Iterable
from enum import Enum
from typing import Annotated, Any, Generic, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from pydantic import AfterValidator, BaseModel, create_model, model_validator

from penstock.runtime import Client, entrypoint, interrupt, task

T = TypeVar("T")


def in_cents(euros: float) -> float:
    with open("{log}", "a") as log:
        log.write("converted ")
    return euros * 100


Cents = Annotated[float, AfterValidator(in_cents)]


class Item(BaseModel):
    x: int


class Box(BaseModel, Generic[T]):
    content: T


class Order(BaseModel):
    total: int

    @model_validator(mode="before")
    @classmethod
    def add(cls, data: Any) -> Any:
        return {{"total": data["net"] + data["tax"]}}


class Code(Enum):
    GONE = 410


class Response:
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


class StatusError(Exception):
    def __init__(self, message: str, *, response: Response) -> None:
        super().__init__(message)
        self.response = response
        self.code = Code.GONE
        self.log = sys.stderr


Text = create_model("Answer", text=(str, "nothing"))
Score = create_model("Answer", score=(int, 0))


@task
def fetch() -> str:
    raise StatusError("404 Not Found", response=Response(404))


@task
def say() -> Text:
    return Text(text="hello")


@task
def rate() -> Score:
    return Score(score=5)


@task
def talk(messages: list[BaseMessage]) -> BaseMessage:
    return AIMessage("hello")


@task
def count(votes: dict[str, int]) -> int:
    return len(votes)


@entrypoint()
def pay(amount: Cents) -> list:
    return [amount, interrupt("go on?")]


@entrypoint()
def order(given: Order) -> int:
    return given.total


@entrypoint()
def average(numbers: Iterable[int]) -> list:
    return [sum(numbers), sum(numbers), interrupt("go on?")]


@entrypoint()
def page(touch: bool) -> list:
    try:
        fetch().result()
    except StatusError as error:
        found = [error.response.status_code, error.code is Code.GONE]
        if touch:
            found.append(hasattr(error, "log"))
    return [*found, interrupt("go on?")]


@entrypoint()
def both(_: str) -> list:
    return [repr(say().result()), repr(rate().result()), interrupt("go on?")]


@entrypoint()
def chat(messages: list[BaseMessage]) -> list:
    answer = talk(messages).result()
    return [type(answer).__name__, [type(each).__name__ for each in messages], interrupt("go on?")]


@entrypoint()
def votes(_: str) -> list:
    keys = {{"a", "b", "c", "d", "e", "f"}}  # in another order in each process
    return [count(dict.fromkeys(keys, 1)).result(), interrupt("go on?")]


@entrypoint()
def boxes(x: int) -> list[Box[Item | None] | Box[list[Item]]]:
    return [Box[Item | None](content=Item(x=x)), Box[list[Item]](content=[Item(x=x)])]


if __name__ == "__main__":
    for box in Client().enqueue(boxes, 1).result(10):
        assert type(box) in (Box[Item | None], Box[list[Item]]), type(box)
        print(type(box.content).__name__)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app of its own, which the process of the tests has not loaded."""
    file = tmp_path / "flows.py"
    file.write_text(FLOWS.format(log=tmp_path / "log"))
    return file


def answered_by_another(fleet: Fleet, app: Path, run: RunHandle) -> object:
    """The result of a run that one worker process begins and another ends."""
    first = fleet.start(app=str(app))
    reaches(run, RunStatus.SUSPENDED)
    first.term()
    first.wait()
    fleet.start(app=str(app))
    run.resume("yes")
    return run.result(20)


@pytest.mark.parametrize(
    ("name", "given", "result"),
    [
        ("pay", 5, [500.0, "yes"]),
        ("average", [1, "2"], [3, 3, "yes"]),
        ("page", False, [404, True, "yes"]),
        ("both", "x", ["Answer(text='hello')", "Answer(score=5)", "yes"]),
        ("votes", "x", [6, "yes"]),
    ],
)
def test_another_worker_goes_on_with_what_was_there(
    fleet: Fleet,
    client: Client,
    app: Path,
    checker: Checker,
    name: str,
    given: object,
    result: list[object],
) -> None:
    run = client.enqueue(name, given)

    assert answered_by_another(fleet, app, run) == result
    log = app.with_name("log")
    assert (log.read_text() if log.exists() else "") == ("converted " if name == "pay" else "")
    checker.check(over=True)


def test_messages_of_langchain_are_the_same_on_another_worker(
    fleet: Fleet, client: Client, app: Path
) -> None:
    from langchain_core.messages import HumanMessage

    run = client.enqueue("chat", [HumanMessage("hi")])

    assert answered_by_another(fleet, app, run) == ["AIMessage", ["HumanMessage"], "yes"]


def test_what_of_an_error_was_not_stored_fails_the_run_that_touches_it(
    fleet: Fleet, client: Client, app: Path
) -> None:
    run = client.enqueue("page", True)

    with pytest.raises(RunFailedError, match=r"NotStoredError: attribute 'log' of .*StatusError"):
        answered_by_another(fleet, app, run)


def test_a_validator_that_raises_fails_its_run_at_once(
    fleet: Fleet, client: Client, app: Path, checker: Checker
) -> None:
    fleet.start(app=str(app))
    assert client.enqueue("order", {"net": 1, "tax": 2}).result(20) == 3
    began = time.monotonic()

    with pytest.raises(RunFailedError, match="KeyError: 'tax'"):
        client.enqueue("order", {"net": 1}).result(20)

    assert time.monotonic() - began < 5
    checker.check(over=True)


def test_generic_models_come_back_to_the_script_that_asked(fleet: Fleet, app: Path) -> None:
    fleet.start(app=str(app))

    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(app)],
        env={"PENSTOCK_REDIS_URL": fleet.url},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == "" and done.stdout.split() == ["Item", "list"]
