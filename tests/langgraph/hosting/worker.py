"""A worker of the graphs of these tests that kills itself at a point."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from penstock.worker.cli import main as cli
from tests.faults.support.killpoints import KillPoint
from tests.langgraph.hosting import agents


def main(point: str) -> int:
    """Work, and die at a point of `tests.faults.support.killpoints`, or "" for none."""
    if point:
        KillPoint(point, signal.SIGKILL, Path(os.devnull)).install()
    return cli(["worker", agents.__name__], standalone_mode=False) or 0
