"""The questions of all runs."""

from __future__ import annotations

from penstock.gateway.auth.role import Role
from tests.gateway.dashboard.pages import Pages


def test_each_question_has_its_form(pages: Pages) -> None:
    first, second = pages.run("asking", "may I?"), pages.run("ordering", "what?")
    pages.run("doubled", 1)

    page = pages.open("/questions")

    assert page.count('class="answer"') == 2
    assert f'action="/dashboard/runs/{first}/answer"' in page
    assert f'action="/dashboard/runs/{second}/answer"' in page
    assert "may I?" in page
    assert 'name="answer.count"' in page


def test_viewers_may_read_questions_but_not_answer_them(closed: Pages) -> None:
    closed.run("asking", "may I?")
    closed.log_in(Role.VIEWER)

    page = closed.open("/questions")

    assert "may I?" in page
    assert "you are a viewer: this needs the role client" in page
    assert 'data-key="a" disabled' in page


def test_nobody_is_asked_anything(pages: Pages) -> None:
    assert "Nobody is asked anything" in pages.open("/questions")
