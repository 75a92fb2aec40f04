"""Input and context: validated once, where they are given, and after that as they were stored."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple

import pydantic
import pytest
from pydantic import AfterValidator, BaseModel, Field, RootModel
from typing_extensions import TypedDict

from penstock.runtime import (
    CachePolicy,
    Client,
    Command,
    InMemoryCache,
    InMemorySaver,
    RedisSaver,
    Runtime,
    entrypoint,
    get_runtime,
    interrupt,
    sleep,
    task,
)
from penstock.runtime.errors import InputError, RunConflictError, RunFailedError
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.workflow.entrypoint import AnyEntrypoint
from tests.runtime.flows import Calls, thread
from tests.support.drive import Drive

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.open_runs,
]

seen = Calls()


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.made.clear()


@pytest.fixture(params=["object", "name"])
def given(request: pytest.FixtureRequest) -> Callable[[AnyEntrypoint], Any]:
    """How a client names the entrypoint: as itself, or by a name whose code it need not have."""

    def named(flow: AnyEntrypoint) -> Any:
        return flow if request.param == "object" else flow.name

    return named


def in_cents(euros: float) -> float:
    seen("in cents")
    return euros * 100


Cents = Annotated[float, AfterValidator(in_cents)]


class Job(BaseModel):
    n: int
    id: str = Field(default_factory=lambda: uuid.uuid4().hex)


@dataclass
class Order:
    net: int
    rate: InitVar[float]
    total: float = field(init=False, default=0.0)

    def __post_init__(self, rate: float) -> None:
        self.total += self.net * rate


class Row(NamedTuple):
    a: int
    b: str = "b"


class Loose(TypedDict):
    amount: Cents


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    age: int = 0


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Ids(RootModel[list[int]]):
    pass


class Aliased(BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    name: str = Field(alias="NAME")
    _seen: int = pydantic.PrivateAttr(default=3)

    @pydantic.computed_field
    def twice(self) -> str:
        return self.name * 2


FORMS: list[tuple[Any, Any, Any]] = [
    (Job, {"n": "1", "id": "x"}, Job(n=1, id="x")),
    (list[Job] | None, [{"n": 1, "id": "x"}], [Job(n=1, id="x")]),
    (Order, {"net": "2", "rate": 0.5}, Order(2, 0.5)),
    (Row, ["1"], Row(1)),
    (Loose, {"amount": 2}, {"amount": 200.0}),
    (list[Pet], [{"kind": "dog", "age": "3"}, {"kind": "cat"}], [Dog(age=3), Cat()]),
    (Ids, ["1", 2], Ids([1, 2])),
    (Aliased, {"NAME": "x", "more": 1}, Aliased.model_validate({"NAME": "x", "more": 1})),
    (dict[datetime, set[int]], {"2026-01-02T00:00:00": ["1"]}, {datetime(2026, 1, 2): {1}}),
    (tuple[int, ...], ["1", 2], (1, 2)),
    (bool, "yes", True),
]


@pytest.mark.parametrize(
    ("annotation", "raw", "form"), FORMS, ids=[str(each[0])[-30:] for each in FORMS]
)
def test_the_body_gets_the_same_form_everywhere_and_in_each_attempt(
    drive: Drive, annotation: Any, raw: Any, form: Any
) -> None:
    forms: list[Any] = []

    def body(value: Any) -> Any:
        forms.append(value)
        interrupt("go on?")
        return value

    body.__annotations__["value"] = annotation
    flow = entrypoint(name="flow")(body)

    drive(flow, raw)
    assert drive(flow, Command(resume="yes")) == form
    assert forms == [form, form] and [type(each) for each in forms] == [type(form)] * 2


def test_an_input_that_does_not_fit_is_refused_before_anything_begins(drive: Drive) -> None:
    @entrypoint()
    def flow(job: Job) -> int:
        seen("begun")
        return job.n

    with pytest.raises(InputError, match="valid integer"):
        drive(flow, {"n": "x"})
    assert drive(flow, {"n": "2"}) == 2
    assert seen.made == ["begun"]


def test_without_a_checkpointer_it_is_the_same() -> None:
    @entrypoint()
    def flow(job: Job) -> Any:
        return job

    @entrypoint()
    async def aflow(job: Job) -> Any:
        return job

    raw: Any = {"n": "1", "id": "x"}
    assert flow.invoke(raw) == asyncio.run(aflow.ainvoke(raw)) == Job(n=1, id="x")
    assert list(flow.stream(raw)) == [{"flow": Job(n=1, id="x")}]
    bad: Any = {"n": "x"}
    with pytest.raises(InputError, match="valid integer"):
        flow.invoke(bad)


def test_a_converting_validator_runs_once(given: Any) -> None:
    @task
    def pay(amount: float) -> float:
        return amount

    @entrypoint()
    def flow(amount: Cents) -> list[Any]:
        found = [amount, pay(amount).result(), interrupt("go on?")]
        sleep(60)
        return [*found, amount]

    with InMemoryWorker([flow]) as worker:
        run = worker.client.enqueue(given(flow), 5.0)
        worker.work()
        run.resume("yes")
        worker.work()
        worker.advance(60)

        assert run.result() == [500.0, 500.0, "yes", 500.0]
    assert seen.made == ["in cents"]


def test_an_input_with_a_default_of_its_own_is_the_same_in_each_attempt(given: Any) -> None:
    @entrypoint()
    def flow(job: Job) -> list[str]:
        seen(job.id)
        interrupt("go on?")
        return [job.id]

    with InMemoryWorker([flow]) as worker:
        run = worker.client.enqueue(given(flow), {"n": 1})
        worker.work()
        run.resume("yes")
        worker.work()

        assert run.result() == [seen.made[0]] and len(set(seen.made)) == 1


def test_a_request_that_is_repeated_is_the_same_run(given: Any) -> None:
    @entrypoint()
    def flow(job: Job) -> str:
        return job.id

    with InMemoryWorker([flow]) as worker:
        enqueue = worker.client.enqueue
        runs = [enqueue(given(flow), each, run_id="once") for each in ({"n": 1}, {"n": 1})]
        worker.work()

        assert runs[0].result() == runs[1].result()
        with pytest.raises(RunConflictError):
            enqueue(given(flow), {"n": 2}, run_id="once")


def test_a_request_with_its_keys_in_another_order_is_the_same_run() -> None:
    @entrypoint()
    def flow(given: dict[str, int]) -> int:
        return len(given)

    with InMemoryWorker([flow]) as worker:
        for each in ({"a": 1, "b": 2}, {"b": 2, "a": 1}):
            run = worker.client.enqueue(flow, each, run_id="once", config={"tags": ["x"]})
        worker.work()

        assert run.result() == 2


def future(value: datetime) -> datetime:
    if value <= datetime.now(UTC):
        raise ValueError("this time has passed")
    return value


def test_an_input_that_was_right_when_the_run_began_is_not_checked_again(drive: Drive) -> None:
    @entrypoint()
    def book(begins: Annotated[datetime, AfterValidator(future)]) -> str:
        return f"booked: {interrupt('Confirm?')}"

    begins = datetime.now(UTC) + timedelta(seconds=1)
    drive(book, begins.isoformat())
    while datetime.now(UTC) <= begins:
        time.sleep(0.05)

    assert drive(book, Command(resume="yes")) == "booked: yes"


class Sum(BaseModel):
    total: int

    @pydantic.model_validator(mode="before")
    @classmethod
    def add(cls, data: Any) -> Any:
        if data.get("exit"):
            raise SystemExit("by the validator")
        return {"total": data["net"] + data["tax"]}


@dataclass
class Limits:
    most: int

    def __post_init__(self) -> None:
        raise LookupError(f"no limits for {self.most}")


def summed(order: Sum) -> int:
    return order.total


def limited(order: dict[str, int], runtime: Runtime[Limits]) -> int:
    return runtime.context.most


def keyed(order: dict[str, int]) -> int:
    return order["net"]


def raising_key(*_: Any) -> str:
    raise KeyError("no key")


FAULTS: list[tuple[AnyEntrypoint, Any, str]] = [
    (entrypoint(name="validator")(summed), {}, "KeyError: 'tax'"),
    (entrypoint(name="context", context_schema=Limits)(limited), {"most": 1}, "LookupError: no"),
    (
        entrypoint(name="key", cache=InMemoryCache(), cache_policy=CachePolicy(raising_key))(keyed),
        {},
        "KeyError: 'no key'",
    ),
]


@pytest.mark.parametrize(("flow", "context", "says"), FAULTS, ids=["validator", "context", "key"])
def test_what_raises_as_a_run_is_taken_fails_it_at_once_with_that_error(
    flow: AnyEntrypoint, context: Any, says: str
) -> None:
    with InMemoryWorker([flow]) as worker:
        run = worker.client.enqueue(flow.name, {"net": 1}, context=context or None)

        assert worker.work() == 1
        with pytest.raises(RunFailedError, match=says) as caught:
            run.result()
        assert type(caught.value.__cause__).__name__ == says.partition(":")[0]
        assert run.info().crashes == 0


def test_where_the_client_has_the_code_it_is_raised_there_and_nothing_is_written() -> None:
    flow = entrypoint(name="validator")(summed)
    with InMemoryWorker([flow]) as worker:
        keys = set(worker.connection.keys())

        with pytest.raises(KeyError, match="tax") as caught:
            worker.client.enqueue(flow, {"net": 1})

        assert caught.value.__notes__ == ["as the input of entrypoint 'validator' was validated"]
        assert set(worker.connection.keys()) == keys


def test_not_even_an_exit_in_a_validator_takes_the_worker_along() -> None:
    flow = entrypoint(name="validator")(summed)
    with InMemoryWorker([flow]) as worker:
        run = worker.client.enqueue("validator", {"exit": True})
        good = worker.client.enqueue("validator", {"net": 1, "tax": 2})
        worker.work()

        assert good.result() == 3
        with pytest.raises(RunFailedError, match="SystemExit"):
            run.result()


@pytest.mark.parametrize(("flow", "context", "says"), FAULTS, ids=["validator", "context", "key"])
def test_in_process_it_is_raised_and_the_thread_is_free_again(
    saver: RedisSaver, flow: AnyEntrypoint, context: Any, says: str
) -> None:
    kept = flow.copy({"checkpointer": saver})
    with pytest.raises(LookupError, match=says.partition(": ")[2]):
        kept.invoke({"net": 1}, thread(), context=context or None)

    @entrypoint(checkpointer=saver)
    def other(x: int) -> int:
        return x

    assert other.invoke(1, thread()) == 1


@dataclass
class Settings:
    factor: float

    def __post_init__(self) -> None:
        seen("context")
        self.factor *= 100


def scaled(x: int, runtime: Runtime[Settings]) -> list[Any]:
    return [runtime.context.factor, remote(x).result(), interrupt("go on?"), runtime.context.factor]


@task
def remote(x: int) -> int:
    return x


def test_a_context_is_made_once(given: Any) -> None:
    flow = entrypoint(name="scaled", context_schema=Settings)(scaled)
    with InMemoryWorker([flow]) as worker:
        run = worker.client.enqueue(given(flow), 1, context={"factor": 2})
        worker.work()
        run.resume("yes")
        worker.work()

        assert run.result() == [200, 1, "yes", 200]
    assert seen.made == ["context"]


@dataclass
class Connected:
    factor: float

    def __post_init__(self) -> None:
        self.lock = threading.Lock()


def test_a_context_without_a_stored_form_is_made_by_each_attempt() -> None:
    @entrypoint(context_schema=Connected)
    def flow(amount: Cents, runtime: Runtime[Connected]) -> list[Any]:
        with runtime.context.lock:
            return [amount, interrupt("go on?"), runtime.context.factor]

    with InMemoryWorker([flow]) as worker:
        run = worker.client.enqueue("flow", 1, context={"factor": 2})
        worker.work()
        run.resume("yes")
        worker.work()

        assert run.result() == [100, "yes", 2]


def test_steps_on_other_queues_get_the_context_that_was_made() -> None:
    @task(queue="gpu")
    def far() -> float:
        return float(get_runtime().context.factor)

    @entrypoint(context_schema=Settings)
    def flow(_: str, runtime: Runtime[Settings]) -> list[float]:
        return [far().result(), runtime.context.factor]

    with InMemoryWorker([flow], tasks=[far]) as worker:
        run = worker.client.enqueue("flow", "x", context={"factor": 2})
        worker.work()

        assert run.result() == [200, 200]
    assert seen.made == ["context"]


def numbers(first: int, end: int) -> Iterator[int]:
    yield from range(first, end)


class Batch(BaseModel):
    rows: dict[str, Iterable[int]]


def test_what_could_be_read_only_once_is_a_list(drive: Drive) -> None:
    @task
    def add(values: Any) -> int:
        return sum(values)

    @entrypoint()
    def flow(values: Iterable[int]) -> Any:
        return [sum(values), add(values).result(), list(values), type(values).__name__]

    @entrypoint()
    def batch(given: Batch) -> Any:
        return [list(given.rows["a"]), list(given.rows["a"])]

    @entrypoint()
    def anything(values: Any) -> Any:
        return [list(values), list(values)]

    for values in ([1, "2"], (1, 2), numbers(1, 3), map(int, "12"), {1: "x", 2: "y"}.keys()):
        assert drive(flow, values) == [3, 3, [1, 2], "list"]
    assert drive(batch, {"rows": {"a": ("1", 2)}}) == [[1, 2], [1, 2]]
    assert drive(anything, numbers(0, 2)) == [[0, 1], [0, 1]]
    with pytest.raises(InputError, match="valid integer"):
        drive(flow, ["x"])


@dataclass
class Numbers:
    values: Iterable[int]


class Values(BaseModel):
    values: Iterable[int]


@pytest.mark.parametrize("schema", [Values, Numbers])
def test_answers_and_contexts_can_be_read_twice_too(drive: Drive, schema: Any) -> None:
    @entrypoint(context_schema=schema)
    def flow(_: str, runtime: Runtime[Values]) -> list[int]:
        answer = interrupt("which?", response_schema=Iterable[int])
        given = runtime.context.values
        return [sum(answer), sum(answer), sum(given), sum(given)]

    drive(flow, "x", context={"values": [1, 2]})
    resumed: Any = {} if drive.kind == "worker" else {"context": {"values": (1, 2)}}
    assert drive(flow, Command(resume=["3", 4]), **resumed) == [7, 7, 3, 3]


def test_a_client_that_has_only_the_name_may_give_a_generator() -> None:
    @entrypoint()
    def flow(values: Iterable[int]) -> Any:
        return [sum(values), sum(values)]

    with InMemoryWorker([flow]) as worker:
        run = worker.client.enqueue("flow", numbers(0, 3))
        worker.work()

        assert run.result() == [3, 3]


def test_a_run_that_was_asked_for_by_name_goes_on_in_process(redis_saver: RedisSaver) -> None:
    @entrypoint(checkpointer=redis_saver)
    def flow(amount: Cents) -> list[Any]:
        return [amount, interrupt("go on?"), amount]

    with Client(redis_saver.connection) as client:
        client.enqueue("flow", 5, thread_id="thread")

        flow.invoke(None, thread())
        assert flow.invoke(Command(resume="yes"), thread()) == [500, "yes", 500]
    assert seen.made == ["in cents"]


def test_a_context_that_was_given_with_the_name_is_made_in_process(redis_saver: RedisSaver) -> None:
    @entrypoint(checkpointer=redis_saver, context_schema=Connected)
    def flow(amount: Cents, runtime: Runtime[Connected]) -> list[Any]:
        with runtime.context.lock:
            return [amount, interrupt("go on?"), runtime.context.factor]

    with Client(redis_saver.connection) as client:
        client.enqueue("flow", 5, thread_id="thread", context={"factor": 2})

        flow.invoke(None, thread())
        assert flow.invoke(Command(resume="yes"), thread()) == [500, "yes", 2]


def test_a_run_that_was_asked_for_by_name_with_bad_input_fails_in_process(
    redis_saver: RedisSaver,
) -> None:
    @entrypoint(checkpointer=redis_saver)
    def flow(amount: Cents) -> float:
        return amount

    with Client(redis_saver.connection) as client:
        run = client.enqueue("flow", "many", thread_id="thread")

        with pytest.raises(InputError, match="valid number"):
            flow.invoke(None, thread())
        assert run.status() == "failed"
    assert flow.invoke(1, thread()) == 100


@pytest.mark.parametrize("first", ["name", "object"])
def test_forks_and_replays_have_the_input_as_it_was_read(first: str) -> None:
    saver = InMemorySaver()

    @task
    def step() -> int:
        return 1

    @entrypoint(checkpointer=saver)
    def flow(amount: Cents) -> list[Any]:
        return [amount, step().result()]

    flow.invoke(5, thread())
    oldest = list(flow.get_state_history(thread()))[-1]
    again = flow.invoke(None, oldest.config)
    config = flow.update_state(thread(), 7, as_node="__input__")

    assert again == [500, 1] and seen.made == ["in cents"] * 2
    assert flow.invoke(None, config) == [700, 1] and len(seen.made) == 2
    with InMemoryWorker([flow]) as worker:
        run = worker.client.enqueue(flow if first == "object" else "flow", 6, thread_id="t")
        worker.work()
        fork = worker.client.thread("t").fork(run.run_id, after_step="step:0")
        worker.work()
        assert fork.result() == run.result() == [600, 1]
    assert len(seen.made) == 3


def test_the_input_of_a_nested_entrypoint_is_read_once_too(drive: Drive) -> None:
    @entrypoint()
    def child(amount: Cents) -> list[Any]:
        return [amount, interrupt("go on?")]

    bad: Any = "many"

    @entrypoint()
    def parent(amount: float) -> list[Any]:
        with pytest.raises(InputError, match="'child' is refused"):
            child.invoke(bad)
        found: list[Any] = child.invoke(amount)
        return found

    drive(parent, 5)
    assert seen.made == ["in cents"]
    assert drive(parent, Command(resume="yes")) == [500, "yes"]
    assert seen.made == ["in cents"]


def once(value: str) -> str:
    seen(value)
    if seen.count(value) > 1:
        raise ValueError("only once")
    return value.upper()


def never_first(value: str) -> str:
    seen(value)
    if value == "first" and seen.count(value) == 1:
        raise ValueError("not now")
    return value


@pytest.mark.parametrize("form", ["plain", "adapter"])
def test_an_answer_is_converted_once(drive: Drive, form: str) -> None:
    kind: Any = Annotated[str, AfterValidator(once)]

    @entrypoint()
    def flow(_: str) -> list[str]:
        schema = pydantic.TypeAdapter(kind) if form == "adapter" else kind
        return [interrupt(name, response_schema=schema) for name in ("a?", "b?")]

    drive(flow, "x")
    drive(flow, Command(resume="first"))
    assert drive(flow, Command(resume="second")) == ["FIRST", "SECOND"]
    assert seen.made == ["first", "second"]


def test_an_answer_that_was_refused_stays_refused(drive: Drive) -> None:
    kind: Any = Annotated[str, AfterValidator(never_first)]

    @entrypoint()
    def flow(_: str) -> list[str]:
        return [interrupt("a?", response_schema=kind), interrupt("b?")]

    drive(flow, "x")
    assert drive(flow, Command(resume="first"))["__interrupt__"][0].value == "a?"
    drive(flow, Command(resume="next"))

    assert drive(flow, Command(resume="last")) == ["next", "last"]
    assert seen.made == ["first", "next"]
