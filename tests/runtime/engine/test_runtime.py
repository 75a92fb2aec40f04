"""What a run offers to its code."""

from __future__ import annotations

import dataclasses
import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from penstock.runtime import (
    Command,
    RedisSaver,
    RetryPolicy,
    RunControl,
    Runtime,
    entrypoint,
    get_runtime,
    interrupt,
    task,
)
from penstock.runtime.errors import InputError, OutsideRunError
from penstock.runtime.types.runtime import ExecutionInfo
from tests.runtime.flows import thread
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


@dataclass
class User:
    name: str


class Model(BaseModel):
    name: str


def test_a_runtime_made_by_hand_knows_nothing_and_writes_nothing() -> None:
    runtime: Runtime[Any] = Runtime()

    runtime.stream_writer("nothing")
    runtime.heartbeat()
    assert (runtime.context, runtime.store, runtime.previous) == (None, None, None)
    assert (runtime.server_info, runtime.drain_requested, runtime.drain_reason) == (
        None,
        False,
        None,
    )
    assert runtime.execution_info == ExecutionInfo()
    with pytest.raises(dataclasses.FrozenInstanceError):
        runtime.context = 1  # type: ignore[misc]


def test_of_two_runtimes_what_the_other_has_wins() -> None:
    control = RunControl()
    one: Runtime[Any] = Runtime(context=1, store="a", control=control)
    two: Runtime[Any] = Runtime(context=2, previous="p")

    merged = one.merge(two)

    assert (merged.context, merged.store, merged.previous) == (2, "a", "p")
    assert merged.control is control
    assert two.merge(one).context == 1


def test_fields_can_be_replaced() -> None:
    runtime = Runtime(context=1).override(context=2, store="s")
    patched = runtime.patch_execution_info(run_id="r", step_attempt=3)

    assert (runtime.context, runtime.store) == (2, "s")
    assert (patched.execution_info.run_id, patched.execution_info.node_attempt) == ("r", 3)
    assert (patched.context, runtime.execution_info.run_id) == (2, "")
    with pytest.raises(TypeError):
        runtime.override(colour="red")


def test_a_control_that_was_asked_is_seen_through_the_runtime() -> None:
    control = RunControl()
    runtime: Runtime[Any] = Runtime(control=control)
    control.request_drain("end of day")

    assert (runtime.drain_requested, runtime.drain_reason) == (True, "end of day")


def test_execution_info_says_where_the_code_stands(drive: Drive) -> None:
    began = time.time()

    @task(retry_policy=RetryPolicy(initial_interval=0.01, jitter=False))
    def look() -> Any:
        info = get_runtime().execution_info
        if info.step_attempt < 2:
            raise ConnectionError
        assert began - 1 < info.node_first_attempt_time <= time.time()
        assert (info.task_id, info.node_attempt) == (info.step_id, info.step_attempt)
        return [info.step_id, info.checkpoint_ns, info.thread_id, info.step_attempt]

    @entrypoint()
    def child(_: str) -> Any:
        return look().result()

    @entrypoint()
    def main(x: str) -> Any:
        return [look().result(), child.invoke(x), get_runtime().execution_info.checkpoint_ns]

    assert drive(main, "x") == [
        ["look:0", "", "thread", 2],
        ["^child:0/look:0", "^child:0", "thread", 2],
        "",
    ]


@pytest.mark.parametrize("schema", [User, Model])
def test_a_dict_becomes_what_the_context_schema_says(drive: Drive, schema: Any) -> None:
    @entrypoint(context_schema=schema)
    def main(_: str) -> Any:
        runtime = get_runtime(schema)
        return [type(runtime.context).__name__, runtime.context.name]

    assert drive(main, "x", context={"name": "Ann"}) == [schema.__name__, "Ann"]
    assert drive(main, "x", thread="other", context=schema(name="Ben"))[1] == "Ben"
    with pytest.raises(InputError, match=r"name|colour"):
        drive(main, "x", thread="third", context={"colour": "red"})


def test_a_resume_needs_no_context_and_may_bring_another(drive: Drive) -> None:
    @entrypoint(context_schema=User)
    def main(_: str) -> Any:
        before = get_runtime(User).context.name
        return [before, interrupt("?"), interrupt("?")]

    drive(main, "x", context={"name": "Ann"})
    drive(main, Command(resume=1))
    if drive.kind == "worker":
        assert drive(main, Command(resume=2)) == ["Ann", 1, 2]
    else:
        assert drive(main, Command(resume=2), context=User("Ben")) == ["Ben", 1, 2]


def test_a_context_that_cannot_be_stored_is_for_this_process_alone(saver: RedisSaver) -> None:
    lock = threading.Lock()

    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        return [get_runtime().context is lock, interrupt("?")]

    main.invoke("x", thread(), context=lock)

    assert main.invoke(Command(resume=1), thread()) == [False, 1]
    main.invoke("x", thread(), context=lock)
    assert main.invoke(Command(resume=1), thread(), context=lock) == [True, 1]


def test_without_a_context_there_is_none_whatever_the_schema_asks_for(drive: Drive) -> None:
    @entrypoint(context_schema=User)
    def main(_: str) -> Any:
        return get_runtime().context

    assert drive(main, "x") is None


def test_outside_of_a_run_there_is_no_runtime() -> None:
    with pytest.raises(OutsideRunError, match=r"get_runtime\(\)"):
        get_runtime()
