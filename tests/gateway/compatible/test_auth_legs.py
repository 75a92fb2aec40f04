"""As whom a run goes on that one user has begun, and another one answers or resumes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstock.gateway import Auth
from penstock.runtime import entrypoint, interrupt, task
from penstock.runtime.errors import RunGoesOnError
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.api import Api
from tests.gateway.compatible.test_auth import ANN, BOB, ask, run, thread

CAROL = {"authorization": "carol"}

_BROKEN: set[str] = set()


def actor(config: Any) -> dict[str, Any]:
    given = config["configurable"]
    assert given["langgraph_auth_user"]["identity"] == given["langgraph_auth_user_id"]
    return {"as": given["langgraph_auth_user_id"], "may": given["langgraph_auth_permissions"]}


@entrypoint()
def act(x: Any, *, config: Any) -> Any:
    interrupt("go?")
    return actor(config)


@entrypoint()
def fail(x: str, *, config: Any) -> Any:
    if x in _BROKEN:
        raise ValueError(x)
    return actor(config)


@task
def ask_for(name: str) -> Any:
    return interrupt(name)


@entrypoint()
def act_twice(x: Any, *, config: Any) -> Any:
    answers = [ask_for("first"), ask_for("second")]
    return [answer.result() for answer in answers] and actor(config)


@pytest.fixture
def api() -> Iterator[Api]:
    """A gateway of a team that shares its threads; Ann may do more than the others."""
    auth = Auth()

    @auth.authenticate
    async def who(authorization: str | None) -> dict[str, Any]:
        may = ["pay"] if authorization == "ann" else []
        return {"identity": authorization or "nobody", "permissions": may}

    @auth.on
    async def team(ctx: Any, value: dict[str, Any]) -> Any:
        return {"team": "red"}

    with (
        InMemoryWorker([act, act_twice, fail]) as worker,
        Api(worker, auth=auth) as api,
    ):
        yield api


def goes_on(api: Api, user: dict[str, str], thread_id: str, **body: Any) -> Any:
    found = ask(api, user, "POST", f"/threads/{thread_id}/runs", {"assistant_id": "act", **body})
    assert found.status_code == 200, found.text
    api.worker.work()
    return ask(api, user, "GET", f"/threads/{thread_id}/state").json()["values"]


def test_an_answer_is_worked_on_as_the_user_who_gives_it(api: Api) -> None:
    shared = thread(api, ANN)
    run(api, ANN, shared, "act")

    assert goes_on(api, BOB, shared, command={"resume": True}) == {"as": "bob", "may": []}


@pytest.mark.parametrize("path", ["/api/runs/RUN/answer", "/api/threads/THREAD/answer"])
def test_an_answer_below_api_is_worked_on_as_the_user_who_gives_it(api: Api, path: str) -> None:
    shared = thread(api, ANN)
    run_id = run(api, ANN, shared, "act")

    path = path.replace("RUN", run_id).replace("THREAD", shared)
    answered = ask(api, BOB, "POST", path, {"answer": True})
    api.worker.work()

    assert answered.status_code == 202, answered.text
    assert api.worker.client.get(run_id).result() == {"as": "bob", "may": []}


def test_a_failed_run_that_is_resumed_below_api_is_of_who_does_so(api: Api) -> None:
    shared = thread(api, ANN)
    _BROKEN.add("y")
    run_id = run(api, ANN, shared, "fail", "y")
    _BROKEN.clear()

    path = f"/api/runs/{run_id}/resume"
    assert ask(api, BOB, "POST", path, {"forget": ["none"]}).status_code == 403
    assert ask(api, BOB, "POST", path, {}).status_code == 202
    api.worker.work()

    assert api.worker.client.get(run_id).result() == {"as": "bob", "may": []}


def test_a_failed_run_goes_on_as_the_user_who_resumes_it(api: Api) -> None:
    shared = thread(api, ANN)
    _BROKEN.add("x")
    run(api, ANN, shared, "fail", "x")
    _BROKEN.clear()

    assert goes_on(api, BOB, shared, input=None) == {"as": "bob", "may": []}


def test_a_cancelled_run_begins_again_as_the_user_who_asks(api: Api) -> None:
    shared = thread(api, ANN)
    run_id = run(api, ANN, shared, "act")
    assert ask(api, ANN, "POST", f"/threads/{shared}/runs/{run_id}/cancel").status_code == 404
    api.worker.client.get(run_id).cancel()
    api.worker.work()

    goes_on(api, BOB, shared, input=None)

    assert goes_on(api, BOB, shared, command={"resume": True}) == {"as": "bob", "may": []}


def test_each_answer_is_of_its_user(api: Api) -> None:
    shared = thread(api, ANN)
    run(api, ANN, shared, "act_twice")
    asked = ask(api, ANN, "GET", f"/threads/{shared}/state").json()["interrupts"]
    path, bodies = (
        f"/threads/{shared}/runs",
        [
            {"assistant_id": "act_twice", "command": {"resume": {question["id"]: True}}}
            for question in asked
        ],
    )

    assert ask(api, BOB, "POST", path, bodies[0]).status_code == 200
    refused = ask(api, CAROL, "POST", path, bodies[1])
    api.worker.work()
    answered = ask(api, CAROL, "POST", path, bodies[1])
    api.worker.work()

    assert (refused.status_code, answered.status_code) == (409, 200)
    assert "somebody else" in refused.json()["detail"]
    values = ask(api, CAROL, "GET", f"/threads/{shared}/state").json()["values"]
    assert values == {"as": "carol", "may": []}


def test_a_user_may_answer_twice_before_the_run_goes_on(api: Api) -> None:
    shared = thread(api, ANN)
    run(api, ANN, shared, "act_twice")
    asked = ask(api, ANN, "GET", f"/threads/{shared}/state").json()["interrupts"]

    for question in asked:
        body = {"assistant_id": "act_twice", "command": {"resume": {question["id"]: True}}}
        assert ask(api, BOB, "POST", f"/threads/{shared}/runs", body).status_code == 200
    api.worker.work()

    values = ask(api, BOB, "GET", f"/threads/{shared}/state").json()["values"]
    assert values == {"as": "bob", "may": []}


def test_an_answer_below_api_to_a_run_that_goes_on_as_another_is_refused(api: Api) -> None:
    run_id = run(api, ANN, thread(api, ANN), "act_twice")
    asked = api.worker.client.get(run_id).result()["__interrupt__"]
    answers = [{"answer": {question.id: True}} for question in asked]
    path = f"/api/runs/{run_id}/answer"

    assert ask(api, BOB, "POST", path, answers[0]).status_code == 202
    assert ask(api, CAROL, "POST", path, answers[1]).status_code == 409
    assert ask(api, BOB, "POST", path, answers[1]).status_code == 202
    api.worker.work()

    assert api.worker.client.get(run_id).result() == {"as": "bob", "may": []}


def test_answers_that_come_at_once_with_the_same_config_are_both_taken(api: Api) -> None:
    client = api.worker.client
    run_id = run(api, ANN, thread(api, ANN), "act_twice")
    configurable: dict[str, Any] = {
        "langgraph_auth_user": {"identity": "bob"},
        "langgraph_auth_user_id": "bob",
        "langgraph_auth_permissions": [],
    }
    others = {"configurable": {**configurable, "langgraph_auth_user_id": "carol"}}

    first, second = client.get(run_id).result()["__interrupt__"]
    client.do(client.plans.resume(run_id, {first.id: True}, config={"configurable": configurable}))
    with pytest.raises(RunGoesOnError):
        client.do(client.plans.resume(run_id, {second.id: True}, config=others))
    client.do(client.plans.resume(run_id, {second.id: True}, config={"configurable": configurable}))
    api.worker.work()

    assert client.get(run_id).result() == {"as": "bob", "may": []}
