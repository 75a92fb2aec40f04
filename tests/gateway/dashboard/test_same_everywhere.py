"""Terminal, API and dashboard say the same of a run, of the Redis, and of its memory."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from penstock.gateway.auth.role import Role
from penstock.runtime import AsyncClient, Client
from penstock.runtime.diagnostics.size import size
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.dashboard.flows import FLOWS
from tests.gateway.dashboard.pages import Pages
from tests.worker.commands import penstock, rows

pytestmark = pytest.mark.open_runs

MOVING = ("clock", "memory", "retention", "leases")
"""Checks whose sentences have numbers of the moment."""


@pytest.fixture
def real(redis_url: str) -> Iterator[Pages]:
    """A dashboard, and a worker, of a Redis that a terminal reaches, too."""
    with InMemoryWorker(FLOWS, settings=Settings(redis=redis_url)) as worker:
        worker.connection = redis.Redis.from_url(redis_url)
        worker.client = Client(redis_url, settings=worker.settings)
        vars(worker)["aclient"] = AsyncClient(redis_url, settings=worker.settings)
        with Pages(worker) as pages:
            pages.join("w", "default")
            yield pages


def told(url: str, *command: str) -> list[dict[str, Any]]:
    """Return what a command of the terminal says."""
    return rows(penstock(*command, "--redis", url, "--json"))


def texts(page: str) -> str:
    """Return what can be read on a page, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.mark.parametrize(
    ("entrypoint", "input"), [("asking", "may I?"), ("broken", "bad luck"), ("doubled", 4)]
)
def test_a_run_is_the_same_everywhere(
    real: Pages, redis_url: str, entrypoint: str, input: Any
) -> None:
    run_id = real.run(entrypoint, input, thread_id="a")

    (shown,) = told(redis_url, "show", run_id)
    api = real.get(f"/api/runs/{run_id}")
    page = texts(real.source(f"/runs/{run_id}"))

    assert moving(shown) == moving(api)
    assert shown["status"] in page
    assert (shown["reason"] or "") in page
    assert shown["steps"]
    assert all(step["name"] in page for step in shown["steps"])


def test_the_doctor_is_the_same_everywhere(real: Pages, redis_url: str) -> None:
    real.worker.client.enqueue("doubled", 4, queue="nobody")

    told_findings = [each for each in told(redis_url, "doctor") if "check" in each]
    api = real.get("/api/doctor")["findings"]
    page = texts(real.source("/system"))

    assert [each["check"] for each in told_findings] == [each["check"] for each in api]
    still = [each for each in told_findings if each["check"] not in MOVING]
    assert still == [each for each in api if each["check"] not in MOVING]
    assert any(each["level"] != "ok" and each["fix"] for each in still)
    for each in still:
        said = (each["message"], each["means"], each["fix"])
        assert all(" ".join(text.split()) in page for text in said if text), each
    levels = [page.index(f" {level} ") for level in ("problem", "warning", "ok")]
    assert levels == sorted(levels)


def test_memory_is_the_same_everywhere(real: Pages, redis_url: str) -> None:
    run_id = real.run("doubled", 4, thread_id="a")

    real.open("/system/memory")  # from now on the dashboard has a key of its own
    found = told(redis_url, "du")
    page = texts(real.source("/system/memory"))

    kinds = [each for each in found if "kind" in each]
    assert kinds
    for each in kinds:
        assert f"{size(each['bytes'])} {each['keys']:,} keys {each['kind']} " in page
    (run,) = (each for each in found if each.get("run") == run_id)
    assert f"{size(run['bytes'])} {run_id}" in page
    assert f"{size(found[-1]['total'])} in " in page
    assert 'href="/dashboard/system/memory"' in real.source("/system")


def test_memory_is_for_operators(closed: Pages) -> None:
    closed.log_in(Role.VIEWER)

    assert "operator" in closed.open("/system/memory", 403)


def moving(report: dict[str, Any]) -> dict[str, Any]:
    """Leave out what changes from one moment to the next."""
    return {name: value for name, value in report.items() if name not in ("age", "waited")}
