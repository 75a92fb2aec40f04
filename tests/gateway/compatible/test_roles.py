"""What the roles of keys may do with the runs of LangGraph's clients."""

from __future__ import annotations

import pytest

from penstock.gateway.auth.role import Role
from tests.gateway.api import Api


@pytest.mark.parametrize("last", ["join", "stream"])
def test_a_viewer_may_follow_a_run_but_not_cancel_it_by_leaving(closed: Api, last: str) -> None:
    run_id = closed.worker.client.enqueue("doubled", 1, thread_id="t").run_id
    closed.worker.work()
    viewer, client = closed.key(Role.VIEWER), closed.key(Role.CLIENT)

    for path in (f"/threads/t/runs/{run_id}/{last}", f"/runs/{run_id}/{last}"):
        leaving = {"cancel_on_disconnect": "true"}
        assert closed.ask("GET", path, params=leaving, headers=viewer).status_code == 403
        assert closed.ask("GET", path, params=leaving, headers=client).status_code == 200
        assert closed.ask("GET", path, headers=viewer).status_code == 200


def test_only_an_admin_deletes_a_run(closed: Api) -> None:
    run_id = closed.worker.client.enqueue("doubled", 1, thread_id="t").run_id
    closed.worker.work()
    path = f"/threads/t/runs/{run_id}"

    refused = closed.ask("DELETE", path, headers=closed.key(Role.OPERATOR))
    done = closed.ask("DELETE", path, headers=closed.key(Role.ADMIN))

    assert (refused.status_code, done.status_code) == (403, 204)
    assert closed.ask("GET", path, headers=closed.key(Role.ADMIN)).status_code == 404


def test_a_client_lets_a_failed_run_go_on_as_langgraphs_clients_do(closed: Api) -> None:
    closed.worker.client.enqueue("broken", 1, thread_id="t")
    closed.worker.work()
    body = {"assistant_id": "broken", "input": None}

    answer = closed.ask("POST", "/threads/t/runs", json=body, headers=closed.key(Role.CLIENT))

    assert answer.status_code == 200
    assert answer.json()["run_id"].endswith(".2")
