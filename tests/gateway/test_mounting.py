"""The gateway inside an app of FastAPI, Starlette and Django, under a path of that app."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from penstock.gateway import GatewaySettings, create_app
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.flows import FLOWS
from tests.gateway.owners import ANN, BOB, owners


def in_starlette(inner: Any) -> Any:
    return Starlette(routes=[Mount("/agents", inner)])


def in_fastapi(inner: Any) -> Any:
    app = FastAPI()
    app.mount("/agents", inner)

    @app.get("/own")
    def own() -> str:
        return "own"

    return app


def in_django(inner: Any) -> Any:
    """What a project's asgi.py does."""
    import django
    from django.conf import settings
    from django.core.asgi import get_asgi_application

    if not settings.configured:
        settings.configure(ROOT_URLCONF="tests.gateway.django_urls", ALLOWED_HOSTS=["localhost"])
        django.setup()
    pages = get_asgi_application()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        path: str = scope.get("path", "")
        if scope["type"] in ("http", "websocket") and path.startswith("/agents/"):
            await inner({**scope, "root_path": "/agents"}, receive, send)
        else:
            await pages(scope, receive, send)

    return application


@pytest.mark.parametrize("mounted", [in_starlette, in_fastapi, in_django])
def test_all_doors_are_where_the_app_puts_them(mounted: Callable[[Any], Any]) -> None:
    async def visited(worker: InMemoryWorker) -> None:
        inner = create_app(worker.aclient, settings=GatewaySettings(), auth=owners())
        transport = httpx.ASGITransport(mounted(inner))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            body = {"entrypoint": "doubled", "input": 21, "thread_id": "t"}
            made = await http.post("/agents/api/runs", json=body, headers=ANN)
            assert made.status_code == 202, made.text
            await worker.awork()
            run = f"/agents/api/runs/{made.json()['run_id']}"
            assert (await http.get(f"{run}/result", headers=ANN)).json()["result"] == 42
            events = await http.get(f"{run}/events", headers=ANN)
            assert "event: run.finished" in events.text
            assert (await http.get(run, headers=BOB)).status_code == 404
            assert (await http.get(run)).status_code == 401

            state = await http.get("/agents/threads/t/state", headers=ANN)
            assert state.json()["values"] == 42
            page = await http.get("/agents/dashboard/runs", headers=ANN)
            assert f'href="/agents/dashboard/runs/{made.json()["run_id"]}"' in page.text
            login = await http.get("/agents/dashboard/runs")
            assert login.headers["location"].startswith("/agents/dashboard/login")
            assert (await http.get("/agents/nothing")).status_code == 404
            if mounted is not in_starlette:
                assert "own" in (await http.get("/own")).text
        await worker.aclient.__aexit__(None, None, None)

    with InMemoryWorker(FLOWS) as worker:
        asyncio.run(visited(worker))
