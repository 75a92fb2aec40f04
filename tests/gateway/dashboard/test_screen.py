"""Who may open pages and send forms, and what pages may load."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from penstock.gateway import create_app
from penstock.gateway.auth.api_keys import list_keys, remove_key
from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.routes import POLICY, SCREENS
from penstock.gateway.keys import GatewayKeys
from penstock.gateway.settings import GatewaySettings
from penstock.runtime import AsyncClient
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.dashboard.flows import FLOWS
from tests.gateway.dashboard.pages import OWN, Pages, token_in

SCRIPT = "<script>alert(1)</script>"


def test_somebody_without_a_session_is_sent_to_the_login_and_back(closed: Pages) -> None:
    found = closed.ask("GET", "/dashboard/runs?status=failed")

    assert found.url.path == "/dashboard/login"
    sent = closed.send(
        "/login", {"key": closed.key_text(Role.VIEWER), "to": found.url.params["to"]}
    )
    assert sent.url.raw_path == b"/dashboard/runs?status=failed"


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/dashboard-of-evil"])
def test_a_login_leads_to_no_other_site(closed: Pages, to: str) -> None:
    data = {"token": closed.token(), "key": closed.key_text(Role.VIEWER), "to": to}

    found = closed.ask("POST", "/dashboard/login", data=data, headers=OWN, follow_redirects=False)

    assert found.headers["location"] == "/dashboard/"


def test_a_wrong_key_is_refused(closed: Pages) -> None:
    found = closed.send("/login", {"key": "pk_nothing_nothing"}, 401)

    assert "this API key is wrong, expired or removed" in found.text
    assert "set-cookie" not in found.headers
    assert closed.ask("GET", "/dashboard/runs").url.path == "/dashboard/login"


def test_the_cookie_is_for_the_dashboard_alone_and_not_for_scripts(closed: Pages) -> None:
    data = {"token": closed.token(), "key": closed.key_text(Role.VIEWER)}

    found = closed.ask("POST", "/dashboard/login", data=data, headers=OWN, follow_redirects=False)

    cookie = found.headers["set-cookie"]
    assert all(each in cookie for each in ("HttpOnly", "SameSite=strict", "Path=/dashboard;"))
    assert "Max-Age=43200" in cookie
    assert "Secure" not in cookie  # over plain http on loopback
    data["token"] = closed.token()
    secure = closed.ask(
        "POST", "https://localhost/dashboard/login", data=data, headers=OWN, follow_redirects=False
    )
    assert "Secure" in secure.headers["set-cookie"]


def test_a_session_ends_with_the_log_out_and_with_its_key(closed: Pages) -> None:
    closed.log_in(Role.OPERATOR)
    closed.send("/logout")
    assert closed.ask("GET", "/dashboard/runs").url.path == "/dashboard/login"

    closed.log_in(Role.OPERATOR)
    assert closed.ask("GET", "/dashboard/runs").url.path == "/dashboard/runs"
    keys = GatewayKeys(closed.worker.settings.prefix)
    for key in closed.worker.client.do(list_keys(keys)):
        closed.worker.client.do(remove_key(keys, key.key_id))
    assert closed.ask("GET", "/dashboard/runs").url.path == "/dashboard/login"


def test_the_dashboard_takes_no_key_in_headers_and_the_api_no_cookie(closed: Pages) -> None:
    found = closed.ask("GET", "/dashboard/runs", headers={"x-api-key": closed.key_text(Role.ADMIN)})
    closed.log_in(Role.ADMIN)

    assert found.url.path == "/dashboard/login"
    assert closed.ask("GET", "/api/runs").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost:81"},
        {"Origin": "null"},
    ],
)
def test_a_form_of_another_page_is_refused(pages: Pages, headers: dict[str, str]) -> None:
    run_id = pages.run("asking", "may I?")

    found = pages.ask(
        "POST",
        f"/dashboard/runs/{run_id}/cancel",
        data={"token": pages.token()},
        headers=headers,
    )

    assert found.status_code == 403
    assert pages.status(run_id) == "suspended"


def test_a_browser_that_names_only_its_origin_may_send_forms(pages: Pages) -> None:
    run_id = pages.run("asking", "may I?")

    found = pages.ask(
        "POST",
        f"/dashboard/runs/{run_id}/cancel",
        data={"token": pages.token()},
        headers={"Origin": "http://localhost"},
    )

    assert found.status_code == 200
    assert pages.status(run_id) == "cancelled"


def test_a_form_needs_the_token_of_its_session(closed: Pages) -> None:
    run_id = closed.run("asking", "may I?")
    before = closed.token()
    closed.log_in(Role.OPERATOR)

    for token in (before, "", "wrong"):
        closed.send(f"/runs/{run_id}/cancel", {"token": token}, 403)

    assert closed.status(run_id) == "suspended"
    closed.send(f"/runs/{run_id}/cancel")
    assert closed.status(run_id) == "cancelled"


def test_who_asks_is_read_in_one_round_trip(closed: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    closed.log_in(Role.VIEWER)
    client, asked = closed.worker.aclient, list[Any]()
    do = client.do

    async def counted(plan: Any) -> Any:
        asked.append(plan)
        return await do(plan)

    monkeypatch.setattr(client, "do", counted)
    closed.open("/nothing", 404)

    assert len(asked) == 1


def test_each_action_asks_for_a_role() -> None:
    needs = {screen.path: screen.needs for screen in SCREENS if screen.method == "POST"}

    assert {path for path, role in needs.items() if role is None} == {"/login", "/logout"}
    assert all(role is None or role.may(Role.CLIENT) for role in needs.values())
    assert all(screen.needs for screen in SCREENS if screen.path not in ("/login", "/logout"))


def test_each_answer_says_what_it_may_load(pages: Pages) -> None:
    run_id = pages.run("doubled", 1)

    for path in ("/runs", f"/runs/{run_id}/value?name=result", "/nothing", "/login"):
        found = pages.ask("GET", f"/dashboard{path}")
        assert found.headers["content-security-policy"] == POLICY
        assert found.headers["cross-origin-resource-policy"] == "same-origin"
        assert found.headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in POLICY


def test_pages_have_no_script_and_no_style_of_their_own(pages: Pages) -> None:
    run_id = pages.run("asking", "may I?")

    for path in ("/runs", f"/runs/{run_id}", f"/runs/{run_id}?tab=stream"):
        source = pages.source(path)
        assert "style=" not in source
        assert source.count("<script") == source.count('<script src="/dashboard/static/')


def test_values_are_shown_as_text(pages: Pages) -> None:
    runs = [
        pages.run(name, SCRIPT, thread_id=f"{SCRIPT}{name}", tags={"tag": SCRIPT})
        for name in ("broken", "asking", "ordering", "saying")
    ]
    (group,) = pages.worker.client.failures()
    shown = ("", "?tab=values", "?tab=attempts", "?tab=stream")
    threads = [f"/threads/{quote(SCRIPT)}{name}" for name in ("broken", "asking", "saying")]

    for path in (
        *("/", "/runs", "/questions", "/failures", f"/failures/{group.cause}", *threads),
        *(f"/runs/{run_id}{tab}" for run_id in runs for tab in shown),
        *(f"/runs?{name}={SCRIPT}" for name in ("q", "entrypoint", "queue", "thread", "error")),
        f"/runs?tag=a={SCRIPT}",
    ):
        found = pages.ask("GET", f"/dashboard{path}")
        assert found.status_code in (200, 422), path
        assert SCRIPT not in found.text
        assert "&lt;script&gt;alert(1)" in found.text, path


def test_what_is_refused_is_shown_as_text(pages: Pages) -> None:
    for path in (f"/{SCRIPT}", f"/runs/{SCRIPT}", f"/threads/{SCRIPT}", f"/failures/{SCRIPT}"):
        refused = pages.ask("GET", f"/dashboard{path}")
        assert refused.status_code in (404, 422)
        assert SCRIPT not in refused.text
        assert "&lt;script&gt;alert(1)" in refused.text
    assert SCRIPT not in pages.source(f"/runs?status={SCRIPT}", 422)


def test_the_dashboard_is_where_it_is_mounted(pages: Pages) -> None:
    run_id = pages.run("asking", "may I?")
    inner = create_app(pages.worker.aclient, settings=GatewaySettings(), is_open=True)
    outer = httpx.ASGITransport(Starlette(routes=[Mount("/agents", inner)]))

    async def visited() -> tuple[httpx.Response, ...]:
        async with httpx.AsyncClient(
            transport=outer, base_url="http://localhost", follow_redirects=True
        ) as http:
            runs = await http.get("/agents/dashboard/runs")
            page = await http.get(f"/agents/dashboard/runs/{run_id}")
            data = {"token": token_in(page.text)}
            action = f"/agents/dashboard/runs/{run_id}/cancel"
            return runs, await http.post(action, data=data, headers=OWN)

    runs, sent = pages.do(visited())

    assert f'href="/agents/dashboard/runs/{run_id}"' in runs.text
    assert 'src="/agents/dashboard/static/' in runs.text
    assert '"/dashboard' not in runs.text
    assert sent.url.path == f"/agents/dashboard/runs/{run_id}"
    assert pages.status(run_id) == "cancelled"


def test_a_client_that_is_open_stays_with_whoever_opened_it() -> None:
    async def served(worker: InMemoryWorker) -> str:
        async with worker.aclient as client:
            app = create_app(client, settings=GatewaySettings(), is_open=True)
            async with app.router.lifespan_context(app):
                pass
            run = await client.enqueue("asking", "may I?")
            await worker.awork()
            modes = [event.mode async for event in run.stream()]
            return modes[-1]

    with InMemoryWorker(FLOWS) as worker:
        assert asyncio.run(served(worker)) == "updates"


def test_a_page_says_that_redis_is_away(pages: Pages) -> None:
    lost = AsyncClient("redis://127.0.0.1:1")
    app = create_app(lost, settings=GatewaySettings(), is_open=True)

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return await http.get("/dashboard/runs")

    found = pages.do(asked())

    assert found.status_code == 503
    assert "127.0.0.1:1" in found.text
    assert found.headers["content-security-policy"] == POLICY


def test_the_dashboard_can_be_left_out(pages: Pages) -> None:
    app: Any = create_app(
        pages.worker.aclient, settings=GatewaySettings(), is_open=True, dashboard=False
    )

    async def asked() -> int:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return (await http.get("/dashboard/runs")).status_code

    assert pages.do(asked()) == 404
