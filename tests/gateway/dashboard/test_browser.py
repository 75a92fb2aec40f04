"""The dashboard in a real browser, over real processes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from penstock.gateway.auth.api_key import new_key
from penstock.gateway.auth.api_keys import add_key, remove_key
from penstock.gateway.auth.role import Role
from penstock.gateway.keys import GatewayKeys
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from tests.faults.support.gateways import QUICK, Gateways
from tests.faults.support.workers import Fleet
from tests.gateway.dashboard import flows
from tests.gateway.dashboard.chromium import CHROMIUM, chromium, opened
from tests.support.js_client import axe_file
from tests.support.server import RedisServer
from tests.support.until import until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium has it"
    ),
]

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A Redis of these tests, with a worker."""
    with RedisServer() as server:
        fleet = Fleet(server.url, tmp_path_factory.mktemp("browser"))
        fleet.start(app=str(Path(flows.__file__)))
        yield fleet
        fleet.close()


@pytest.fixture(scope="module")
def address(fleet: Fleet) -> str:
    """Where a gateway serves that needs no login."""
    return Gateways(fleet).start().url


@pytest.fixture(scope="module")
def client(fleet: Fleet) -> Iterator[Client]:
    """What enqueues runs."""
    with Client(fleet.url) as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests; each has windows of its own."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def window(browser: Browser, address: str) -> Iterator[Open]:
    """Opens windows on the dashboard; a complaint of the browser fails the test."""
    with ExitStack() as windows:

        def window(path: str, at: str = address, **options: Any) -> Page:
            page = windows.enter_context(opened(browser, at, **options))
            page.goto(f"/dashboard{path}")
            return page

        yield window


def asks(client: Client, entrypoint: str = "asking", **options: Any) -> RunHandle:
    """Enqueue a run, and return it once it asks."""
    run = client.enqueue(entrypoint, "may I?", **options)
    until(lambda: run.info().asks, what="a run that asks")
    return run


def test_a_new_run_comes_into_the_list_by_itself(window: Open, client: Client) -> None:
    page = window("/runs")
    expect(page.locator("#live-state")).to_have_text("live")

    run = client.enqueue("doubled", 4)

    line = page.locator(f'tr[data-href$="{run.run_id}"]')
    expect(line.locator(".status")).to_have_text("completed")


def test_a_run_that_goes_on_is_seen_to_go_on(window: Open, client: Client) -> None:
    run = asks(client)
    page = window(f"/runs/{run.run_id}")
    expect(page.locator("h1 .status")).to_have_text("suspended")

    run.resume(True)

    expect(page.locator("h1 .status")).to_have_text("completed")
    expect(page).to_have_title(re.compile("^completed"))
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("%231a7f37"))


def test_a_page_shows_what_time_alone_changes(window: Open, client: Client) -> None:
    """A worker that died says nothing: its lease ends."""
    run = client.enqueue("doubled", 4, queue="nobody")
    page = window(f"/runs/{run.run_id}")
    expect(page.locator("#live-state")).to_have_text("live")
    page.wait_for_timeout(1500)  # the loads that follow the opening of the page are over

    for _ in range(2):
        with page.expect_response(lambda got: got.url.endswith(run.run_id), timeout=8000) as got:
            pass
        assert got.value.status == 200
    run.cancel()


def test_words_stream_as_they_come_and_are_there_after_a_reload(
    window: Open, client: Client
) -> None:
    run = asks(client, "confirming")
    page = window(f"/runs/{run.run_id}?tab=stream")
    words = page.locator("run-stream li.custom .output")
    expect(words).to_have_text(["before"])

    run.resume(True)

    expect(page.locator("run-stream li.run-finished .output")).to_have_text("completed")
    expect(words).to_have_text(["before", "after"])
    page.reload()
    expect(words).to_have_text(["before", "after"])


def test_a_run_that_ends_is_never_said_to_be_connecting(window: Open, client: Client) -> None:
    run = asks(client)
    page = window(f"/runs/{run.run_id}")
    expect(page.locator("#live-state")).to_have_text("live")
    page.evaluate(
        """() => {
          const place = document.getElementById("live-state");
          window.states = [];
          const see = () => window.states.push(place.textContent);
          new MutationObserver(see).observe(place, { childList: true });
        }"""
    )

    run.resume(True)

    expect(page.locator("h1 .status")).to_have_text("completed")
    expect(page.locator("#live-state")).to_have_text("")
    assert "connecting" not in page.evaluate("window.states")


