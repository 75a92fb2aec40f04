"""A process ends at its deadline, whatever it is at."""

from __future__ import annotations

import subprocess
import sys

import pytest

BLOCKED_LOG = """
import logging, threading, time
from penstock.worker.process.deadline import Deadline

class Blocked(logging.Handler):
    def emit(self, record):
        time.sleep(60)

logging.getLogger().addHandler(Blocked())
deadline = Deadline()
deadline.start()
deadline.set({seconds})
time.sleep(60)
"""


def wait_for(code: str) -> int:
    return subprocess.run(
        [sys.executable, "-c", code], timeout=20, stderr=subprocess.DEVNULL
    ).returncode


@pytest.mark.parametrize("seconds", [0.3, 0.0])
def test_a_log_that_blocks_keeps_no_process_beyond_its_deadline(seconds: float) -> None:
    assert wait_for(BLOCKED_LOG.format(seconds=seconds)) == 1


def test_the_time_that_was_set_last_counts() -> None:
    code = """
import time
from penstock.worker.process.deadline import Deadline

deadline = Deadline()
deadline.start()
deadline.set(0.2)
deadline.set(60.0)
time.sleep(2.0)
raise SystemExit(5)
"""

    assert wait_for(code) == 5


def test_a_deadline_that_is_closed_ends_nothing() -> None:
    code = """
import time
from penstock.worker.process.deadline import Deadline

deadline = Deadline()
deadline.start()
deadline.set(0.2)
deadline.close()
time.sleep(2.0)
raise SystemExit(5)
"""

    assert wait_for(code) == 5
