"""Each path that LangGraph's client for Python asks for is one of the gateway."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import langgraph_sdk
import pytest
from starlette.routing import Match

from penstock.gateway.app import create_app

CLIENT = Path(langgraph_sdk.__file__).parent / "_sync"

CALL = re.compile(r"self\.http\.(get|post|put|patch|delete)\(\s*f?\"(/[^\"]*)\"")


def asked() -> list[tuple[str, str]]:
    """Return the method and the path of each request in the client's code."""
    calls = {
        (method.upper(), re.sub(r"{[^}]*}", "x", path))
        for file in CLIENT.glob("*.py")
        for method, path in CALL.findall(file.read_text())
    }
    return sorted(calls)


@pytest.mark.parametrize(("method", "path"), asked())
def test_each_request_of_the_client_has_a_route(method: str, path: str) -> None:
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": []}

    assert any(each.matches(scope)[0] is Match.FULL for each in create_app().routes)


def test_the_client_was_read() -> None:
    assert len(asked()) > 30
