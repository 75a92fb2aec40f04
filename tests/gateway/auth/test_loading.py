"""The Auth that a setting names."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import pytest

from penstock.gateway import GatewaySettings, create_app
from penstock.gateway.auth.loading import load_auth
from penstock.gateway.settings import load_gateway_settings
from penstock.publisher.errors import ConfigurationError
from penstock.runtime.testing import InMemoryWorker

SOURCE = "made = object()\n"


def test_an_object_of_a_file_or_a_module_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loaded_auth_a.py").write_text(SOURCE)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "loaded_auth_b.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)

    assert load_auth("loaded_auth_a.py:made") is load_auth("./loaded_auth_a.py:made")
    assert load_auth("loaded_auth_a:made") is not None
    assert load_auth("below/loaded_auth_b.py:made") is not None


def test_a_file_is_loaded_though_a_module_has_its_name(tmp_path: Path) -> None:
    source = """
    from __future__ import annotations
    from dataclasses import dataclass
    from typing import ClassVar
    import beside_it

    @dataclass
    class Made:
        known: ClassVar[int] = beside_it.MADE
    """
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "json.py").write_text(textwrap.dedent(source))
    (tmp_path / "a" / "beside_it.py").write_text("MADE = 1\n")

    first, second = (load_auth(f"{tmp_path / folder / 'json.py'}:Made") for folder in "ab")

    assert first.known == second.known == 1
    assert first is not second
    assert sys.modules["json"] is json


def test_a_file_that_fails_is_executed_again(tmp_path: Path) -> None:
    file = tmp_path / "mended_auth.py"
    file.write_text("1 / 0")
    with pytest.raises(ConfigurationError, match="ZeroDivisionError"):
        load_auth(f"{file}:made")

    file.write_text(SOURCE)

    assert load_auth(f"{file}:made") is not None


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("auth.py", "name a file and an object"),
        ("no_such_auth.py:auth", "no file"),
        ("no_such_module:auth", "No module named"),
        ("broken_auth.py:auth", "ZeroDivisionError"),
        ("empty_auth.py:auth", "nothing called 'auth'"),
        ("empty_auth.py:", "name a file and an object"),
    ],
)
def test_what_cannot_be_loaded_starts_no_gateway(
    source: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_auth.py").write_text("1 / 0\n")
    (tmp_path / "empty_auth.py").write_text("")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigurationError, match=why):
        load_auth(source)
    with InMemoryWorker([]) as worker, pytest.raises(ConfigurationError, match=why):
        create_app(worker.aclient, settings=GatewaySettings(auth=source))


def test_it_is_set_as_other_settings_are(tmp_path: Path) -> None:
    text = '[tool.penstock.gateway]\nauth = "a.py:auth"\n'
    (tmp_path / "pyproject.toml").write_text(text)

    assert load_gateway_settings(environ={}, folder=tmp_path).auth == "a.py:auth"
    environ = {"PENSTOCK_GATEWAY_AUTH": "b:auth"}
    assert load_gateway_settings(environ=environ, folder=tmp_path).auth == "b:auth"
