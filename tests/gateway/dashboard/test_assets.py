"""The files of the dashboard, and those of others among them."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import penstock.gateway.dashboard
from penstock.gateway.dashboard.assets import Assets
from tests.gateway.dashboard.pages import Pages

STATIC = Path(penstock.gateway.dashboard.__file__).parent / "static"

LARGEST = 150 * 1024


def test_w15_vendored_files_are_as_they_came() -> None:
    vendored = tomllib.loads((STATIC / "vendor.toml").read_text())

    assert vendored
    for name, entry in vendored.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == entry["sha256"]
        assert entry["licence"]
        assert entry["version"] in (STATIC / name).read_text()


def test_all_files_together_are_small() -> None:
    assert sum(path.stat().st_size for path in STATIC.iterdir()) < LARGEST


def test_a_file_is_kept_by_browsers_as_long_as_its_address_holds(pages: Pages) -> None:
    digest = Assets().digest

    found = pages.ask("GET", f"/dashboard/static/{digest}/dashboard.css")
    older = pages.ask("GET", "/dashboard/static/older/dashboard.css")

    assert found.headers["content-type"].startswith("text/css")
    assert "immutable" in found.headers["cache-control"]
    assert older.headers["cache-control"] == "no-store"
    assert older.content == found.content


def test_only_the_files_of_the_dashboard_are_served(pages: Pages) -> None:
    for name in ("nothing.js", "vendor.toml", "..%2fassets.py"):
        found = pages.ask("GET", f"/dashboard/static/x/{name}")
        assert found.status_code == 404
