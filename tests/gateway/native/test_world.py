"""What executes runs, over HTTP."""

from __future__ import annotations

from tests.gateway.api import Api


def test_queues_entrypoints_and_workers_are_shown(api: Api) -> None:
    api.post("/api/runs", {"entrypoint": "doubled", "input": 4})

    queues = api.get("/api/queues")

    assert [(each["queue"], each["tickets"]) for each in queues["queues"]] == [("default", 1)]
    assert queues["open_runs"]["queued"] == 1
    assert api.get("/api/entrypoints") == {
        "entrypoints": ["asking", "broken", "counting", "doubled"]
    }
    assert api.get("/api/workers") == {"workers": []}
