"""Who may ask what: each route of the API, with each role and without a key."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from penstock.gateway.app import ENDPOINTS
from penstock.gateway.auth.api_key import new_key
from penstock.gateway.auth.api_keys import add_key, remove_key
from penstock.gateway.auth.role import Role
from penstock.gateway.auth.wrong_keys import MOST
from penstock.gateway.endpoint import Endpoint
from penstock.gateway.keys import GatewayKeys
from tests.gateway.api import Api

endpoints = pytest.mark.parametrize(
    "endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}"
)


def path_of(endpoint: Endpoint[Any, Any]) -> str:
    return re.sub(r"{\w+}", "none", endpoint.path)


@endpoints
def test_no_route_answers_without_a_key(closed: Api, endpoint: Endpoint[Any, Any]) -> None:
    found = closed.ask(endpoint.method, path_of(endpoint))

    assert found.status_code == 401
    assert found.headers["www-authenticate"] == "Bearer"


@endpoints
def test_a_route_answers_the_roles_that_may_ask_it(
    closed: Api, endpoint: Endpoint[Any, Any]
) -> None:
    admitted = {
        role
        for role in Role
        if closed.ask(endpoint.method, path_of(endpoint), headers=closed.key(role)).status_code
        != 403
    }

    assert admitted == {role for role in Role if role.may(endpoint.needs)}


def test_a_key_may_be_sent_as_a_bearer_token(closed: Api) -> None:
    token = closed.key(Role.VIEWER)["x-api-key"]

    assert closed.get("/api/runs", headers={"authorization": f"Bearer {token}"})["runs"] == []


def test_a_key_that_was_removed_or_has_ended_is_worthless_at_once(closed: Api) -> None:
    keys, client = GatewayKeys(), closed.worker.client
    removed, removed_text = new_key("ann", Role.ADMIN)
    ended, ended_text = new_key("bob", Role.ADMIN, timedelta(microseconds=1))
    for record in (removed, ended):
        client.do(add_key(keys, record))
    before = closed.ask("GET", "/api/runs", headers={"x-api-key": removed_text})
    client.do(remove_key(keys, removed.key_id))

    after = [
        closed.ask("GET", "/api/runs", headers={"x-api-key": text}).status_code
        for text in (removed_text, ended_text)
    ]

    assert (before.status_code, after) == (200, [401, 401])


def test_a_wrong_key_is_refused_by_an_open_gateway_too(api: Api) -> None:
    assert api.ask("GET", "/api/runs", headers={"x-api-key": "pk_a_b"}).status_code == 401


def test_an_address_cannot_try_keys_for_ever_and_locks_out_nobody_else(closed: Api) -> None:
    statuses = [
        closed.ask("GET", "/api/runs", headers={"x-api-key": f"pk_a_{number}"}).status_code
        for number in range(MOST)
    ]
    refused = closed.ask("GET", "/api/runs", headers={"x-api-key": "pk_a_b"})
    other = closed.ask("GET", "/api/runs", headers=closed.key(Role.VIEWER))

    assert statuses == [401] * MOST
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 61
    assert other.status_code == 200  # behind a proxy, all have one address
