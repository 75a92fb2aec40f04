"""A gateway that hides values from viewers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from penstock.gateway.auth.role import Role
from penstock.gateway.settings import GatewaySettings
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.dashboard.flows import FLOWS
from tests.gateway.dashboard.pages import Pages

SECRET = "the secret"
JOINED = ("join", "stream")


@pytest.fixture
def hiding() -> Iterator[Pages]:
    """A dashboard that needs a login, and shows no values to viewers."""
    settings = GatewaySettings(values=False)
    with InMemoryWorker(FLOWS) as worker, Pages(worker, settings, is_open=False) as pages:
        yield pages


def paths(pages: Pages) -> list[str]:
    """Make runs that know the secret; returns where a page could show it."""
    asking, saying = (pages.run(name, SECRET, thread_id=name) for name in ("asking", "saying"))
    pages.run("saying", SECRET, thread_id="asking-not")
    describing = pages.run("describing", SECRET)
    pages.record("recorded", {"of": SECRET})
    failed = [pages.run(name, SECRET) for name in ("broken", "refusing")]
    causes = [group.cause for group in pages.worker.client.failures()]
    return [
        *("/", "/runs", "/questions", "/threads/saying", "/threads/asking"),
        *("/runs?status=failed", "/failures", *(f"/failures/{cause}" for cause in causes)),
        *(f"/runs/{run_id}{tab}" for run_id in failed for tab in ("", "?tab=attempts")),
        f"/runs/{failed[1]}?step=refuse:0",
        *(f"/runs/{describing}", f"/runs/{saying}?again=1"),
        *("/threads", "/threads/recorded", "/entrypoints/saying"),
        *(
            f"/runs/{run_id}{query}"
            for run_id in (asking, saying)
            for query in ("", "?tab=values", "?tab=facts", "/events?after=0")
            if (run_id, query) != (asking, "/events?after=0")
        ),
        f"/runs/{saying}?step=echo:0",
    ]


def test_viewers_see_no_values_and_others_do(hiding: Pages) -> None:
    shown = paths(hiding)

    hiding.log_in(Role.VIEWER)
    for path in shown:
        found = hiding.ask("GET", f"/dashboard{path}")
        assert found.status_code == 200, path
        assert SECRET not in found.text, path

    hiding.log_in(Role.CLIENT)
    seen = [SECRET in hiding.ask("GET", f"/dashboard{path}").text for path in shown]
    assert seen.count(False) <= 3  # the list of runs, and what a run is like without its values


def test_viewers_may_not_load_a_value(hiding: Pages) -> None:
    run_id = hiding.run("saying", SECRET)
    hiding.log_in(Role.VIEWER)

    page = hiding.open(f"/runs/{run_id}/value", 403, name="result")

    assert "hides values from viewers" in page


def test_viewers_see_the_class_of_an_error(hiding: Pages) -> None:
    run_id = hiding.run("broken", SECRET)
    (group,) = hiding.worker.client.failures()
    hiding.log_in(Role.VIEWER)

    assert "Failed:</strong> ValueError" in hiding.open(f"/runs/{run_id}")
    assert "ValueError" in hiding.open("/runs")
    assert "ValueError" in hiding.open(f"/failures/{group.cause}")


def test_viewers_get_no_messages_of_errors_of_the_api(hiding: Pages) -> None:
    hiding.run("broken", SECRET)
    viewer, other = hiding.key(Role.VIEWER), hiding.key(Role.CLIENT)

    (run,) = hiding.get("/api/runs", viewer)["runs"]
    (group,) = hiding.get("/api/failures", viewer)["failures"]

    assert (run["reason"], group["reason"]) == ("ValueError", "ValueError")
    assert SECRET in hiding.get("/api/runs", other)["runs"][0]["reason"]
    assert SECRET in hiding.get("/api/failures", other)["failures"][0]["reason"]


def test_viewers_get_no_values_of_the_api(hiding: Pages) -> None:
    run_id = hiding.run("saying", SECRET, thread_id="t")
    paths = [
        *(f"/api/runs/{run_id}{of}" for of in ("", "/events", "/result")),
        *("/api/threads/t", "/api/threads/t/history"),
    ]

    for path in paths:
        refused = hiding.ask("GET", path, headers=hiding.key(Role.VIEWER))
        assert refused.status_code == 403
        assert "hides values" in refused.text
        shown = hiding.ask("GET", path, headers=hiding.key(Role.CLIENT))
        assert SECRET in shown.text
    assert hiding.ask("GET", "/api/runs", headers=hiding.key(Role.VIEWER)).status_code == 200


def test_viewers_get_no_values_of_the_api_of_langgraphs_clients(hiding: Pages) -> None:
    run_id = hiding.run("saying", SECRET, thread_id="t")
    own = [f"/threads/t/runs/{run_id}", f"/runs/{run_id}"]
    paths = ["/threads/t/runs", own[0], *(f"{each}/{of}" for each in own for of in JOINED)]

    for path in paths:
        refused = hiding.ask("GET", path, headers=hiding.key(Role.VIEWER))
        assert refused.status_code == 403, path
        assert "hides values" in refused.text
        assert hiding.ask("GET", path, headers=hiding.key(Role.CLIENT)).status_code == 200, path
