"""Whose things are where two users, or a user and an entrypoint, come upon the same id."""

from __future__ import annotations

import time
from typing import Any

import pytest

from penstock.gateway import Auth
from penstock.runtime.redis.plans import thread_search
from penstock.runtime.redis.plans.requests import Plan
from tests.gateway.api import Api
from tests.gateway.compatible.test_auth import ANN, BOB, ask, owners, run, serving, thread
from tests.gateway.flows import FLOWS


class Interrupting:
    """An Auth that has something done while a request is under way."""

    def __init__(self) -> None:
        self.auth = owners()
        self.meanwhile: Any = None

        @self.auth.on.assistants.read
        async def read(ctx: Any, value: dict[str, Any]) -> Any:
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile is not None:
                await meanwhile()
            return {"owner": ctx.user.identity}


_BODY = {"assistant_id": "counting", "input": 5, "if_not_exists": "create"}


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/threads/t/runs", _BODY),
        ("/runs/batch", [{**_BODY, "thread_id": "t"}]),
        ("/api/runs", {"entrypoint": "counting", "input": 5, "thread_id": "t"}),
    ],
)
def test_a_run_gets_no_thread_that_another_user_has_made_meanwhile(path: str, given: Any) -> None:
    interrupting = Interrupting()
    with serving(interrupting.auth) as api:

        async def bob_makes_it() -> None:
            made = await api.request("POST", "/threads", json={"thread_id": "t"}, headers=BOB)
            assert made.status_code == 200

        interrupting.meanwhile = bob_makes_it
        refused = ask(api, ANN, "POST", path, given)
        api.worker.work()

        assert refused.status_code == 404
        assert "no thread 't'" in refused.text
        assert interrupting.meanwhile is None
        assert ask(api, BOB, "GET", "/threads/t/runs").json() == []


def announce(api: Api, name: str) -> None:
    """Let an entrypoint have a name."""

    def plan() -> Plan[None]:
        later = round(time.time() * 1000) + 60_000
        yield ("ZADD", api.worker.client.plans.keys.entrypoints, later, name)

    api.worker.client.do(plan())


def test_nobody_changes_the_assistant_of_another_that_an_entrypoint_hides() -> None:
    with serving(owners()) as api:
        made = ask(api, ANN, "POST", "/assistants", {"assistant_id": "x", "graph_id": "doubled"})
        assert made.status_code == 200
        for name in ("x", "y"):
            announce(api, name)

        for method, path, body in (
            ("PATCH", "", {"name": "bob's"}),
            ("POST", "/latest", {"version": 1}),
            ("DELETE", "", None),
        ):
            hidden, none = (
                ask(api, BOB, method, f"/assistants/{name}{path}", body) for name in "xy"
            )
            assert hidden.status_code == none.status_code == 422
            assert hidden.text.replace("'x'", "'y'") == none.text

        patched = ask(api, ANN, "PATCH", "/assistants/x", {"name": "ann's"})
        assert (patched.status_code, patched.json()["version"]) == (200, 2)
        assert ask(api, ANN, "DELETE", "/assistants/x").status_code == 204


def test_who_begins_a_run_without_a_thread_may_do_all_with_it() -> None:
    with serving(owners()) as api:
        body = {"assistant_id": "asking", "input": 1, "after_seconds": 60}
        runs = [ask(api, ANN, "POST", "/runs", body).json() for _ in range(2)]
        first, second = (f"/threads/{each['thread_id']}/runs/{each['run_id']}" for each in runs)
        many = {"thread_id": runs[1]["thread_id"], "run_ids": [runs[1]["run_id"]]}

        for user, is_own in ((BOB, False), (ANN, True)):

            def status(method: str, path: str, body: Any = None, user: Any = user) -> int:
                return ask(api, user, method, path, body).status_code

            assert status("GET", first) == (200 if is_own else 404)
            assert status("GET", f"/threads/{runs[0]['thread_id']}/state") == (
                200 if is_own else 404
            )
            assert status("POST", f"{first}/cancel") == (202 if is_own else 404)
            assert status("POST", "/runs/cancel", many) == (204 if is_own else 404)
            assert status("DELETE", second) == (204 if is_own else 404)
            begun = {"assistant_id": "doubled", "input": 1}
            assert status("POST", f"/threads/{runs[0]['thread_id']}/runs", begun) == 404


