"""A worker that kills itself: `python -m tests.langgraph.hosting.worker APP POINT`.

A point is one of `tests.faults.support.killpoints`, or "" for none.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from penstock.worker.cli import main as cli
from tests.faults.support.killpoints import KillPoint

if __name__ == "__main__":
    app, point = sys.argv[1:]
    if point:
        KillPoint(point, signal.SIGKILL, Path(os.devnull)).install()
    cli(["worker", app])
