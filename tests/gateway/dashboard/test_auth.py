"""The dashboard with an Auth: each screen and action asks it, and what is of others is missing."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from penstock.gateway import Auth
from penstock.gateway.dashboard.changes import CHANGED, ticks
from penstock.gateway.dashboard.routes import SCREENS
from penstock.gateway.dashboard.screens import login
from penstock.gateway.native.asks import ALL
from penstock.publisher.sse import KEEP_ALIVE
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.dashboard.flows import FLOWS
from tests.gateway.dashboard.pages import OWN, Pages, token_in
from tests.gateway.owners import ANN, BOB, CHIEF, owners, whose, whose_answer

ASKING = [each for each in SCREENS if each not in login.SCREENS and "{rest" not in each.path]


@contextmanager
def serving(auth: Any) -> Generator[Pages]:
    with InMemoryWorker([*FLOWS, whose, whose_answer]) as worker, Pages(worker, auth=auth) as pages:
        yield pages


@pytest.fixture
def pages() -> Iterator[Pages]:
    """A dashboard on which each user has their own."""
    with serving(owners()) as pages:
        yield pages


def ask(pages: Pages, user: dict[str, str], method: str, path: str, **form: str) -> httpx.Response:
    if method == "GET":
        return pages.ask(method, f"/dashboard{path}", headers=user, follow_redirects=False)
    token = token_in(pages.ask("GET", "/dashboard/login", headers=user).text)
    return pages.ask(
        method,
        f"/dashboard{path}",
        data={"token": token, **form},
        headers={**user, **OWN},
        follow_redirects=False,
    )


def begin(pages: Pages, user: dict[str, str], flow: str = "doubled", **more: Any) -> str:
    body = {"entrypoint": flow, "input": 1, **more}
    made = pages.ask("POST", "/api/runs", json=body, headers=user)
    assert made.status_code == 202, made.text
    pages.worker.work()
    return str(made.json()["run_id"])


def filled(path: str, **names: str) -> str:
    return re.sub(r"{(\w+)(:path)?}", lambda found: names.get(found[1], "x"), path)


# -- who ------------------------------------------------------------------------------------------


def test_who_is_unknown_is_sent_to_the_login(pages: Pages) -> None:
    for each in ASKING:
        found = pages.ask(
            each.method, f"/dashboard{filled(each.path)}", headers=OWN, follow_redirects=False
        )
        assert found.status_code == 303, each.path
        assert found.headers["location"].startswith("/dashboard/login"), each.path


def test_whom_the_app_knows_needs_no_login(pages: Pages) -> None:
    run_id = begin(pages, ANN)
    assert run_id in ask(pages, ANN, "GET", "/runs").text


def test_a_key_or_token_is_typed_once_and_not_readable_in_the_cookie() -> None:
    auth, seen = Auth(), list[Any]()

    @auth.authenticate
    async def who(headers: dict[bytes, bytes], authorization: str | None) -> str:
        seen.append((headers.get(b"x-api-key"), authorization))
        if authorization != "Bearer secret-of-ann":
            raise auth.exceptions.HTTPException(401, "not you")
        return "ann"

    with serving(auth) as pages:
        run_id = begin(pages, {"authorization": "Bearer secret-of-ann"})
        wrong = pages.send("/login", {"key": "guess"}, 401)
        assert "not you" in wrong.text
        right = pages.ask(
            "POST",
            "/dashboard/login",
            data={"token": pages.token(), "key": "secret-of-ann", "to": "/dashboard/runs"},
            headers=OWN,
            follow_redirects=False,
        )
        assert (right.status_code, right.headers["location"]) == (303, "/dashboard/runs")
        assert "secret" not in right.headers["set-cookie"]
        assert "HttpOnly" in right.headers["set-cookie"]
        assert run_id in pages.open("/runs")
        assert seen[-1] == (b"secret-of-ann", "Bearer secret-of-ann")
        assert pages.ask("GET", "/api/runs").status_code == 401
        pages.send("/logout")
        assert "Log in" in pages.open("/runs")


def test_the_form_of_one_user_is_not_that_of_another(pages: Pages) -> None:
    run_id = begin(pages, ANN, "asking")
    token = token_in(pages.ask("GET", "/dashboard/login", headers=BOB).text)
    form, headers = {"token": token}, {**ANN, **OWN}
    found = pages.ask("POST", f"/dashboard/runs/{run_id}/cancel", data=form, headers=headers)
    assert found.status_code == 403
    assert ask(pages, ANN, "POST", f"/runs/{run_id}/cancel").status_code == 303


# -- every screen ---------------------------------------------------------------------------------


def test_every_screen_and_action_asks_somebody() -> None:
    auth, asked = Auth(), list[str]()

    @auth.authenticate
    def who() -> str:
        return "ann"

    @auth.on
    async def nobody(ctx: Any, value: Any) -> bool:
        asked.append(f"{ctx.resource}.{ctx.action}")
        return False

    with serving(auth) as pages:
        for each in ASKING:
            asked.clear()
            found = ask(pages, {}, each.method, filled(each.path))
            assert found.status_code == 403, each.path
            assert "Forbidden" in found.text, each.path
            assert len(asked) == 1, each.path


def test_what_is_of_another_is_missing_by_the_same_bytes(pages: Pages) -> None:
    run_id = begin(pages, ANN, "asking", thread_id="of-ann")
    for each in (one for one in ASKING if re.search("{(run_id|thread_id)", one.path)):
        known = {"run_id": run_id, "thread_id": "of-ann"}
        texts = []
        for names in (known, {name: "none" for name in known}):
            found = ask(pages, BOB, each.method, filled(each.path, **names), target="copy")
            assert found.status_code == 404, (each.method, each.path)
            said = found.text
            for name in known.values():
                said = said.replace(name, "none")
            texts.append(re.sub('value="[0-9a-f]{64}"', "", said))
        assert texts[0] == texts[1], each.path
    assert pages.status(run_id) == "suspended"


def test_lists_have_what_is_of_the_user_and_what_is_of_all_is_for_who_sees_it(
    pages: Pages,
) -> None:
    own, other = begin(pages, ANN, "asking", thread_id="of-ann"), begin(pages, BOB, "asking")
    failed = begin(pages, BOB, "broken", thread_id="of-bob")
    for path in ("/runs", "/questions", "/entrypoints/asking", f"/runs?q={other[:6]}"):
        text = ask(pages, ANN, "GET", path).text
        assert other not in text, path
        assert failed not in text, path
    assert own in ask(pages, ANN, "GET", "/questions").text
    assert "of-ann" in ask(pages, ANN, "GET", "/threads").text
    assert "of-bob" not in ask(pages, ANN, "GET", "/threads").text
    assert ask(pages, ANN, "GET", f"/runs?q={other}").status_code == 200
    assert ask(pages, ANN, "GET", "/").headers["location"] == "/dashboard/runs"

    for path in ("/failures", "/queues", "/system"):
        assert ALL in ask(pages, ANN, "GET", path).text.replace("&#39;", "'"), path
        assert ask(pages, CHIEF, "GET", path).status_code == 200, path
    cause = pages.worker.client.failures()[0].cause
    for action in ("resume", "cancel"):
        assert ask(pages, ANN, "POST", f"/failures/{cause}/{action}").status_code == 403
    assert other in ask(pages, CHIEF, "GET", "/").text


def test_pages_of_threads_are_filled_from_what_is_of_the_user(pages: Pages) -> None:
    for number in range(60):
        user = ANN if number % 20 == 0 else BOB
        pages.ask("POST", "/threads", json={"thread_id": f"t-{number}"}, headers=user)
    text = ask(pages, ANN, "GET", "/threads").text
    assert set(re.findall(r"t-\d+", text)) == {"t-0", "t-20", "t-40"}


# -- actions --------------------------------------------------------------------------------------


def test_a_run_is_started_in_the_name_of_the_user(pages: Pages) -> None:
    pages.join("w", "default")
    started = ask(pages, ANN, "POST", "/entrypoints/whose/start", input="1", thread="of-ann")
    assert started.status_code == 303, started.text
    pages.worker.work()
    run_id = started.headers["location"].rpartition("/")[2]
    assert pages.worker.client.get(run_id).result() == "ann"
    assert ask(pages, ANN, "GET", "/threads/of-ann").status_code == 200
    taken = ask(pages, BOB, "POST", "/entrypoints/whose/start", input="1", thread="of-ann")
    assert taken.status_code == 404

    begun = ask(pages, ANN, "POST", f"/runs/{run_id}/rerun").headers["location"]
    assert begun != started.headers["location"]
    changed = {"edited": "json", "input": "7"}
    assert ask(pages, CHIEF, "POST", f"/runs/{run_id}/rerun", **changed).status_code == 403


def test_an_answer_is_worked_on_as_the_user_who_gives_it(pages: Pages) -> None:
    run = pages.worker.client.get(begin(pages, ANN, "whose_answer"))
    (asked,) = run.result(0)["__interrupt__"]

    form = {"question": asked.id, "answer": "true"}
    answered = ask(pages, CHIEF, "POST", f"/runs/{run.run_id}/answer", **form)
    pages.worker.work()

    assert answered.status_code == 303, answered.text
    assert run.result(0) == "chief"


def test_a_copy_is_of_who_made_it(pages: Pages) -> None:
    begin(pages, ANN, thread_id="of-ann")
    assert ask(pages, ANN, "POST", "/threads/of-ann/copy", target="copy").status_code == 303
    assert ask(pages, ANN, "GET", "/threads/copy").status_code == 200
    assert ask(pages, BOB, "GET", "/threads/copy").status_code == 404
    assert ask(pages, ANN, "POST", "/threads/copy/delete").status_code == 303


def test_who_does_not_see_all_runs_is_not_told_of_changes(pages: Pages) -> None:
    """Frames come from time to time, whether a run of somebody changes or not."""
    found = ticks()

    async def first() -> list[str]:
        return [await anext(found), await anext(found)]

    assert pages.do(first()) == [KEEP_ALIVE, CHANGED]
    pages.do(found.aclose())
