"""What an Auth object lets users see and do, on all routes."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import langgraph_sdk
import pytest

from penstock.gateway import Auth
from penstock.gateway.app import ENDPOINTS as NATIVE
from penstock.gateway.compatible.routes import ENDPOINTS
from penstock.runtime import entrypoint
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.api import Api
from tests.gateway.flows import FLOWS

ANN, BOB = {"authorization": "ann"}, {"authorization": "bob"}

_SEEN: list[Any] = []


@entrypoint()
def whose(x: Any, *, config: Any) -> str:
    _SEEN.append({name: config["configurable"].get(name) for name in ("langgraph_auth_user", "x")})
    return str(config["configurable"].get("langgraph_auth_user_id"))


def owners(kind: Any = Auth) -> Auth:
    """An Auth by which each user has threads, runs and assistants of their own."""
    auth: Auth = kind()

    @auth.authenticate
    async def who(authorization: str | None) -> dict[str, Any]:
        if authorization is None:
            raise auth.exceptions.HTTPException(401, "who?", {"WWW-Authenticate": "Own"})
        return {"identity": authorization, "permissions": ["p"], "token": "secret"}

    @auth.on
    async def own(ctx: Any, value: dict[str, Any]) -> Any:
        return {"owner": ctx.user.identity}

    @auth.on.store
    async def scoped(ctx: Any, value: dict[str, Any]) -> None:
        value["namespace"] = (ctx.user.identity, *value["namespace"])

    return auth


@contextmanager
def serving(auth: Any) -> Generator[Api]:
    with InMemoryWorker([*FLOWS, whose]) as worker, Api(worker, auth=auth) as api:
        yield api


@pytest.fixture
def api() -> Iterator[Api]:
    """A gateway on which each user has their own."""
    with serving(owners()) as api:
        yield api


def ask(api: Api, user: dict[str, str], method: str, path: str, body: Any = None) -> httpx.Response:
    given = {} if body is None else {"json": body}
    return api.ask(method, path, headers=user, **given)


def thread(api: Api, user: dict[str, str], **body: Any) -> str:
    return str(ask(api, user, "POST", "/threads", body).json()["thread_id"])


def run(api: Api, user: dict[str, str], thread_id: str, flow: str = "doubled", x: Any = 1) -> str:
    body = {"assistant_id": flow, "input": x, "if_not_exists": "create"}
    made = ask(api, user, "POST", f"/threads/{thread_id}/runs", body)
    assert made.status_code == 200, made.text
    api.worker.work()
    return str(made.json()["run_id"])


def paths(thread_id: str, run_id: str, assistant_id: str, checkpoint: str) -> list[Any]:
    """All requests about one thread, run or assistant."""
    names = {
        "thread_id": thread_id,
        "run_id": run_id,
        "assistant_id": assistant_id,
        "checkpoint_id": checkpoint,
        "namespace": "x",
    }
    new_run = {"assistant_id": "doubled", "input": 1}
    bodies: dict[str, Any] = {
        "/runs": new_run,
        "/runs/stream": new_run,
        "/runs/wait": new_run,
        "/state": {"values": 1},
        "/state/checkpoint": {"checkpoint": {"checkpoint_id": checkpoint}},
        "/latest": {"version": 1},
        "/commands": {"id": 1, "method": "state.get", "params": {"namespace": []}},
        "/stream/events": {"channels": ["values"]},
    }
    return [
        (
            each.method,
            each.path.format(**names),
            bodies.get(re.sub("^/[^/]*/[^/]*", "", each.path), {}),
        )
        for each in ENDPOINTS
        if "{" in each.path
    ]


# -- every route ----------------------------------------------------------------------------------


def test_every_route_asks_somebody() -> None:
    auth, asked = Auth(), list[tuple[str, str]]()

    @auth.authenticate
    def who() -> str:
        return "ann"

    @auth.on
    async def nobody(ctx: Any, value: Any) -> bool:
        asked.append((ctx.resource, ctx.action))
        return False

    bodies: dict[str, Any] = {
        "/threads/prune": {"thread_ids": ["t"]},
        "/runs/cancel": {"status": "all"},
        "/runs/batch": [{"assistant_id": "doubled"}],
        "/store/items": {"namespace": ["a"], "key": "k", "value": {}},
        "/threads/{thread_id}/commands": {"id": 1, "method": "state.get"},
        "/threads/{thread_id}/stream/events": {"channels": ["values"]},
    }
    with serving(auth) as api:
        for each in ENDPOINTS:
            path = re.sub(r"{\w+}", "x", each.path)
            query = "?namespace=a&key=k" if each.path == "/store/items" else ""
            sent: dict[str, Any] = {"assistant_id": "doubled", "checkpoint": {}, "version": 1}
            asked.clear()
            found = ask(api, {}, each.method, path + query, bodies.get(each.path, sent))
            assert (found.status_code, found.json()) == (403, {"detail": "Forbidden"}), path
            assert len(asked) == 1, path


def test_nobody_comes_in_unknown(api: Api) -> None:
    for each in (*ENDPOINTS, *NATIVE):
        found = api.ask(each.method, re.sub(r"{\w+}", "x", each.path))
        assert found.status_code == 401, each.path
        assert found.json() == {"detail": "who?"}
        assert found.headers["www-authenticate"] == "Own"
    assert api.ask("GET", "/ok").status_code == 200


def test_w13_studio_is_asked_who_it_is_like_all_others(api: Api) -> None:
    studio = {"x-auth-scheme": "langsmith", "x-user-id": "ann"}

    found = [
        api.ask(each.method, re.sub(r"{\w+}", "x", each.path), headers=studio) for each in ENDPOINTS
    ]

    assert {each.status_code for each in found} == {401}


@pytest.mark.parametrize("kind", [Auth, langgraph_sdk.Auth])
def test_what_is_of_another_user_is_missing_by_the_same_bytes(kind: Any) -> None:
    with serving(owners(kind)) as api:
        thread_id = thread(api, ANN)
        run_id = run(api, ANN, thread_id, "counting", 3)
        made = ask(api, ANN, "POST", "/assistants", {"graph_id": "doubled"}).json()
        state = ask(api, ANN, "GET", f"/threads/{thread_id}/state").json()
        checkpoint, assistant = state["checkpoint_id"], made["assistant_id"]
        assert checkpoint
        missing = paths("none", run_id, "none", checkpoint)
        for (method, path, body), (_, other, _) in zip(
            paths(thread_id, run_id, assistant, checkpoint), missing, strict=True
        ):
            found, known = ask(api, BOB, method, path, body), ask(api, BOB, method, other, body)
            said = found.text.replace(thread_id, "none").replace(assistant, "none")
            assert (found.status_code, said) == (404, known.text), path
            assert known.status_code == 404
        assert ask(api, ANN, "GET", f"/threads/{thread_id}").json()["values"] == 3
        assert ask(api, ANN, "GET", f"/threads/{thread_id}/runs/{run_id}/join").json() == 3


# -- threads --------------------------------------------------------------------------------------


def test_search_and_count_are_narrowed_before_the_limit(api: Api) -> None:
    for _ in range(3):
        thread(api, BOB, metadata={"n": 1})
    own = thread(api, ANN, metadata={"n": 1})
    for wanted in ({}, {"metadata": {"n": 1}}, {"metadata": {"owner": "ann"}}):
        found = ask(api, ANN, "POST", "/threads/search", {**wanted, "limit": 1})
        assert [each["thread_id"] for each in found.json()] == [own]
        assert found.headers["x-pagination-total"] == "1"
        assert ask(api, ANN, "POST", "/threads/count", wanted).json() == 1
    for other in ("bob", ["ann"]):
        theirs = {"metadata": {"owner": other}}
        assert ask(api, ANN, "POST", "/threads/search", theirs).json() == []
        assert ask(api, ANN, "POST", "/threads/count", theirs).json() == 0


def test_nobody_gives_themselves_or_others_a_thread(api: Api) -> None:
    own = thread(api, ANN, metadata={"owner": "bob"})
    assert ask(api, ANN, "GET", f"/threads/{own}").json()["metadata"] == {"owner": "ann"}

    given = ask(api, ANN, "PATCH", f"/threads/{own}", {"metadata": {"owner": "bob", "n": 1}})

    assert given.json()["metadata"] == {"owner": "ann", "n": 1}
    for how in ({}, {"if_exists": "do_nothing"}):
        taken = ask(api, BOB, "POST", "/threads", {"thread_id": own, **how})
        assert taken.status_code == 409
    again = ask(api, ANN, "POST", "/threads", {"thread_id": own, "if_exists": "do_nothing"})
    assert again.json()["metadata"] == {"owner": "ann", "n": 1}


def test_a_thread_that_only_workers_know_is_nobodys(api: Api) -> None:
    api.worker.client.enqueue("doubled", 1, thread_id="native")
    api.worker.work()
    for body in ({"thread_id": "native"}, {"thread_id": "native", "if_exists": "do_nothing"}):
        assert ask(api, ANN, "POST", "/threads", body).status_code == 409
    for how in ("create", "reject"):
        run_body = {"assistant_id": "doubled", "input": 1, "if_not_exists": how}
        assert ask(api, ANN, "POST", "/threads/native/runs", run_body).status_code == 404
    assert ask(api, ANN, "GET", "/threads/native").status_code == 404


def test_copy_prune_and_delete_are_for_own_threads(api: Api) -> None:
    ann, bob = thread(api, ANN), thread(api, BOB)

    pruned = ask(api, ANN, "POST", "/threads/prune", {"thread_ids": [ann, bob, "none"]})
    copied = ask(api, BOB, "POST", f"/threads/{bob}/copy").json()

    assert pruned.json() == {"pruned_count": 1}
    assert copied["metadata"] == {"owner": "bob"}
    assert ask(api, ANN, "DELETE", f"/threads/{bob}").status_code == 404
    assert ask(api, BOB, "DELETE", f"/threads/{bob}").status_code == 204


# -- runs -----------------------------------------------------------------------------------------


def test_a_checkpoint_of_another_thread_is_not_shown(api: Api) -> None:
    theirs, own = thread(api, BOB), thread(api, ANN)
    run(api, BOB, theirs, "counting", 987654)
    run(api, ANN, own, "counting", 1)
    state = ask(api, BOB, "GET", f"/threads/{theirs}/state").json()
    checkpoint = state["checkpoint_id"]

    shown = ask(api, ANN, "GET", f"/threads/{own}/state/{checkpoint}")
    body = {"assistant_id": "counting", "input": 1, "checkpoint_id": checkpoint}
    forked = ask(api, ANN, "POST", f"/threads/{own}/runs", body)
    api.worker.work()

    assert "987654" not in shown.text
    assert forked.status_code >= 400 or (
        ask(api, ANN, "GET", f"/threads/{own}").json()["values"] != 987655
    )


def test_a_run_makes_a_thread_of_its_user(api: Api) -> None:
    run(api, ANN, "new")

    assert ask(api, ANN, "GET", "/threads/new").json()["metadata"]["owner"] == "ann"
    assert ask(api, BOB, "GET", "/threads/new").status_code == 404


def test_a_run_without_a_thread_is_joined_by_its_user_alone(api: Api) -> None:
    body = {"assistant_id": "doubled", "input": 1, "metadata": {"owner": "bob"}}
    run_id = ask(api, ANN, "POST", "/runs", body).json()["run_id"]
    api.worker.work()
    for last in ("join", "stream"):
        path = f"/runs/{run_id}/{last}"
        assert ask(api, ANN, "GET", path).status_code == 200
        found, known = (
            ask(api, BOB, "GET", path),
            ask(api, BOB, "GET", f"/runs/{run_id[:-1]}z/{last}"),
        )
        assert found.status_code == known.status_code == 404
        assert found.text.replace(run_id, "") == known.text.replace(f"{run_id[:-1]}z", "")
    body["if_not_exists"] = "create"
    assert ask(api, BOB, "POST", "/threads", {"thread_id": run_id}).status_code == 409
    assert ask(api, BOB, "POST", f"/threads/{run_id}/runs", body).status_code == 404
    assert ask(api, BOB, "GET", f"/threads/{run_id}/runs/{run_id}").status_code == 404


def test_each_run_of_a_batch_is_asked_for(api: Api) -> None:
    theirs = thread(api, BOB)
    one = {"assistant_id": "whose", "input": 1, "if_not_exists": "create"}

    refused = ask(api, ANN, "POST", "/runs/batch", [one, {**one, "thread_id": theirs}])
    made = ask(api, ANN, "POST", "/runs/batch", [{**one, "thread_id": "new"}, one]).json()
    api.worker.work()

    assert refused.status_code == 404
    assert ask(api, BOB, "GET", f"/threads/{theirs}/runs").json() == []
    assert ask(api, ANN, "GET", f"/threads/new/runs/{made[0]['run_id']}/join").json() == "ann"
    assert ask(api, BOB, "GET", f"/runs/{made[1]['run_id']}/join").status_code == 404
    assert ask(api, ANN, "GET", f"/runs/{made[1]['run_id']}/join").json() == "ann"


def test_states_are_pruned_on_own_threads_alone(api: Api) -> None:
    theirs, own = thread(api, BOB), thread(api, ANN)
    for user, name in ((BOB, theirs), (ANN, own)):
        for _ in range(2):
            run(api, user, name, "counting")
    body = {"thread_ids": [theirs, own], "strategy": "keep_latest"}

    assert ask(api, ANN, "POST", "/threads/prune", body).json() == {"pruned_count": 1}

    kept = [
        len(ask(api, user, "GET", f"/threads/{name}/history").json())
        for user, name in ((BOB, theirs), (ANN, own))
    ]
    assert kept[0] > kept[1] == 1


def test_a_kept_run_has_a_thread_of_its_user(api: Api) -> None:
    body = {"assistant_id": "doubled", "input": 1, "on_completion": "keep"}
    thread_id = ask(api, ANN, "POST", "/runs", body).json()["thread_id"]

    assert ask(api, ANN, "GET", f"/threads/{thread_id}").status_code == 200
    assert ask(api, BOB, "GET", f"/threads/{thread_id}").status_code == 404


@pytest.mark.parametrize("status", ["all", "pending", None])
def test_many_runs_are_cancelled_only_where_they_are_the_users(api: Api, status: Any) -> None:
    body = {"assistant_id": "doubled", "input": 1, "if_not_exists": "create"}
    runs = {
        path: ask(api, user, "POST", path, body).json()["run_id"]
        for user, path in (
            (ANN, "/threads/a/runs"),
            (BOB, "/threads/b/runs"),
            (ANN, "/runs"),
            (BOB, "/runs?"),
        )
    }
    if status is None:
        theirs = {"thread_id": "b", "run_ids": [runs["/threads/b/runs"]]}
        assert ask(api, ANN, "POST", "/runs/cancel", theirs).status_code == 404
        wanted: Any = {"thread_id": "a", "run_ids": [runs["/threads/a/runs"]]}
    else:
        wanted = {"status": status}

    assert ask(api, ANN, "POST", "/runs/cancel", wanted).status_code == 204

    found = {path: api.worker.client.get(run_id).info().status for path, run_id in runs.items()}
    assert found["/threads/a/runs"] == "cancelled"
    assert found["/runs"] == ("cancelled" if status else "queued")
    assert found["/threads/b/runs"] == found["/runs?"] == "queued"


def test_a_reader_may_not_cancel_by_leaving() -> None:
    auth = owners()

    @auth.on.threads.update
    async def no(ctx: Any, value: dict[str, Any]) -> bool:
        assert value["action"] == "interrupt"
        return False

    with serving(auth) as api:
        run_id = run(api, ANN, "t")
        for last in ("join", "stream"):
            path = f"/threads/t/runs/{run_id}/{last}"
            assert ask(api, ANN, "GET", path).status_code == 200
            assert ask(api, ANN, "GET", f"{path}?cancel_on_disconnect=true").status_code == 403


def test_the_workflow_knows_its_user_and_nobody_says_another(api: Api) -> None:
    forged = {name: "bob" for name in ("langgraph_auth_user", "langgraph_auth_user_id")}
    body = {"assistant_id": "whose", "config": {"configurable": {**forged, "x": 1}}}
    _SEEN.clear()
    run_id = ask(api, ANN, "POST", "/runs", body).json()["run_id"]
    api.worker.work()

    assert ask(api, ANN, "GET", f"/runs/{run_id}/join").json() == "ann"
    (seen,) = _SEEN
    assert seen["langgraph_auth_user"]["token"] == "secret"
    assert seen["x"] == 1
    body["if_not_exists"] = "create"
    shown = ask(api, ANN, "POST", "/threads/t/runs", body)
    assert "secret" not in shown.text
    assert "langgraph_auth" not in shown.text


def test_without_an_auth_nobody_says_who_they_are() -> None:
    with serving(None) as api:
        body = {
            "assistant_id": "whose",
            "config": {"configurable": {"langgraph_auth_user_id": "x"}},
        }
        run_id = ask(api, {}, "POST", "/runs", body).json()["run_id"]
        api.worker.work()
        assert ask(api, {}, "GET", f"/runs/{run_id}/join").json() == "None"


# -- assistants and the store ---------------------------------------------------------------------


def test_assistants_are_for_those_who_made_them(api: Api) -> None:
    body = {"graph_id": "doubled", "metadata": {"owner": "bob"}, "assistant_id": "mine"}
    made = ask(api, ANN, "POST", "/assistants", body).json()
    names = [(ANN, True), (BOB, False)]

    assert made["metadata"] == {"owner": "ann"}
    for user, is_own in names:
        found = ask(api, user, "POST", "/assistants/search", {"limit": 100}).json()
        assert ("mine" in [each["assistant_id"] for each in found]) is is_own
        assert ask(api, user, "POST", "/assistants/count", {}).json() == len(found)
        assert ask(api, user, "GET", "/assistants/doubled").status_code == 200
        began = ask(api, user, "POST", "/runs", {"assistant_id": "mine", "input": 1})
        assert began.status_code == (200 if is_own else 422)
    refused = ask(api, BOB, "POST", "/runs", {"assistant_id": "mine", "input": 1}).text
    unknown = ask(api, BOB, "POST", "/runs", {"assistant_id": "none", "input": 1}).text
    assert refused == unknown.replace("none", "mine")
    for how in ({}, {"if_exists": "do_nothing"}):
        again = ask(api, BOB, "POST", "/assistants", {**body, **how})
        assert again.status_code == 409
    patched = ask(api, ANN, "PATCH", "/assistants/mine", {"metadata": {"owner": "bob", "n": 1}})
    assert patched.json()["metadata"] == {"owner": "ann", "n": 1}


def test_threads_of_others_stay_when_an_assistant_is_deleted(api: Api) -> None:
    ask(api, ANN, "POST", "/assistants", {"graph_id": "doubled", "assistant_id": "mine"})
    ann, bob = (thread(api, user, metadata={"assistant_id": "mine"}) for user in (ANN, BOB))

    done = ask(api, ANN, "DELETE", "/assistants/mine?delete_threads=true")

    assert done.status_code == 204
    assert ask(api, ANN, "GET", f"/threads/{ann}").status_code == 404
    assert ask(api, BOB, "GET", f"/threads/{bob}").status_code == 200


def test_the_store_has_the_namespace_that_the_handler_says(api: Api) -> None:
    item = {"namespace": ["a"], "key": "k", "value": {"n": 1}}
    for user, name in ((ANN, "ann"), (BOB, "bob")):
        assert ask(api, user, "PUT", "/store/items", item).status_code == 204
        found = ask(api, user, "GET", "/store/items?namespace=a&key=k").json()
        assert found["namespace"] == [name, "a"]
        listed = ask(api, user, "POST", "/store/items/search", {"namespace_prefix": []}).json()
        assert [each["namespace"] for each in listed["items"]] == [[name, "a"]]
        spaces = ask(api, user, "POST", "/store/namespaces", {}).json()
        assert spaces == {"namespaces": [[name, "a"]]}
    gone = {"namespace": ["a"], "key": "k"}
    assert ask(api, BOB, "DELETE", "/store/items", gone).status_code == 204
    assert ask(api, BOB, "GET", "/store/items?namespace=a&key=k").json() is None
    assert ask(api, ANN, "GET", "/store/items?namespace=a&key=k").json() is not None


def test_a_user_with_a_dot_gets_no_namespace_of_another(api: Api) -> None:
    dotted = {"authorization": "ann.a"}
    item: dict[str, Any] = {"namespace": ["a"], "key": "k", "value": {}}
    ask(api, ANN, "PUT", "/store/items", {**item, "namespace": ["a", "a"]})

    refused = [
        ask(api, dotted, "PUT", "/store/items", item),
        ask(api, dotted, "GET", "/store/items?namespace=a&key=k"),
        ask(api, dotted, "POST", "/store/items/search", {}),
        ask(api, dotted, "POST", "/store/namespaces", {}),
    ]

    found = [each.json() for each in refused if each.status_code != 422]
    assert found == [None, {"items": []}, {"namespaces": []}]


# -- handlers -------------------------------------------------------------------------------------


def test_what_a_handler_changes_is_what_is_done() -> None:
    auth = owners()

    @auth.on.threads.create
    async def stamp(ctx: Any, value: dict[str, Any]) -> None:
        value["metadata"]["owner"] = ctx.user.identity
        value["metadata"]["stamped"] = True

    @auth.on.threads.create_run
    async def more(ctx: Any, value: dict[str, Any]) -> None:
        value["kwargs"]["input"] += 1
        value["metadata"]["by"] = ctx.permissions[0]

    with serving(auth) as api:
        made = ask(api, ANN, "POST", "/threads", {}).json()
        assert made["metadata"] == {"owner": "ann", "stamped": True}
        run_id = run(api, ANN, made["thread_id"], x=20)
        path = f"/threads/{made['thread_id']}/runs/{run_id}"
        assert ask(api, ANN, "GET", f"{path}/join").json() == 42
        assert ask(api, ANN, "GET", path).json()["metadata"]["by"] == "p"
        run(api, ANN, "new")
        assert ask(api, ANN, "GET", "/threads/new").json()["metadata"]["stamped"] is True


async def _raises(ctx: Any, value: Any) -> None:
    raise PermissionError("no")


async def _breaks(ctx: Any, value: Any) -> None:
    value["metadata"] = "x"


async def _filters(ctx: Any, value: Any) -> Any:
    return {"owner": {"$like": "a"}}


async def _answers(ctx: Any, value: Any) -> Any:
    return "yes"


@pytest.mark.parametrize("handler", [_raises, _breaks, _filters, _answers])
def test_a_handler_that_fails_lets_nobody_in(handler: Any) -> None:
    auth = owners()
    auth.on(resources="threads", actions=["create", "search"])(handler)
    with serving(auth) as api:
        for path in ("/threads", "/threads/search"):
            found = ask(api, ANN, "POST", path, {})
            assert (found.status_code, found.json()["detail"]) == (500, "internal error")
        assert _records(api) == 0


def _records(api: Api) -> int:
    def count() -> Plan[int]:
        found: int = yield ("ZCARD", api.worker.client.plans.keys.threads)
        return found

    return api.worker.client.do(count())
