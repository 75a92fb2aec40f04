"""One run over HTTP: from its enqueue to its end, and again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.gateway.auth.role import Role
from penstock.gateway.native.facts import facts
from penstock.runtime.client.run import AsyncRunHandle
from penstock.runtime.types.bulk import BULK
from tests.gateway.api import Api


def test_a_run_is_enqueued_executed_and_shown(api: Api) -> None:
    named = api.post("/api/runs", {"entrypoint": "doubled", "input": 4, "thread_id": "t"})
    api.worker.work()

    shown = api.get(f"/api/runs/{named['run_id']}", input=True, values=True)

    assert named == {"run_id": shown["run_id"], "thread_id": "t"}
    assert (shown["status"], shown["input"], shown["result"]) == ("completed", 4, 8)
    assert [(step["name"], step["value"]) for step in shown["steps"]] == [("double", 8)]


def test_the_same_run_id_is_one_run(api: Api) -> None:
    body = {"entrypoint": "doubled", "input": 4, "run_id": "r"}

    assert api.post("/api/runs", body) == api.post("/api/runs", body)
    refused = api.ask("POST", "/api/runs", json=body | {"input": 5})

    assert refused.status_code == 409
    assert refused.json()["error"] == "RunConflictError"
    assert len(api.get("/api/runs")["runs"]) == 1


@pytest.mark.parametrize(
    "config",
    [{"configurable": "x"}, {"metadata": "abc"}, {"tags": "abc"}, {"recursion_limit": 0}],
)
def test_a_config_that_is_none_is_refused(api: Api, config: dict[str, Any]) -> None:
    refused = api.ask("POST", "/api/runs", json={"entrypoint": "doubled", "config": config})

    assert refused.status_code == 422
    assert next(iter(config)) in refused.text
    assert api.get("/api/runs")["runs"] == []


def test_the_events_of_a_run_are_all_that_is_stored(api: Api) -> None:
    run_id = api.run("doubled", 4)

    events = api.events(f"/api/runs/{run_id}/events")

    assert [event["event"] for event in events] == [event["mode"] for event in events]
    assert [int(event["id"]) for event in events] == list(range(1, len(events) + 1))
    assert [event["data"] for event in events if event["mode"] == "custom"] == ["doubling"]
    assert events[-1]["mode"] == "run.finished"


def test_a_stream_goes_on_after_the_last_event_that_was_seen(api: Api) -> None:
    path = f"/api/runs/{api.run('doubled', 4)}/events"
    events = api.events(path)

    rest = api.ask("GET", path, headers={"Last-Event-ID": "3"}, params={"after": 1})
    over = api.ask("GET", path, headers={"Last-Event-ID": str(len(events))})

    assert api.events(path, after=3) == events[3:]
    assert rest.text.startswith("id: 4\n")
    assert (over.status_code, over.text) == (204, "")


def test_a_stream_may_be_asked_for_without_its_events(api: Api) -> None:
    run_id = api.run("asking", 4)

    found = api.ask("HEAD", f"/api/runs/{run_id}/events")

    assert (found.status_code, found.text) == (200, "")
    assert found.headers["content-type"].startswith("text/event-stream")


def test_a_cursor_that_is_none_is_refused(api: Api) -> None:
    path = f"/api/runs/{api.run('doubled', 4)}/events"

    assert api.ask("GET", path, headers={"Last-Event-ID": "x"}).status_code == 400
    assert api.ask("GET", path, params={"after": "x"}).status_code == 422
    assert api.ask("GET", path, params={"after": 10_000}).status_code == 410


def test_a_stream_in_modes_ends_at_a_question_and_says_so(api: Api) -> None:
    run_id = api.run("asking", 4)

    events = api.events(f"/api/runs/{run_id}/events", mode=["updates", "custom"])

    assert [event["mode"] for event in events] == ["updates", "updates", "run.interrupted"]
    assert events[0]["data"] == {"double": 8}
    assert events[1]["data"]["__interrupt__"][0]["value"] == {"approve": 8}


def test_w12_all_that_is_stored_goes_on_past_the_end_of_a_run_that_was_resumed(api: Api) -> None:
    run_id = api.run("broken", 4)
    api.post(f"/api/runs/{run_id}/resume")
    api.worker.work()

    events = api.events(f"/api/runs/{run_id}/events")

    assert [event["mode"] for event in events].count("run.finished") == 2
    assert [int(event["id"]) for event in events] == list(range(1, len(events) + 1))


def test_facts_are_asked_for_alone(api: Api) -> None:
    run_id = api.run("doubled", 4)

    refused = api.ask("GET", f"/api/runs/{run_id}/events", params={"mode": ["facts", "updates"]})

    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("entrypoint", "expected"),
    [
        ("doubled", {"status": "completed", "result": 8}),
        ("broken", {"status": "failed", "reason": "ValueError: broken"}),
    ],
)
def test_a_result_is_waited_for(api: Api, entrypoint: str, expected: dict[str, Any]) -> None:
    run_id = api.run(entrypoint, 4)

    found = api.get(f"/api/runs/{run_id}/result")

    assert found == {"run_id": run_id, "thread_id": found["thread_id"]} | expected


def test_a_result_that_takes_longer_is_not_there_yet(api: Api) -> None:
    run_id = api.post("/api/runs", {"entrypoint": "doubled", "input": 4})["run_id"]

    found = api.ask("GET", f"/api/runs/{run_id}/result", params={"timeout": 0.01})

    assert (found.status_code, found.json()["status"]) == (202, "queued")


def test_a_run_that_asks_is_answered_once(api: Api) -> None:
    run_id = api.run("asking", 4)
    (question,) = api.get(f"/api/runs/{run_id}/result")["interrupts"]

    none = api.ask("POST", f"/api/runs/{run_id}/answer", json={})
    wrong = api.ask("POST", f"/api/runs/{run_id}/answer", json={"answer": "perhaps"})
    api.post(f"/api/runs/{run_id}/answer", {"answers": {question["id"]: True}})
    late = api.ask("POST", f"/api/runs/{run_id}/answer", json={"answer": False})
    api.worker.work()

    assert question["value"] == {"approve": 8}
    assert none.status_code == 422
    assert (wrong.status_code, wrong.json()["error"]) == (422, "AnswerError")
    assert (late.status_code, late.json()["error"]) == (409, "ResumeError")
    assert api.get(f"/api/runs/{run_id}/result")["result"] == "8 True"


def test_a_run_is_cancelled(api: Api) -> None:
    run_id = api.run("asking", 4)

    assert api.post(f"/api/runs/{run_id}/cancel")["status"] == "cancelled"
    found = api.get(f"/api/runs/{run_id}/result")

    assert found["status"] == "cancelled"


def test_a_run_is_repeated_and_forked(api: Api) -> None:
    run_id = api.run("doubled", 4)

    again = api.post(f"/api/runs/{run_id}/rerun")["run_id"]
    forked = api.post(f"/api/runs/{run_id}/fork", {"after_step": "double:0"})["run_id"]
    api.worker.work()

    assert api.get(f"/api/runs/{again}")["rerun_of"] == run_id
    assert [api.get(f"/api/runs/{each}")["result"] for each in (again, forked)] == [8, 8]
    assert len({run_id, again, forked}) == 3


def test_a_result_is_that_of_the_status_beside_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = api.run("asking", 4)
    wait = AsyncRunHandle.result

    async def late(run: AsyncRunHandle, timeout: float | None = None) -> Any:
        found = await wait(run, timeout)
        monkeypatch.setattr(AsyncRunHandle, "result", wait)
        await run.resume(True)
        await asyncio.to_thread(api.worker.work)
        return found

    monkeypatch.setattr(AsyncRunHandle, "result", late)
    found = api.get(f"/api/runs/{run_id}/result")

    assert (found["status"], found["result"]) == ("completed", "8 True")


def test_the_stream_of_a_run_that_was_deleted_ends(api: Api) -> None:
    run_id = api.run("doubled", 4)

    async def followed() -> list[str]:
        client, modes = api.worker.aclient, list[str]()
        async for event in facts(client, run_id, 0):
            modes.append(event.mode)
            if event.terminal:
                async for _ in client.bulk("delete", entrypoint="doubled"):
                    pass
        return modes

    assert api.runner.run(followed())[-1] == "run.finished"


def test_nobody_enqueues_what_changes_many_runs_as_a_run(closed: Api) -> None:
    body = {"entrypoint": BULK, "input": {"action": "delete"}}

    for role in (Role.CLIENT, Role.ADMIN):
        refused = closed.ask("POST", "/api/runs", json=body, headers=closed.key(role))
        assert refused.status_code == 403
        assert "POST /api/bulk" in refused.json()["detail"]


@pytest.mark.filterwarnings("ignore:no live worker has announced")
@pytest.mark.parametrize("action", ["resume", "rerun", "fork"])
def test_only_an_admin_executes_again_what_changes_many_runs(closed: Api, action: str) -> None:
    run_id = closed.worker.client.start_bulk("delete", entrypoint="doubled").run_id
    path = f"/api/runs/{run_id}/{action}"

    operator = closed.ask("POST", path, headers=closed.key(Role.OPERATOR))
    admin = closed.ask("POST", path, headers=closed.key(Role.ADMIN))

    assert operator.status_code == 403
    assert admin.status_code != 403


def test_a_run_is_repeated_with_another_input(api: Api) -> None:
    run_id = api.run("doubled", 4)

    again = api.post(f"/api/runs/{run_id}/rerun", {"input": 5})["run_id"]
    api.worker.work()

    found = api.get(f"/api/runs/{again}", input=True)
    assert (found["input"], found["result"], found["rerun_of"]) == (5, 10, run_id)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/runs/none"),
        ("GET", "/api/runs/none/events"),
        ("GET", "/api/runs/none/result"),
        ("POST", "/api/runs/none/cancel"),
        ("POST", "/api/runs/none/resume"),
        ("POST", "/api/runs/none/rerun"),
        ("POST", "/api/runs/none/fork"),
    ],
)
def test_a_run_that_nobody_knows_is_not_found(api: Api, method: str, path: str) -> None:
    found = api.ask(method, path)

    assert (found.status_code, found.json()["error"]) == (404, "RunNotFoundError")
