"""Lists of runs that are for the user: how they are read where most runs are of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.redis.plans import search
from tests.gateway.api import Api
from tests.gateway.native.test_auth import ask, begin, listed
from tests.gateway.owners import ANN, BOB, owners, serving


@pytest.fixture
def api() -> Iterator[Api]:
    """A gateway on which each user has their own."""
    with serving(owners()) as api:
        yield api


def noted_turns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the size of each page that is read."""
    sizes, runs = list[int](), AsyncClient.runs

    async def noted(client: AsyncClient, status: Any = None, limit: int = 100, **query: Any) -> Any:
        sizes.append(limit)
        return await runs(client, status, limit, **query)

    monkeypatch.setattr(AsyncClient, "runs", noted)
    return sizes


def test_a_page_skips_what_is_of_others_many_at_a_time(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = [begin(api, ANN)]
    for _ in range(30):
        begin(api, BOB)
    sizes = noted_turns(monkeypatch)

    assert listed(api, ANN, "?limit=1") == own
    assert sizes == [1, 2, 4, 8, 16]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_that_skip_many_leave_no_own_run_out(api: Api, limit: int) -> None:
    own = [begin(api, ANN, x=x) for x in range(3)]
    for _ in range(4):
        begin(api, BOB)
    own += [begin(api, ANN, x=x) for x in range(5)]
    for _ in range(2):
        begin(api, BOB)

    found: list[str] = []
    after: str | None = ""
    while after is not None:
        given = f"&after={after}" if after else ""
        page = ask(api, ANN, "GET", f"/api/runs?limit={limit}{given}").json()
        assert len(page["runs"]) == min(limit, len(own) - len(found))
        found += [each["run_id"] for each in page["runs"]]
        after = page["after"]
    assert found == own[::-1]


def test_a_page_ends_where_reading_has_looked_at_enough(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        begin(api, ANN)
    monkeypatch.setattr(search, "EXAMINED", 1)
    sizes = noted_turns(monkeypatch)

    page = ask(api, ANN, "GET", "/api/runs?limit=1&version=none").json()

    assert (page["runs"], sizes) == ([], [1])
    assert page["after"] is not None