def test_void_words_are_struck_through(window: Open, client: Client) -> None:
    run = client.enqueue("stumbling", None)
    run.result(10)

    page = window(f"/runs/{run.run_id}?tab=stream")

    expect(page.locator("run-stream li.custom.void .output")).to_have_text(["try 1"])
    expect(page.locator("run-stream li.custom:not(.void) .output")).to_have_text(["try 2"])
    assert (
        page.locator("li.custom.void .output").evaluate(
            "each => getComputedStyle(each).textDecorationLine"
        )
        == "line-through"
    )


def test_messages_are_joined(window: Open, client: Client) -> None:
    run = client.enqueue("chatting", None)
    run.result(10)

    page = window(f"/runs/{run.run_id}?tab=stream")

    expect(page.locator("run-stream li.message .output")).to_have_text(["Forty-two"])


def test_a_question_is_answered(window: Open, client: Client) -> None:
    run = asks(client, "ordering")
    page = window(f"/runs/{run.run_id}")
    page.get_by_label("Name").fill("bolts")
    page.get_by_label("Count").fill("3")
    page.get_by_label("Size").select_option("large")

    page.get_by_role("button", name="Answer").click()

    expect(page.locator("h1 .status")).to_have_text("completed")
    assert run.result(5) == "3 large bolts None"


def test_a_run_is_started_and_done_again_with_changes(window: Open, client: Client) -> None:
    page = window("/entrypoints")
    page.get_by_role("link", name="placing").click()
    page.get_by_label("Name", exact=True).fill("bolts")
    page.get_by_label("Count").fill("3")
    page.get_by_label("Size").select_option("large")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("h1 .status")).to_have_text("completed")
    first = page.url.rpartition("/")[2]

    page.get_by_role("link", name="Run again with changes").click()
    expect(page.get_by_label("Count")).to_have_value("3")
    page.get_by_label("Count").fill("5")
    page.locator("#again").get_by_role("button", name="Run again").click()

    expect(page.locator("h1 .status")).to_have_text("completed")
    made = client.get(page.url.rpartition("/")[2])
    assert (made.result(5), made.info().rerun_of) == ("5 large bolts None", first)


def test_what_is_being_written_survives_changes(window: Open, client: Client) -> None:
    first = asks(client, "anything")
    page = window("/questions")
    form = page.locator(f'form[action$="{first.run_id}/answer"]')
    form.get_by_label("answer").fill('{"half": ')
    page.locator("h1").click()

    second = asks(client, "anything")

    expect(page.locator(f'form[action$="{second.run_id}/answer"]')).to_be_visible()
    expect(form.get_by_label("answer")).to_have_value('{"half": ')
    for run in (first, second):
        run.cancel()


def test_a_run_is_cancelled_after_a_second_click(window: Open, client: Client) -> None:
    run = asks(client)
    page = window(f"/runs/{run.run_id}")

    page.get_by_text("Cancel…").click()
    page.get_by_role("button", name="Cancel this run").click()

    expect(page.locator("h1 .status")).to_have_text("cancelled")
    assert run.status() == "cancelled"


def test_a_run_is_forked_from_a_step(window: Open, client: Client) -> None:
    run = client.enqueue("many", 3)
    run.result(10)
    page = window(f"/runs/{run.run_id}")

    step = page.locator('[id="step-double:1"]')
    step.locator("summary").click()
    expect(step.get_by_role("heading", name="Arguments")).to_be_visible()
    assert page.url.endswith("?step=double%3A1")
    step.get_by_role("link", name="Fork after this step").click()
    expect(page.locator(".fork")).to_contain_text("reuses 2 steps")
    expect(page.locator("details.reused")).to_have_count(2)
    page.get_by_role("button", name="Fork here").click()

    expect(page.locator("h1 .status")).to_have_text("completed")
    assert run.run_id not in page.url
    assert client.get(page.url.rpartition("/")[2]).result(5) == 3 * 2


def test_keys_lead_everywhere(window: Open, client: Client) -> None:
    run = asks(client)
    page = window("/")
    places = {"r": "runs", "q": "questions", "f": "failures", "u": "queues", "t": "threads"}
    for key, path in (places | {"e": "entrypoints", "s": "system"}).items():
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"**/dashboard/{path}")

    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type(run.run_id)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/dashboard/runs/{run.run_id}")
    page.keyboard.press("a")
    expect(page.locator("form.answer input[type=radio]").first).to_be_focused()
    page.locator("h1").click()
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Cancel this run")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    run.cancel()


def test_lines_are_chosen_and_opened_by_keys(window: Open, client: Client) -> None:
    runs = [client.enqueue("doubled", x, tags={"of": "keys"}) for x in range(2)]
    for run in runs:
        run.result(10)
    page = window("/runs?tag=of%3Dkeys")

    page.keyboard.press("j")
    page.keyboard.press("j")
    chosen = page.locator("tr.chosen").get_attribute("data-href")
    page.keyboard.press("Enter")

    assert chosen is not None
    page.wait_for_url(f"**{chosen}")
    assert chosen == page.evaluate("location.pathname")


