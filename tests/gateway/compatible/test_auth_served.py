"""Two users of a real gateway, with LangGraph's own client and an Auth of its class."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.errors import AuthenticationError, NotFoundError, PermissionDeniedError

from tests.faults.support.gateways import QUICK, Gateways
from tests.faults.support.workers import Fleet
from tests.gateway.compatible.served import FLOWS
from tests.support.server import RedisServer
from tests.support.until import until

AUTH = Path(__file__).with_name("owners.py")


@dataclass(frozen=True)
class Users:
    """Clients of two users, and one of nobody."""

    ann: Any
    bob: Any
    nobody: Any


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Users]:
    with RedisServer() as server:
        fleet = Fleet(server.url, tmp_path_factory.mktemp("users"))
        try:
            gateway = Gateways(fleet).start({**QUICK, "PENSTOCK_GATEWAY_AUTH": f"{AUTH}:auth"})
            fleet.start(app=FLOWS, ready=False).ready(timeout=60.0)
            keys = ("key-ann", "key-bob", "wrong")
            clients: list[Any] = [get_sync_client(url=gateway.url, api_key=key) for key in keys]
            users = Users(*clients)
            wanted = {"doubled", "asking"}
            until(lambda: wanted <= _graphs(users.ann), 30.0, "a worker that announces its app")
            yield users
            for each in clients:
                each.http.client.close()
        finally:
            fleet.close()


def _graphs(client: Any) -> set[str]:
    return {each["graph_id"] for each in client.assistants.search(limit=100)}


def test_a_user_sees_nothing_of_another(users: Users) -> None:
    ann, bob = users.ann, users.bob
    thread_id = ann.threads.create(metadata={"n": 1})["thread_id"]
    parts = list(ann.runs.stream(thread_id, "doubled", input=21, stream_mode=["values", "custom"]))
    (run,) = ann.runs.list(thread_id)
    run_id = run["run_id"]
    assert parts[-1].event == "end"
    assert ann.runs.join(thread_id, run_id) == {"result": 42}
    assert ann.threads.get_state(thread_id)["values"] == {"result": 42}

    asks: list[Callable[[str, str], Any]] = [
        lambda t, r: bob.threads.get(t),
        lambda t, r: bob.threads.get_state(t),
        lambda t, r: bob.threads.get_history(t),
        lambda t, r: bob.threads.update(t, metadata={"owner": "bob"}),
        lambda t, r: bob.threads.update_state(t, {"result": 1}),
        lambda t, r: bob.threads.copy(t),
        lambda t, r: bob.threads.delete(t),
        lambda t, r: list(bob.threads.join_stream(t)),
        lambda t, r: bob.runs.list(t),
        lambda t, r: bob.runs.get(t, r),
        lambda t, r: bob.runs.join(t, r),
        lambda t, r: list(bob.runs.join_stream(t, r)),
        lambda t, r: bob.runs.cancel(t, r),
        lambda t, r: bob.runs.delete(t, r),
        lambda t, r: bob.runs.create(t, "doubled", input=1),
        lambda t, r: list(bob.runs.stream(t, "doubled", input=1)),
        lambda t, r: bob.runs.wait(t, "doubled", input=1),
    ]
    for ask in asks:
        said = [_refusal(ask, name, run_id).replace(name, "-") for name in (thread_id, "none")]
        assert said[0] == said[1]
    found = bob.threads.search(limit=100)
    assert found == []
    assert bob.threads.count() == 0
    assert [each["thread_id"] for each in ann.threads.search(metadata={"n": 1})] == [thread_id]
    assert ann.threads.count(metadata={"n": 1}) == 1
    ann.threads.delete(thread_id)
    with pytest.raises(NotFoundError):
        ann.threads.get(thread_id)


def _refusal(ask: Callable[[str, str], Any], thread_id: str, run_id: str) -> str:
    with pytest.raises((NotFoundError, httpx.HTTPStatusError)) as caught:
        ask(thread_id, run_id)
    answer: httpx.Response = caught.value.response
    assert answer.status_code == 404
    return answer.text


def test_a_question_is_answered_by_its_user(users: Users) -> None:
    options = {"if_not_exists": "create"}
    asked = users.ann.runs.wait("asked", "asking", input=1, **options)
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        users.bob.runs.wait("asked", "asking", command={"resume": True}, **options)

    found = users.ann.runs.wait("asked", "asking", command={"resume": True}, **options)

    assert asked["__interrupt__"]
    assert found == {"answer": True}
    metadata = users.ann.threads.get("asked")["metadata"]
    assert metadata["owner"] == "ann"


def test_who_follows_a_thread_sees_nothing_of_the_next_that_has_its_name(users: Users) -> None:
    users.ann.threads.create(thread_id="shared")
    users.ann.runs.wait("shared", "doubled", input=1)
    parts: Iterator[Any] = iter(users.ann.threads.join_stream("shared", last_event_id="-1"))
    begun = list(itertools.takewhile(_is_within_run, parts))
    users.ann.threads.delete("shared")
    users.bob.threads.create(thread_id="shared")
    users.bob.runs.wait("shared", "doubled", input=2)

    later = list(parts)

    assert begun
    assert later == []


def _is_within_run(part: Any) -> bool:
    return "run_done" not in str(part.data)


def test_items_are_in_the_namespace_of_their_user(users: Users) -> None:
    users.ann.store.put_item(["notes"], "k", {"text": "of ann"})

    assert users.ann.store.get_item(["notes"], "k")["namespace"] == ["ann", "notes"]
    assert users.bob.store.get_item(["notes"], "k") is None
    assert users.bob.store.search_items(["notes"])["items"] == []
    assert users.bob.store.list_namespaces()["namespaces"] == []
    assert users.ann.store.list_namespaces()["namespaces"] == [["ann", "notes"]]


def test_who_is_unknown_or_refused_gets_nothing(users: Users) -> None:
    made = users.ann.assistants.create("doubled", metadata={"owner": "bob"})

    assert made["metadata"]["owner"] == "ann"
    with pytest.raises(PermissionDeniedError, match="Forbidden"):
        users.ann.assistants.delete(made["assistant_id"])
    with pytest.raises(NotFoundError):
        users.bob.assistants.get(made["assistant_id"])
    with pytest.raises(AuthenticationError, match="a key is needed"):
        users.nobody.threads.search()
