"""Many runs over HTTP: found, counted, grouped, and changed together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from penstock.gateway.auth.role import Role
from tests.gateway.api import Api


def ids(page: dict[str, Any]) -> list[str]:
    return [run["run_id"] for run in page["runs"]]


def test_runs_are_listed_page_by_page(api: Api) -> None:
    made = [api.run("doubled", x) for x in range(5)]

    found: list[str] = []
    page: dict[str, Any] = {"after": None}
    for _ in range(3):
        after = {"after": page["after"]} if page["after"] else {}
        page = api.get("/api/runs", limit=2, **after)
        found += ids(page)

    assert found == made[::-1]
    assert page["after"] is None


def test_runs_are_found_by_all_filters(api: Api) -> None:
    sought = api.run("doubled", 1, tags={"customer": "ann", "kind": "a=b"}, thread_id="t")
    api.run("doubled", 1, tags={"customer": "bob"})
    failed = api.run("broken", 1, tags={"customer": "ann"})

    by_tag = api.get("/api/runs", tag=["customer=ann", "kind=a=b"])
    by_status = api.get("/api/runs", status=["failed", "cancelled"])
    by_time = api.get("/api/runs", until="2020-01-01T00:00:00Z")

    assert ids(by_tag) == [sought]
    assert ids(api.get("/api/runs", thread="t", entrypoint="doubled")) == [sought]
    assert ids(by_status) == [failed]
    assert ids(by_time) == []


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ({"colour": "red"}, "colour"),
        ({"thread": ""}, "thread"),
        ({"status": "lost"}, "lost"),
        ({"tag": "customer"}, "KEY=VALUE"),
        ({"since": "2020-01-01T00:00:00"}, "zone"),
        ({"limit": "0"}, "limit"),
        ({"after": "x"}, "after"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(api: Api, query: Any, what: str) -> None:
    found = api.ask("GET", "/api/runs", params=query)

    assert found.status_code == 422
    assert what in found.json()["detail"]


def test_runs_are_counted(api: Api) -> None:
    api.run("doubled", 1)
    api.run("broken", 1)

    assert api.get("/api/counts")["completed"] == 1
    assert api.get("/api/counts", by="entrypoint", status="failed") == {"broken": 1}


def test_failures_are_grouped_by_cause_and_found(api: Api) -> None:
    runs = [api.run("broken", x) for x in range(2)]

    (group,) = api.get("/api/failures")["failures"]

    assert group["count"] == 2
    assert api.get("/api/failures", cause=group["cause"])["failures"] == [group]
    assert api.get("/api/failures", cause="none")["failures"] == []
    assert ids(api.get("/api/runs", error=group["cause"])) == runs[::-1]


def test_the_same_is_done_to_all_runs_that_pass_a_filter(api: Api) -> None:
    failed = [api.run("broken", x) for x in range(3)]
    body = {"action": "resume", "entrypoint": "broken"}

    dry = api.ask("POST", "/api/bulk", json=body | {"dry_run": True})
    done = api.ask("POST", "/api/bulk", json=body | {"rate": 1000})

    assert dry.headers["content-type"] == "application/x-ndjson"
    assert sorted(named(dry.text)) == sorted(named(done.text)) == sorted(failed)
    assert api.worker.work() == 3


def named(lines: str) -> list[str]:
    return [run_id for line in lines.splitlines() for run_id in json.loads(line)["run_ids"]]


def test_nothing_is_done_to_all_runs_unless_it_is_said(api: Api) -> None:
    api.run("broken", 1)

    refused = api.ask("POST", "/api/bulk", json={"action": "resume"})
    done = api.ask("POST", "/api/bulk", json={"action": "resume", "all": True})

    assert refused.status_code == 422
    assert len(named(done.text)) == 1


@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_a_worker_of_another_queue_does_it(api: Api) -> None:
    body = {"action": "resume", "all": True, "detach": True, "worker_queue": "bulks"}

    run_id = api.ask("POST", "/api/bulk", json=body).json()["run_id"]

    assert api.get(f"/api/runs/{run_id}")["queue"] == "bulks"
    api.worker.client.get(run_id).cancel()


def test_only_an_admin_deletes_runs(closed: Api) -> None:
    body = {"action": "delete", "entrypoint": "doubled"}

    operator = closed.ask("POST", "/api/bulk", json=body, headers=closed.key(Role.OPERATOR))
    admin = closed.ask("POST", "/api/bulk", json=body, headers=closed.key(Role.ADMIN))

    assert (operator.status_code, admin.status_code) == (403, 200)


def test_a_queue_for_a_bulk_that_no_worker_does_is_refused(api: Api) -> None:
    body = {"action": "cancel", "all": True, "worker_queue": "night"}
    found = api.ask("POST", "/api/bulk", json=body)
    assert found.status_code == 422
    assert "detach" in found.json()["detail"]
