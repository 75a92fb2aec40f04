"""A gateway and a worker as processes of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

FLOWS = Path(__file__).with_name("flows.py")


@contextmanager
def serving(url: str, *options: str) -> Generator[str]:
    """Run `penstock serve` on a free port; gives its address."""
    with _process(url, "serve", "--port", "0", *options) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"serving on (http://\S+)", line):
                break
        else:
            raise AssertionError("the gateway ended before it served")
        yield found[1]


@contextmanager
def working(url: str, *options: str) -> Generator[subprocess.Popen[str]]:
    """Run `penstock worker` with the flows of these tests."""
    with _process(url, "worker", str(FLOWS), *options) as process:
        yield process


@contextmanager
def _process(url: str, *arguments: str) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "penstock.worker.cli", *arguments]
    environment = os.environ | {"PENSTOCK_REDIS_URL": url}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
