"""Webhooks over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.gateway.auth.role import Role
from tests.gateway.api import Api

WEBHOOK = "/api/webhooks/w"
URL = "https://example.com/in"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_a_webhook_is_put_and_its_secret_shown_once(api: Api) -> None:
    body = {"url": URL, "events": ["run.queued"], "where": {"tag": {"tenant": "acme"}}}

    made = api.ask("PUT", WEBHOOK, json=body)
    again = api.ask("PUT", WEBHOOK, json={"url": URL, "where": {"status": ["failed"]}})
    given = api.ask("PUT", WEBHOOK, json={"url": URL, "secret": SECRET})

    assert made.json()["secret"].startswith("whsec_")
    assert made.json()["where"] == {"tag": {"tenant": "acme"}}
    assert again.status_code == 200
    assert again.json()["where"] == {"status": ["failed"]}
    assert "secret" not in again.json()
    assert given.json()["secret"] == SECRET
    for shown in (api.get(WEBHOOK), api.get("/api/webhooks")["webhooks"][0]):
        assert (shown["url"], shown["events"], shown["where"]) == (URL, ["run.finished"], {})
        assert "whsec_" not in str(shown)


def test_a_webhook_is_tested_switched_and_deleted(api: Api) -> None:
    api.ask("PUT", WEBHOOK, json={"url": URL})

    named = api.post(f"{WEBHOOK}/test")
    assert named["delivery"].startswith("test.")
    assert api.get(WEBHOOK)["waiting"] == 1
    assert api.get(f"{WEBHOOK}/deliveries", limit=5) == {"deliveries": []}
    assert api.ask("POST", f"{WEBHOOK}/disable", json={"reason": "moved"}).status_code == 204
    assert api.get(WEBHOOK)["disabled"] == "moved"
    assert api.ask("POST", f"{WEBHOOK}/test").status_code == 422
    assert api.ask("POST", f"{WEBHOOK}/enable").status_code == 204
    assert api.get(WEBHOOK)["disabled"] == ""
    assert api.ask("DELETE", WEBHOOK).status_code == 204
    assert api.get("/api/webhooks") == {"webhooks": []}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("DELETE", ""), ("GET", "/deliveries")]
    + [("POST", f"/{verb}") for verb in ("test", "enable", "disable")],
)
def test_a_webhook_that_is_not_there_is_not_found(api: Api, method: str, path: str) -> None:
    answer = api.ask(method, f"/api/webhooks/nix{path}")

    assert (answer.status_code, answer.json()["error"]) == (404, "WebhookNotFoundError")


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({}, "url"),
        ({"url": "http://10.0.0.1/"}, "not on the internet"),
        ({"url": URL, "events": ["run.began"]}, "events"),
        ({"url": URL, "where": {"queue": "x"}}, "queue"),
        ({"url": URL, "where": {"status": []}}, "status"),
        ({"url": URL, "where": {"status": "late"}}, "late"),
        ({"url": URL, "secret": "simple"}, "secret"),
    ],
)
def test_what_no_webhook_can_have_is_refused(api: Api, body: Any, what: str) -> None:
    answer = api.ask("PUT", WEBHOOK, json=body)

    assert answer.status_code == 422
    assert what in answer.json()["detail"]
    assert api.get("/api/webhooks") == {"webhooks": []}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.CLIENT, Role.OPERATOR])
def test_only_an_admin_sees_and_changes_webhooks(closed: Api, role: Role) -> None:
    closed.worker.client.webhooks.put("w", URL)
    key = closed.key(role)

    assert closed.ask("GET", WEBHOOK, headers=key).status_code == 403
    assert closed.ask("GET", "/api/webhooks", headers=key).status_code == 403
    assert closed.ask("GET", f"{WEBHOOK}/deliveries", headers=key).status_code == 403
    assert closed.ask("PUT", WEBHOOK, headers=key, json={"url": URL}).status_code == 403
    assert closed.ask("DELETE", WEBHOOK, headers=key).status_code == 403
