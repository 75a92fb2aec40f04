"""A workflow that is run in process: by one that dies over it, and by one that goes on."""

from __future__ import annotations

import os
import time
from typing import Any

from penstock.runtime import Command, RedisSaver, entrypoint, interrupt, task
from penstock.runtime.errors import EmptyInputError, ResumeError, ThreadBusyError
from penstock.runtime.settings import load_settings
from tests.faults.support.flows import executed

EXPECTED = [49, "yes", 64]


@task
def square(number: int) -> int:
    executed()
    return number * number


def tour(number: int) -> list[Any]:
    first = square(number).result()
    answer = interrupt("on?")
    time.sleep(float(os.environ.get("PENSTOCK_TEST_NAP", 0)))
    return [first, answer, square(number + 1).result()]


def toured() -> Any:
    """Make the workflow, with a checkpointer of this process's own."""
    return entrypoint(checkpointer=RedisSaver(settings=load_settings()))(tour)


def thread(name: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": name}}


def invoke(told: dict[str, Any]) -> int:
    """Be a process that runs it: from its beginning, or with the answer."""
    workflow, config = toured(), thread(told["thread"])
    # The first step is recorded before the question comes, the second begin before it has napped.
    workflow.invoke(7, config, durability="sync")
    if told.get("wake"):
        workflow.invoke(None, config)
    workflow.invoke(Command(resume="yes"), config)
    return 0


def go_on(workflow: Any, name: str) -> Any:
    """Bring it to its end, from wherever it was left; None while its lease still holds."""
    try:
        result = workflow.invoke(None, thread(name))
    except ThreadBusyError:
        return None
    except EmptyInputError:  # it never was
        result = workflow.invoke(7, thread(name))
    if isinstance(result, dict):
        try:
            result = workflow.invoke(Command(resume="yes"), thread(name))
        except ResumeError:
            return None
    return result