def test_lists_and_actions_work_without_scripts(window: Open, client: Client) -> None:
    first, second = asks(client), asks(client, "ordering")
    page = window("/runs", java_script_enabled=False)

    page.get_by_label("Entrypoint").fill("asking")
    page.get_by_role("button", name="Filter").click()
    assert "entrypoint=asking" in page.url
    expect(page.locator(f'tr[data-href$="{second.run_id}"]')).to_have_count(0)
    page.locator(f'tr[data-href$="{first.run_id}"] a').click()
    page.get_by_label("yes").check()
    page.get_by_role("button", name="Answer").click()
    assert first.result(10) is True

    page.goto(f"/dashboard/runs/{second.run_id}")
    page.get_by_text("Cancel…").click()
    page.get_by_role("button", name="Cancel this run").click()
    assert second.status() == "cancelled"


@pytest.mark.skipif(
    not axe_file().exists(), reason="no axe-core: `make test` installs it where there is npm"
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_screens_keep_the_rules_of_axe(window: Open, client: Client, scheme: str) -> None:
    run = asks(client, "ordering", thread_id=f"axe-{scheme}")
    failed = client.enqueue("broken", "bad luck")
    retried = client.enqueue("stumbling", None)
    counted = [client.enqueue("counting", x, thread_id="axe-sums") for x in range(2)]
    until(lambda: failed.status() == "failed")
    for each in (retried, *counted):
        each.result(10)
    cause = failed.info().cause
    page = window("/", color_scheme=scheme, bypass_csp=True)

    for path in (
        *("/", "/runs", "/questions", "/failures", f"/failures/{cause}", "/queues", "/threads"),
        *("/threads/axe-sums", "/entrypoints", "/entrypoints/placing", "/system", "/login"),
        *("/system/memory", f"/runs/{run.run_id}", f"/runs/{failed.run_id}"),
        *(f"/runs/{retried.run_id}?tab={tab}" for tab in ("timeline", "stream", "values", "facts")),
        f"/runs/{retried.run_id}?step=stumble%3A0&fork=stumble%3A0",
        f"/runs/{retried.run_id}?again=1",
    ):
        page.goto(f"/dashboard{path}")
        page.evaluate("[...document.querySelectorAll('details')].forEach(each => each.open = true)")
        page.add_script_tag(path=axe_file())
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        broken = {
            rule["id"]: [node["failureSummary"] for node in rule["nodes"]]
            for rule in found["violations"]
        }
        assert broken == {}, path
        assert len(found["passes"]) > 10
    run.cancel()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_screens_fit_a_telephone(window: Open, client: Client, scheme: str) -> None:
    run = asks(client, thread_id=f"thread-{'x' * 60}-{scheme}")
    failed = client.enqueue("broken", "x" * 200)
    until(lambda: failed.status() == "failed")
    cause = failed.info().cause
    page = window("/", color_scheme=scheme, viewport={"width": 360, "height": 700})

    for path in (
        *("/", "/runs", "/questions", "/failures", f"/failures/{cause}", "/queues"),
        *(f"/runs/{failed.run_id}", f"/runs/{failed.run_id}?tab=values"),
        *(f"/runs/{run.run_id}?tab={tab}" for tab in ("timeline", "stream", "values", "attempts")),
        *("/threads", f"/threads/{run.thread_id}", "/entrypoints", "/entrypoints/placing"),
        *("/system", "/system/memory", f"/runs/{failed.run_id}?again=1"),
    ):
        page.goto(f"/dashboard{path}")
        expect(page.locator("main")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
    run.cancel()


def test_somebody_logs_in_with_a_key(window: Open, client: Client, fleet: Fleet) -> None:
    record, key = new_key("ann", Role.VIEWER)
    client.do(add_key(GatewayKeys(client.settings.prefix), record))
    run = asks(client)
    gateway = Gateways(fleet).start({**QUICK, "PENSTOCK_GATEWAY_HOST": "0.0.0.0"})
    page = window(f"/runs/{run.run_id}", gateway.url.replace("0.0.0.0", "127.0.0.1"))

    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**/dashboard/runs/{run.run_id}")

    expect(page.get_by_role("button", name="Cancel")).to_be_disabled()
    expect(page.get_by_role("button", name="Answer")).to_be_disabled()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/dashboard/login")
    page.goto("/dashboard/runs")
    page.get_by_label("API key").fill(key)
    page.keyboard.press("Enter")
    expect(page.locator("#live-state")).to_have_text("live")

    client.do(remove_key(GatewayKeys(client.settings.prefix), record.key_id))
    run.cancel()

    expect(page.get_by_label("API key")).to_be_visible()  # without anything that somebody does
