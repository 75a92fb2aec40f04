"""Node, with LangGraph's client for JavaScript: a test is skipped where one of them is missing."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from tests.docs.page import ROOT, Page
from tests.support.js_client import NEWEST, folder_of

SCRIPTS: Final = ROOT / "tests" / "gateway" / "js"


def conversation(version: str, url: str) -> Any:
    """Execute the script `conversation.mjs` against a gateway; returns what came of its parts."""
    folder = _installed(version)
    return json.loads(_executed((SCRIPTS / "conversation.mjs").read_text(), folder, url))


def use_stream(version: str, url: str) -> Any:
    """Execute the script `use_stream.mjs` against a gateway; returns what its pages have shown."""
    folder = _installed(version)
    return json.loads(_executed((SCRIPTS / "use_stream.mjs").read_text(), folder, url, version))


def thread_stream(url: str, proxied: str, cut: Callable[[], None]) -> Any:
    """Execute the script `thread_stream.mjs`; returns what came of its parts.

    `cut` is called when the connections to `proxied` are to be cut.
    """
    folder, executable = _installed(NEWEST), _node()
    place = folder / f"{uuid.uuid4().hex}.mjs"
    place.write_text((SCRIPTS / "thread_stream.mjs").read_text())
    command = [executable, str(place), url, proxied]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "cut\n"
            cut()
            found = process.stdout.read()
            assert process.wait(60) == 0
    finally:
        place.unlink()
    return json.loads(found)


def shown(page: str, name: str, url: str) -> str:
    """Execute a script that a page shows, and names in its first line; returns what it prints."""
    (text,) = (text for text in scripts_of(page) if text.startswith(f"// {name}\n"))
    return _executed(text.replace("http://127.0.0.1:8000", url), _installed(NEWEST))


def scripts_of(page: str) -> Sequence[str]:
    """Return the scripts that a page of how-tos shows."""
    blocks = Page(ROOT / "docs" / "how-to" / page).blocks()
    return [block.text for block in blocks if block.language == "js"]


def complaints(text: str) -> str:
    """Return what Node says of the syntax of a script; nothing if that is right."""
    command = [_node(), "--input-type=module", "--check"]
    return subprocess.run(command, input=text, capture_output=True, text=True).stderr


def _executed(text: str, folder: Path, *arguments: str) -> str:
    executable = _node()
    place = folder / f"{uuid.uuid4().hex}.mjs"  # it finds packages from where it lies
    place.write_text(text)
    try:
        done = subprocess.run(
            [executable, str(place), *arguments], capture_output=True, text=True, timeout=60
        )
    finally:
        place.unlink()
    assert done.returncode == 0, done.stderr
    return done.stdout


def _node() -> str:
    executable = shutil.which("node")
    if executable is None:
        pytest.skip("there is no node: install Node 20 or later to test LangGraph's JS client")
    return executable


def _installed(version: str) -> Path:
    folder = folder_of(version)
    if not folder.exists():
        pytest.skip(
            f"LangGraph's client for JavaScript {version} is not installed: `make test` installs "
            "it where there is npm, or python -m tests.support.js_client"
        )
    return folder
