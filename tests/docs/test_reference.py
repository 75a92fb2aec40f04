from __future__ import annotations

import re

import pytest

from penstock.runtime.redis.keys import PERMANENT
from penstock.runtime.streaming.mode_view import MODES
from penstock.runtime.types.run import RunStatus
from tests.docs.page import PAGES, ROOT, Page
from tests.docs.tables import TABLES, filled, shown

_SAID = re.compile(r'(?:Fact\(|emit\(|encode\(|"mode":)\s*"(\w+\.?\w*)"')

REFERENCE = ROOT / "docs" / "reference"

pages = pytest.mark.parametrize("page", [Page(path) for path in PAGES], ids=lambda page: page.name)


@pages
def test_tables_say_what_the_code_says(page: Page) -> None:
    assert page.text == filled(page.text), "run: python -m tests.docs.tables"


def test_every_table_is_on_a_page() -> None:
    assert {name for path in PAGES for name in shown(path.read_text())} == set(TABLES)


def test_every_fact_that_the_code_says_is_explained() -> None:
    sources = [
        *(ROOT / "runtime").rglob("*.py"),
        *(ROOT / "runtime").rglob("*.lua"),
        *(ROOT / "publisher").rglob("*.py"),
    ]
    said = {mode for path in sources for mode in _SAID.findall(path.read_text(encoding="utf-8"))}
    explained = set(re.findall(r"^\| `([\w.]+)` \|", (REFERENCE / "events.md").read_text(), re.M))

    assert len(said) > 5
    assert said - explained == set()
    assert set(MODES) - explained == set()


def test_every_status_is_explained() -> None:
    text = (REFERENCE / "events.md").read_text()

    assert [status for status in RunStatus if f"`{status}`" not in text] == []


def test_what_lives_forever_is_said() -> None:
    text = (REFERENCE / "keys.md").read_text()

    assert [kind for kind in PERMANENT if f"`penstock:{kind}`" not in text] == []


def test_the_demo_shown_is_the_demo_there_is() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "worker" / "penstock" / "worker" / "demo").rglob("*.py")
    )
    labels = re.findall(r"^✓ (.+?)  ", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)

    assert len(labels) > 5
    assert [label for label in labels if label not in sources] == []
