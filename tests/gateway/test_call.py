"""Queries and bodies that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from penstock.gateway.settings import GatewaySettings
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.api import Api
from tests.gateway.flows import FLOWS

JSON = {"content-type": "application/json"}


@pytest.fixture
def small() -> Iterator[Api]:
    """A gateway that takes small bodies."""
    with InMemoryWorker(FLOWS) as worker, Api(worker, GatewaySettings(body_limit=100)) as api:
        yield api


def test_a_form_of_another_site_cannot_post(api: Api) -> None:
    found = api.ask("POST", "/api/runs", data={"entrypoint": "doubled"})
    text = api.ask("POST", "/api/runs", content=b'{"entrypoint": "doubled"}')

    assert (found.status_code, text.status_code) == (415, 415)


@pytest.mark.parametrize(
    "body", [b"{", b"[" * 100_000, b"\xff", b"[]", b"1", b'{"entrypoint": ""}']
)
def test_what_is_no_body_is_refused(api: Api, body: bytes) -> None:
    found = api.ask("POST", "/api/runs", content=body, headers=JSON)

    assert found.status_code == 422
    assert found.json()["detail"]


def test_a_field_that_is_unknown_is_named(api: Api) -> None:
    found = api.ask("POST", "/api/runs", json={"entrypoint": "doubled", "thread": "t"})

    assert found.status_code == 422
    assert "thread" in found.json()["detail"]
    assert found.json()["errors"][0]["loc"] == ["thread"]


def test_a_large_body_is_refused_while_it_is_read(small: Api) -> None:
    body = b'{"entrypoint": "doubled", "input": "' + b"x" * 100 + b'"}'

    found = small.ask("POST", "/api/runs", content=body, headers=JSON)

    assert found.status_code == 413


def test_an_empty_body_has_no_fields(api: Api) -> None:
    run_id = api.run("asking", 1)

    assert api.ask("POST", f"/api/runs/{run_id}/cancel").status_code == 202


def test_a_path_or_a_method_that_is_none(api: Api) -> None:
    nowhere = api.ask("GET", "/api/nothing")
    wrong = api.ask("PUT", "/api/runs")

    assert (nowhere.status_code, nowhere.json()) == (404, {"detail": "Not Found"})
    allowed = set(wrong.headers["allow"].split(", "))
    assert (wrong.status_code, allowed) == (405, {"GET", "HEAD"})