def test_a_handler_may_write_the_owner_into_all_metadata() -> None:
    auth = Auth()

    @auth.authenticate
    async def who(authorization: str | None) -> dict[str, Any]:
        return {"identity": authorization or ""}

    @auth.on
    async def own(ctx: Any, value: dict[str, Any]) -> Any:
        owner = {"owner": ctx.user.identity}
        value.setdefault("metadata", {}).update(owner)
        return owner

    with serving(auth) as api:
        made = ask(api, ANN, "POST", "/assistants", {"assistant_id": "a", "graph_id": "doubled"})
        assert made.json()["metadata"] == {"owner": "ann"}
        threads = [thread(api, ANN), thread(api, BOB)]
        run(api, ANN, threads[0], "counting")

        def listed(path: str, body: Any) -> Any:
            return ask(api, ANN, "POST", path, body).json()

        names = {each["assistant_id"] for each in listed("/assistants/search", {"limit": 100})}
        assert len(names) == listed("/assistants/count", {}) == 2 + len(FLOWS)  # and whose
        assert "a" in names
        assert len(listed("/assistants/doubled/versions", {})) == 1
        assert [each["thread_id"] for each in listed("/threads/search", {})] == threads[:1]
        found = listed("/threads/search", {"metadata": {"owner": "bob"}})
        assert found == []
        history = listed(f"/threads/{threads[0]}/history", {})
        assert len(history) == len(ask(api, ANN, "GET", f"/threads/{threads[0]}/history").json())
        assert len(history) > 0


def test_a_handler_may_look_for_more_than_its_filter_says() -> None:
    auth = owners()

    @auth.on.threads.search
    async def red_ones(ctx: Any, value: dict[str, Any]) -> Any:
        value["metadata"]["colour"] = "red"
        return {"owner": ctx.user.identity}

    with serving(auth) as api:
        red, _ = (thread(api, ANN, metadata={"colour": each}) for each in ("red", "blue"))
        found = ask(api, ANN, "POST", "/threads/search", {}).json()
        assert [each["thread_id"] for each in found] == [red]


def test_all_threads_of_an_assistant_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_search, "SMALL", 4)
    monkeypatch.setattr(thread_search, "AT_ONCE", 4)
    with serving(owners()) as api:
        ask(api, ANN, "POST", "/assistants", {"assistant_id": "a", "graph_id": "doubled"})
        for user in (ANN, ANN, BOB, ANN) * 4:
            thread(api, user, metadata={"assistant_id": "a"})

        gone = ask(api, ANN, "DELETE", "/assistants/a?delete_threads=true")

        assert gone.status_code == 204
        sought = {"metadata": {"assistant_id": "a"}}
        counts = [ask(api, user, "POST", "/threads/count", sought).json() for user in (ANN, BOB)]
        assert counts == [0, 4]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/runs/cancel", '{"thread_id": "ODD", "run_ids": ["a"]}'),
        ("/runs/cancel", '{"thread_id": "a", "run_ids": ["ODD"]}'),
        ("/runs/batch", '[{"thread_id": "ODD", "assistant_id": "doubled"}]'),
        ("/threads/prune", '{"thread_ids": ["ODD"]}'),
        ("/threads/search", '{"ids": ["ODD"]}'),
        ("/threads", '{"thread_id": "ODD"}'),
        ("/assistants", '{"assistant_id": "ODD", "graph_id": "doubled"}'),
    ],
)
def test_an_id_with_half_of_a_character_is_refused(path: str, body: str) -> None:
    with serving(owners()) as api:
        headers = {**ANN, "content-type": "application/json"}
        found = api.ask("POST", path, content=body.replace("ODD", "\\ud800"), headers=headers)
        assert found.status_code == 422, found.text
