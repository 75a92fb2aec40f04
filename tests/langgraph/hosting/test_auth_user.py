"""The user of a run, as nodes of a hosted graph see it."""

from __future__ import annotations

from typing import Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime

from penstock.langgraph import host
from penstock.runtime.testing import InMemoryWorker

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

USER = {"identity": "ann", "permissions": ["read"], "email": "ann@example.com"}


class State(TypedDict):
    seen: Any


def look(state: State, config: RunnableConfig, runtime: Runtime[Any]) -> State:
    info = runtime.server_info
    if info is None or info.user is None:
        return {"seen": None}
    user, told = info.user, config.get("configurable", {})
    by_name = (user.identity, user["email"], list(user.permissions), user.is_authenticated)
    return {"seen": [*by_name, info.graph_id, told["langgraph_auth_user"].email, "email" in user]}


builder: Any = StateGraph(State)
builder.add_node("look", look)
builder.add_edge(START, "look")


def seen(configurable: dict[str, Any]) -> Any:
    agent = host(builder.compile(), name="agent")
    with InMemoryWorker([agent]) as worker:
        run = worker.client.enqueue(agent, {}, config={"configurable": configurable})
        worker.work()
        return run.result()["seen"]


def test_a_node_finds_the_user_where_langgraph_has_it() -> None:
    found = seen({"langgraph_auth_user": USER, "langgraph_auth_user_id": "ann"})
    assert found == ["ann", "ann@example.com", ["read"], True, "agent", "ann@example.com", True]


def test_without_a_user_there_is_none() -> None:
    assert seen({}) is None
    assert seen({"langgraph_auth_user": "ann"}) is None
