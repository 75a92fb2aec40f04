"""What tests need of npm: `python -m tests.support.js_client` installs it.

LangGraph's client for JavaScript, and axe-core, which finds what not everybody can use of a page.
`make test` does so first, as no test should wait for a registry.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

OLDER: Final = "1.8.10"
"""The one that agent-chat-ui has."""

NEWEST: Final = "1.15.0"

VERSIONS: Final = (OLDER, NEWEST)

AXE: Final = "axe-core@4.11.1"
"""The package whose rules the pages of the dashboard keep to."""

_BESIDE: Final = ("@langchain/core@1", "react@19", "react-dom@19", "jsdom@26")
"""What a page with the client's React hook needs."""

_PATIENCE: Final = 300
"""Seconds for one version."""


def folder_of(version: str) -> Path:
    """Return where a version is installed, beside the packages of Python that the tests use."""
    return Path(sys.prefix) / "js" / version


def axe_file() -> Path:
    """Return where axe-core is, as a script for a page; perhaps it is not installed."""
    return folder_of(AXE) / "node_modules" / "axe-core" / "axe.min.js"


def main() -> int:
    """Install all that is missing; says what cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        print("No npm: LangGraph's client for JavaScript is not tested, nor are the rules of axe.")
        return 1
    wanted: dict[str, Sequence[str]] = {
        version: (f"@langchain/langgraph-sdk@{version}", *_BESIDE) for version in VERSIONS
    }
    wanted[AXE] = (AXE,)
    missing = [name for name in wanted if not folder_of(name).exists()]
    if missing:
        print("Installing LangGraph's client for JavaScript and axe-core into .venv")
    return max([_install(npm, name, wanted[name]) for name in missing], default=0)


def _install(npm: str, name: str, packages: Sequence[str]) -> int:
    """Install packages beside their folder, which is there once all of it is."""
    folder = folder_of(name)
    fresh = folder.with_name(f"{name}.{uuid.uuid4().hex}")
    fresh.mkdir(parents=True)
    command = [npm, "install", "--prefix", str(fresh), "--ignore-scripts", "--no-audit"]
    try:
        subprocess.run(
            [*command, "--no-fund", *packages],
            stdout=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=True,
        )
        fresh.rename(folder)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"{packages[0]} is not tested: {error}")
        return 1
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
