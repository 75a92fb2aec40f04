"""LangGraph's client for JavaScript: `python -m tests.support.js_client` installs it for tests.

`make test` does so first, as no test should wait for a registry.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Final

OLDER: Final = "1.8.10"
"""The one that agent-chat-ui has."""

NEWEST: Final = "1.15.0"

VERSIONS: Final = (OLDER, NEWEST)

_BESIDE: Final = ("@langchain/core@1", "react@19", "react-dom@19", "jsdom@26")
"""What a page with the client's React hook needs."""

_PATIENCE: Final = 300
"""Seconds for one version."""


def folder_of(version: str) -> Path:
    """Return where a version is installed, beside the packages of Python that the tests use."""
    return Path(sys.prefix) / "js" / version


def main() -> int:
    """Install all versions that are missing; says what cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        print("No npm: LangGraph's client for JavaScript is not tested.")
        return 1
    missing = [version for version in VERSIONS if not folder_of(version).exists()]
    if missing:
        print("Installing LangGraph's client for JavaScript into .venv")
    return max([_install(npm, version) for version in missing], default=0)


def _install(npm: str, version: str) -> int:
    """Install a version beside its folder, which is there once all of it is."""
    folder = folder_of(version)
    fresh = folder.with_name(f"{version}.{uuid.uuid4().hex}")
    fresh.mkdir(parents=True)
    packages = [f"@langchain/langgraph-sdk@{version}", *_BESIDE]
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
        print(f"LangGraph's client for JavaScript {version} is not tested: {error}")
        return 1
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
