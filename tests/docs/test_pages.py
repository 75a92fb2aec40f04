from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from penstock.runtime.settings import load_settings
from tests.docs.page import PAGES, ROOT, Page
from tests.docs.story import Story

pages = pytest.mark.parametrize("page", [Page(path) for path in PAGES], ids=lambda page: page.name)

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_TEST = re.compile(r"\[(test_\w+)\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@pytest.mark.open_runs  # threads with names are kept, and some pages leave a run waiting
@pages
def test_a_page_does_what_it_shows(
    page: Page, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PENSTOCK_REDIS_URL", redis_url)

    with Story(page, tmp_path, redis_url) as story:
        story.run()


@pages
def test_a_page_links_to_what_exists(page: Page) -> None:
    broken = [
        target
        for target in _LINK.findall(page.prose)
        if "://" not in target and not _exists(page.path, target)
    ]

    assert broken == []


@pages
def test_a_page_names_tests_that_exist(page: Page) -> None:
    missing = [
        name
        for name, target in _TEST.findall(page.prose)
        if f"def {name}(" not in (page.path.parent / target).read_text(encoding="utf-8")
    ]

    assert missing == []


@pages
def test_settings_that_a_page_shows_can_be_read(page: Page, tmp_path: Path) -> None:
    for block in page.blocks():
        if block.language == "toml":
            (tmp_path / "pyproject.toml").write_text(block.text)

            assert tomllib.loads(block.text)["tool"]["penstock"]
            load_settings(environ={}, folder=tmp_path)


def test_every_page_is_reached_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target).resolve() for target in _LINK.findall(index.read_text())}

    assert [str(path) for path in PAGES[1:] if path != index and path not in linked] == []


def _exists(source: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    path = (source.parent / name).resolve() if name else source
    if not path.exists():
        return False
    if not anchor or path.suffix != ".md":
        return True
    headings = map(_anchor, _HEADING.findall(path.read_text(encoding="utf-8")))
    return anchor in headings


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
