"""The native API with an Auth: each route asks it, and what is of others is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from penstock.gateway import Auth
from penstock.gateway.app import ENDPOINTS
from penstock.gateway.native.asks import ALL
from penstock.runtime.redis.keys import thread_key
from tests.gateway.api import Api
from tests.gateway.owners import ANN, BOB, CHIEF, owners, serving

BODIES: dict[str, Any] = {
    "/api/runs": {"entrypoint": "doubled", "input": 1},
    "/api/bulk": {"action": "cancel", "all": True},
    "/answer": {"answer": True},
    "/copy": {"target": "copied"},
    "/api/webhooks/{webhook_id}": {"url": "https://example.com/hook"},
}


@pytest.fixture
def api() -> Iterator[Api]:
    """A gateway on which each user has their own."""
    with serving(owners()) as api:
        yield api


def ask(api: Api, user: dict[str, str], method: str, path: str, body: Any = None) -> httpx.Response:
    given = {} if body is None else {"json": body}
    return api.ask(method, path, headers=user, **given)


def body_of(method: str, path: str) -> Any:
    if method == "PATCH":
        return {"values": 7}
    ends = (path, f"/{path.rpartition('/')[2]}")
    return next((BODIES[each] for each in ends if each in BODIES), dict[str, Any]())


def begin(api: Api, user: dict[str, str], flow: str = "doubled", x: Any = 1, **more: Any) -> str:
    body = {"entrypoint": flow, "input": x, **more}
    made = ask(api, user, "POST", "/api/runs", body)
    assert made.status_code == 202, made.text
    api.worker.work()
    return str(made.json()["run_id"])


def result(api: Api, user: dict[str, str], run_id: str) -> Any:
    return ask(api, user, "GET", f"/api/runs/{run_id}/result?timeout=0").json().get("result")


def listed(api: Api, user: dict[str, str], query: str = "") -> list[str]:
    found = ask(api, user, "GET", f"/api/runs{query}")
    assert found.status_code == 200, found.text
    return [each["run_id"] for each in found.json()["runs"]]


# -- every route ----------------------------------------------------------------------------------


def test_every_route_asks_somebody() -> None:
    auth, asked = Auth(), list[str]()

    @auth.authenticate
    def who() -> str:
        return "ann"

    @auth.on
    async def nobody(ctx: Any, value: Any) -> bool:
        asked.append(f"{ctx.resource}.{ctx.action}")
        return False

    with serving(auth) as api:
        for each in ENDPOINTS:
            asked.clear()
            body = body_of(each.method, each.path)
            path = re.sub(r"{\w+}", "x", each.path)
            found = ask(api, {}, each.method, path, body)
            assert (found.status_code, found.json()) == (403, {"detail": "Forbidden"}), path
            assert len(asked) == 1, path


def test_nobody_comes_in_unknown(api: Api) -> None:
    for each in ENDPOINTS:
        found = api.ask(each.method, re.sub(r"{\w+}", "x", each.path))
        assert (found.status_code, found.json()) == (401, {"detail": "who?"}), each.path
        assert found.headers["www-authenticate"] == "Own"


def test_what_is_of_another_is_missing_by_the_same_bytes(api: Api) -> None:
    run_id = begin(api, ANN, "asking", thread_id="of-ann")
    alone = begin(api, ANN)

    for each in (one for one in ENDPOINTS if "{run_id}" in one.path or "{thread_id}" in one.path):
        body = body_of(each.method, each.path)
        for known in ("of-ann",) if "{thread_id}" in each.path else (run_id, alone):
            texts = [
                ask(api, BOB, each.method, re.sub(r"{\w+}", name, each.path), body)
                for name in (known, "none")
            ]
            assert [found.status_code for found in texts] == [404, 404], (each.method, each.path)
            assert texts[0].text.replace(known, "none") == texts[1].text, each.path

    assert ask(api, ANN, "POST", f"/api/runs/{run_id}/answer", {"answer": True}).status_code == 202
    api.worker.work()
    assert result(api, ANN, run_id) == "2 True"


def test_the_owner_and_who_sees_all_may_do_everything(api: Api) -> None:
    for number, user in enumerate((ANN, CHIEF)):
        run_id = begin(api, ANN, "asking", thread_id=f"t{number}")
        assert run_id in ask(api, user, "GET", f"/api/runs/{run_id}").text
        answered = ask(api, user, "POST", f"/api/runs/{run_id}/answer", {"answer": True})
        assert answered.status_code == 202
        api.worker.work()
        events = ask(api, user, "GET", f"/api/runs/{run_id}/events")
        assert "run.finished" in events.text
        for path in (f"/api/runs/{run_id}/rerun", f"/api/runs/{run_id}/fork"):
            assert ask(api, user, "POST", path, {}).status_code == 202, path
            api.worker.work()
        assert ask(api, user, "GET", f"/api/threads/t{number}").status_code == 200
        assert ask(api, user, "DELETE", f"/api/threads/t{number}").status_code in (204, 409)


def test_what_is_about_all_runs_is_for_who_sees_them_all(api: Api) -> None:
    begin(api, ANN, "broken")
    for each in ENDPOINTS:
        if re.search("{(run_id|thread_id)}", each.path) or each.path in (
            *("/api/runs", "/api/counts", "/api/entrypoints"),
        ):
            continue
        path, body = re.sub(r"{\w+}", "x", each.path), body_of(each.method, each.path)
        found = ask(api, ANN, each.method, path, body)
        assert (found.status_code, found.json()) == (403, {"detail": ALL}), path
        assert ask(api, CHIEF, each.method, path, body).status_code != 403, path


# -- runs -----------------------------------------------------------------------------------------


def test_lists_and_counts_have_what_is_of_the_user(api: Api) -> None:
    own = [begin(api, ANN, x=1), begin(api, ANN, x=2, thread_id="a")]
    for _ in range(3):
        begin(api, BOB, x=3)
    begin(api, BOB, x=4, thread_id="b")

    assert sorted(listed(api, ANN)) == sorted(own)
    assert listed(api, ANN, "?thread=b") == []
    assert len(listed(api, CHIEF)) == 6
    assert ask(api, ANN, "GET", "/api/counts").json() == {"completed": 2}
    assert ask(api, ANN, "GET", "/api/counts?by=queue&thread=b").json() == {}
    assert ask(api, ANN, "GET", "/api/counts?by=colour").status_code == 422
    assert ask(api, BOB, "GET", "/api/counts?by=entrypoint").json() == {"doubled": 4}


def test_pages_go_on_by_a_cursor_that_names_nobody_elses_run(api: Api) -> None:
    own = []
    for x in range(4):
        own.append(begin(api, ANN, x=x))
        begin(api, BOB, x=x)

    found: list[str] = []
    cursors: list[str] = []
    for _ in range(4):
        after = f"&after={cursors[-1]}" if cursors else ""
        page = ask(api, ANN, "GET", f"/api/runs?limit=1{after}").json()
        found += [each["run_id"] for each in page["runs"]]
        cursors.append(page["after"])
    assert found == own[::-1]
    for cursor in ("x", cursors[0][:-2] + "xx", api.worker.client.runs(limit=1).after):
        assert ask(api, ANN, "GET", f"/api/runs?after={cursor}").status_code == 422


def test_a_run_is_executed_in_the_name_of_who_began_it(api: Api) -> None:
    forged = {"configurable": {"langgraph_auth_user_id": "bob", "x": 1}}
    run_id = begin(api, ANN, "whose", config=forged, thread_id="t")
    assert result(api, ANN, run_id) == "ann"

    again = ask(api, CHIEF, "POST", f"/api/runs/{run_id}/rerun", {}).json()["run_id"]
    api.worker.work()
    assert result(api, ANN, again) == "ann"
    other = ask(api, CHIEF, "POST", f"/api/runs/{run_id}/rerun", {"input": 7})
    assert other.status_code == 403
    own = ask(api, ANN, "POST", f"/api/runs/{run_id}/rerun", {"input": 7})
    assert own.status_code == 202


@pytest.mark.parametrize("config", [{"configurable": "x"}, {"metadata": "abc"}])
def test_a_config_that_is_none_is_refused(api: Api, config: dict[str, Any]) -> None:
    refused = ask(api, ANN, "POST", "/api/runs", {"entrypoint": "doubled", "config": config})

    assert (refused.status_code, listed(api, ANN)) == (422, [])


def test_a_run_is_on_no_thread_and_has_no_id_of_another(api: Api) -> None:
    begin(api, ANN, thread_id="t")
    alone = begin(api, ANN)
    for taken in ("t", alone):
        found = ask(api, BOB, "POST", "/api/runs", {"entrypoint": "doubled", "thread_id": taken})
        assert (found.status_code, found.json()["detail"]) == (404, f"no thread {taken!r}.")
        found = ask(api, BOB, "POST", "/api/runs", {"entrypoint": "doubled", "run_id": taken})
        assert (found.status_code, found.json()["error"]) == (409, "RunConflictError")
    same = {"entrypoint": "doubled", "input": 1, "run_id": alone}
    assert ask(api, ANN, "POST", "/api/runs", same).status_code == 202
    assert listed(api, BOB) == []


def test_a_copy_is_of_who_made_it_and_over_nobody_elses_thread(api: Api) -> None:
    begin(api, ANN, "counting", 3, thread_id="a")
    assert ask(api, BOB, "POST", "/threads", {"thread_id": "b"}).status_code == 200

    taken = ask(api, ANN, "POST", "/api/threads/a/copy", {"target": "b"})
    made = ask(api, ANN, "POST", "/api/threads/a/copy", {"target": "c"})

    assert (taken.status_code, made.status_code) == (409, 201)
    assert ask(api, ANN, "GET", "/api/threads/c").json()["values"] == 3
    assert ask(api, BOB, "GET", "/api/threads/c").status_code == 404


def test_a_thread_on_which_nothing_ran_is_copied_with_its_metadata(api: Api) -> None:
    bare = {"thread_id": "a", "metadata": {"kind": "bare"}}
    assert ask(api, ANN, "POST", "/threads", bare).status_code == 200

    made = ask(api, ANN, "POST", "/api/threads/a/copy", {"target": "b"})

    assert (made.status_code, made.json()) == (201, {"thread_id": "b"})
    copied = ask(api, ANN, "GET", "/threads/b").json()
    assert copied["metadata"] == {"kind": "bare", "owner": "ann"}
    assert ask(api, BOB, "GET", "/threads/b").status_code == 404


def test_a_copy_that_fails_leaves_no_thread(api: Api) -> None:
    begin(api, ANN, "counting", 3, thread_id="a")
    history = api.worker.client.plans.keys.history(thread_key("a"))
    kept = api.worker.connection.rpop(history)
    api.worker.connection.rpush(history, b"unreadable")

    failed = ask(api, ANN, "POST", "/api/threads/a/copy", {"target": "b"})
    missing = ask(api, ANN, "GET", "/threads/b")
    api.worker.connection.rpop(history)
    api.worker.connection.rpush(history, kept)
    made = ask(api, ANN, "POST", "/api/threads/a/copy", {"target": "b"})

    assert (failed.status_code, missing.status_code, made.status_code) == (500, 404, 201)
    assert ask(api, ANN, "GET", "/api/threads/b").json()["values"] == 3


# -- what handlers change -------------------------------------------------------------------------


def test_what_a_handler_changes_is_done() -> None:
    auth, seen = Auth(), list[dict[str, Any]]()

    @auth.authenticate
    def who() -> str:
        return "ann"

    @auth.on.threads.create_run
    async def changed(ctx: Any, value: dict[str, Any]) -> None:
        seen.append({name: value[name] for name in ("assistant_id", "multitask_strategy")})
        value["metadata"]["team"] = "red"
        value["kwargs"]["input"] = 21

    @auth.on.threads.search
    async def narrowed(ctx: Any, value: dict[str, Any]) -> None:
        value["metadata"]["team"] = "red"

    with serving(auth) as api:
        other = api.worker.client.enqueue("doubled", 1).run_id
        run_id = begin(api, {}, x=1)
        assert result(api, {}, run_id) == 42
        assert seen == [{"assistant_id": "doubled", "multitask_strategy": "enqueue"}]
        assert listed(api, {}) == [run_id] != [other]
        assert ask(api, {}, "GET", "/api/counts").json() == {"completed": 1}
        assert ask(api, {}, "GET", "/api/failures").status_code == 403


def test_a_search_that_is_narrowed_by_what_it_cannot_look_for_shows_nothing() -> None:
    auth = Auth()

    @auth.authenticate
    def who() -> str:
        return "ann"

    @auth.on.threads.search
    async def narrowed(ctx: Any, value: dict[str, Any]) -> None:
        value["ids"] = ["t"]

    with serving(auth) as api:
        assert ask(api, {}, "GET", "/api/runs").status_code == 500


def test_an_entrypoint_that_is_refused_is_not_enqueued() -> None:
    auth = Auth()

    @auth.authenticate
    def who() -> str:
        return "ann"

    @auth.on.assistants.read
    async def read(ctx: Any, value: dict[str, Any]) -> bool:
        return bool(value["assistant_id"] == "doubled")

    with serving(auth) as api:
        assert begin(api, {})
        refused = ask(api, {}, "POST", "/api/runs", {"entrypoint": "broken"})
        assert (refused.status_code, refused.json()) == (403, {"detail": "Forbidden"})
