"""Whether all is well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from penstock.gateway.auth.role import Role
from penstock.gateway.settings import GatewaySettings
from penstock.runtime import Client
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.dashboard.flows import FLOWS
from tests.gateway.dashboard.pages import Pages

SECRETS = ("hidden-word", "hidden-key", "hidden-webhook")


@pytest.fixture
def real(redis_url: str) -> Iterator[Pages]:
    """A dashboard whose settings name a Redis that the doctor can examine."""
    with (
        InMemoryWorker(FLOWS, settings=Settings(redis=redis_url)) as worker,
        Pages(worker) as pages,
    ):
        yield pages


def test_the_findings_of_the_doctor_and_the_server_are_shown(real: Pages) -> None:
    real.join("w", "default", version="2.1")

    page = real.open("/system")

    assert '<td class="name">persistence</td>' in page
    assert "<dt>Memory</dt>" in page
    assert "maxmemory-policy" in page
    worker = page.partition('<td class="name">w</td>')[2].partition("</tr>")[0]
    assert "2.1" in worker
    assert 'hx-trigger="every 60s"' in page


def test_that_redis_does_not_answer_the_doctor_is_a_finding() -> None:
    settings = Settings(redis="redis://127.0.0.1:1")
    with InMemoryWorker(FLOWS, settings=settings) as worker, Pages(worker) as pages:
        page = pages.open("/system")

    assert "the server cannot be used" in page
    assert "(INFO)" in page


def test_settings_are_shown_without_secrets() -> None:
    settings = Settings(
        redis="redis://ann:hidden-word@127.0.0.1:1/3",
        encryption_keys="hidden-key:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
        webhook_secret="hidden-webhook",
        index=("queue", "tag:customer"),
    )
    own = GatewaySettings(origins=("https://ann:hidden-word@app.example",), pulse=7.0)
    with InMemoryWorker(FLOWS, settings=settings) as worker, Pages(worker, own) as pages:
        page = pages.open("/system")

    assert not any(secret in page for secret in SECRETS)
    assert "QUFB" not in page
    assert page.count("<code>***</code>") == 2
    assert "redis://ann:***@127.0.0.1:1/3" in page
    assert "queue, tag:customer" in page
    pulse = page.partition('<td class="name">pulse</td>')[2].partition("</tr>")[0]
    assert "7.0" in pulse
    assert "PENSTOCK_GATEWAY_PULSE" in pulse
    assert ">set<" in pulse


def test_webhooks_are_shown_by_their_hosts(real: Pages) -> None:
    real.worker.client.webhooks.put("shop", "https://shop.example/hidden-word?hidden-key")

    page = real.open("/system")

    assert "shop.example" in page
    assert not any(secret in page for secret in SECRETS)


def test_webhooks_that_cannot_be_read_leave_the_rest_of_the_page(real: Pages) -> None:
    keys = "other:" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
    with Client(real.worker.connection, settings=Settings(encryption_keys=keys)) as other:
        other.webhooks.put("shop", "https://shop.example/")

    page = real.open("/system")

    assert "'other'" in page.partition("<h2>Webhooks</h2>")[2].partition("</p>")[0]
    assert "PENSTOCK_GATEWAY_PULSE" in page


def test_the_system_is_for_operators(closed: Pages) -> None:
    for role in Role:
        closed.log_in(role)
        is_shown = role.may(Role.OPERATOR)
        assert ("/dashboard/system" in closed.open("/runs")) == is_shown
        if not is_shown:
            closed.open("/system", 403)
