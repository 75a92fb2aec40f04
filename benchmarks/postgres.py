"""A PostgreSQL server of our own, for what is measured beside LangGraph's checkpointer on it."""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.peers import is_installed
from benchmarks.processes import wait_until

__all__ = ["checkpointer", "is_there"]

PLACES: Final = Path("/usr/lib/postgresql")
"""Where Debian has the programs of each version."""

OWNER: Final = "postgres"
"""Whose the server is where root measures: it refuses to be root's."""


def is_there() -> bool:
    """Tell whether a server can be started, and LangGraph's checkpointer for it is installed."""
    packages = all(map(is_installed, ("langgraph.checkpoint.postgres", "psycopg")))
    return packages and _program("initdb") is not None


@contextmanager
def checkpointer(loop: asyncio.Runner) -> Generator[Any]:
    """Give LangGraph's checkpointer on a server of its own; for this loop."""
    module: Any = importlib.import_module("langgraph.checkpoint.postgres.aio")
    with _server() as url:
        opened = module.AsyncPostgresSaver.from_conn_string(url)
        saver = loop.run(opened.__aenter__())
        try:
            loop.run(saver.setup())
            yield saver
        finally:
            loop.run(opened.__aexit__(None, None, None))


@contextmanager
def _server() -> Generator[str]:
    """Give the URL of a server that is gone afterwards, on a socket in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as scratch:
        owner = OWNER if os.getuid() == 0 else None
        if owner:
            shutil.chown(scratch, owner)
        data = Path(scratch, "data")
        init = [str(_program("initdb")), "-D", str(data), "-A", "trust", "-U", "bench", "-N"]
        subprocess.run(init, check=True, capture_output=True, user=owner, cwd=scratch)
        command = [str(_program("postgres")), "-D", str(data), "-k", scratch, "-h", ""]
        process = subprocess.Popen(
            command,
            user=owner,
            cwd=scratch,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: _is_ready(data / "postmaster.pid"))
            yield f"postgresql:///postgres?host={scratch}&user=bench"
        finally:
            process.terminate()
            process.wait()


def _is_ready(status: Path) -> bool:
    return status.exists() and "ready" in status.read_text()


def _program(name: str) -> str | None:
    """Find a program of the server, of the newest version."""
    folders = sorted(PLACES.glob("*/bin"), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, folders)])
    return shutil.which(name, path=path)
