"""What the gateway says of itself, and how it refuses."""

from __future__ import annotations

import json
import re

from penstock.gateway.app import create_app
from penstock.gateway.compatible.routes import ENDPOINTS
from tests.gateway.api import Api


def test_it_says_what_it_can_do_without_a_key(closed: Api) -> None:
    found = closed.get("/info")

    assert found["flags"]["assistants"] is True
    assert found["flags"]["langsmith"] is False
    assert found["host"] == {"kind": "self-hosted"}
    assert re.match(r"\d+\.\d+", found["version"])
    assert closed.get("/ok", check_db=1) == {"ok": True}


def test_all_its_routes_are_described(api: Api) -> None:
    document = api.get("/openapi.json")

    described = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert described == {(each.method, each.path) for each in ENDPOINTS}
    for target in set(re.findall(r'"\$ref": ?"#/([^"]+)"', json.dumps(document))):
        found = document
        for part in target.split("/"):
            found = found[part]
        assert found


def test_pages_may_read_the_headers_that_clients_need(api: Api) -> None:
    origin = {"Origin": "http://localhost:3000"}

    found = api.ask("GET", "/info", headers=origin).headers["access-control-expose-headers"]

    needed = {"content-location", "location", "x-pagination-total", "x-pagination-next"}
    assert needed <= {each.strip().lower() for each in found.split(",")}


def test_it_may_be_left_out(api: Api) -> None:
    paths = {
        getattr(route, "path", "")
        for route in create_app(api.worker.aclient, compatible=False).routes
    }

    assert "/info" not in paths
    assert "/ok" in paths


def test_crons_are_refused_with_a_sentence(api: Api) -> None:
    asked = [
        ("POST", "/runs/crons"),
        ("POST", "/threads/t/runs/crons"),
        ("POST", "/runs/crons/search"),
        ("POST", "/runs/crons/count"),
        ("GET", "/runs/crons/c"),
        ("PATCH", "/runs/crons/c"),
        ("DELETE", "/runs/crons/c"),
    ]

    for method, path in asked:
        found = api.ask(method, path, json={} if method == "POST" else None)
        assert found.status_code == 501
        assert "there are no schedules yet" in found.json()["detail"]
    assert api.get("/info")["flags"]["crons"] is False
