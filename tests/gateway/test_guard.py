"""Foreign pages and foreign names: what a browser may be tricked into."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from penstock.gateway.settings import GatewaySettings
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.api import Api
from tests.gateway.flows import FLOWS


@pytest.fixture
def named() -> Iterator[Api]:
    """A gateway with a name, and a page that may use it."""
    settings = GatewaySettings(hosts=("Flows.example",), origins=("https://app.example",))
    with InMemoryWorker(FLOWS) as worker, Api(worker, settings) as api:
        yield api


@pytest.mark.parametrize("host", ["localhost:2024", "127.0.0.1", "[::1]:2024", "flows.example"])
def test_a_gateway_answers_to_its_names(named: Api, host: str) -> None:
    assert named.ask("GET", "/ok", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "flows.example.evil.example", "localhost.evil", ""]
)
def test_a_gateway_does_not_answer_to_another_name(named: Api, host: str) -> None:
    found = named.ask("GET", "/ok", headers={"host": host})

    assert found.status_code == 421
    assert "hosts" in found.json()["detail"]


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "http://127.0.0.1", "https://app.example"]
)
def test_w7_pages_of_loopback_and_those_that_are_named_may_use_it(named: Api, origin: str) -> None:
    preflight = named.ask(
        "OPTIONS",
        "/api/runs",
        headers={"origin": origin, "access-control-request-method": "POST"},
    )
    found = named.ask("GET", "/api/runs", headers={"origin": origin})

    assert preflight.status_code == 200
    assert found.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://app.example.evil", "http://localhost.evil"]
)
def test_w7_other_pages_may_not(named: Api, origin: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        found = named.ask(method, "/api/runs", headers={"origin": origin})

        assert found.status_code == 403
        assert "access-control-allow-origin" not in found.headers


def test_a_page_of_the_gateway_itself_may_use_it(named: Api) -> None:
    headers = {"host": "flows.example", "origin": "https://flows.example"}

    assert named.ask("GET", "/api/runs", headers=headers).status_code == 200


def test_each_answer_has_the_id_of_its_request(named: Api) -> None:
    given = named.ask("GET", "/ok", headers={"x-request-id": "abc-1"})
    bad = named.ask("GET", "/ok", headers={"x-request-id": "a b\u00e4".encode()})
    made = named.ask("GET", "/nowhere")

    assert given.headers["x-request-id"] == "abc-1"
    assert len(bad.headers["x-request-id"]) == len(made.headers["x-request-id"]) == 32
    assert made.headers["x-content-type-options"] == "nosniff"
