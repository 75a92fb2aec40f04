"""What changes many runs is no run that clients of LangGraph begin, or let go on."""

from __future__ import annotations

import pytest

from penstock.gateway.auth.role import Role
from penstock.runtime.types.bulk import BULK
from tests.gateway.api import Api

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_bulk_does_not_go_on_by_null_on_its_thread(closed: Api, status: str) -> None:
    bulk = closed.worker.client.start_bulk("delete", entrypoint="doubled")
    closed.worker.connection.hset(f"penstock:run:{bulk.run_id}", mapping={"status": status})
    body = {"assistant_id": "doubled", "input": None}

    refused = closed.ask(
        "POST", f"/threads/{bulk.thread_id}/runs", json=body, headers=closed.key(Role.CLIENT)
    )

    assert refused.status_code == 403
    assert "POST /api/bulk" in refused.json()["detail"]
    assert bulk.info().status == status


def test_no_assistant_stands_for_a_bulk(closed: Api) -> None:
    headers = closed.key(Role.ADMIN)
    run = {"assistant_id": BULK, "input": {"action": "delete"}}

    made = closed.ask("POST", "/assistants", json={"graph_id": BULK}, headers=headers)
    begun = closed.ask("POST", "/runs", json=run, headers=headers)

    assert made.status_code in (404, 422)
    assert begun.status_code in (403, 404, 422)
    assert closed.worker.client.count() == 0
