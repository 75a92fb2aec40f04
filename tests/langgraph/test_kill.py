"""A graph whose process is killed goes on in another one, where its last stored point says."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from langgraph.graph import START

from penstock.langgraph import PenstockSaver
from tests.langgraph import killed

ROOT = Path(__file__).parents[2]
MOMENTS = [*((call, "before") for call in range(1, 10)), (9, "after")]
"""Around the calls that store something: four points, and the writes of five tasks."""


@pytest.mark.parametrize(("call", "when"), MOMENTS)
def test_a_killed_process_is_gone_on_with(redis_url: str, call: int, when: str) -> None:
    command = [sys.executable, "-m", killed.__name__, redis_url, str(call), when]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()

    with redis.Redis.from_url(redis_url) as client:
        before = lines(client, 0)
    with PenstockSaver(redis_url) as saver:
        graph = killed.graph(saver, redis_url)
        tasks = graph.get_state(killed.THREAD).tasks
        stored = {task.name for task in tasks if task.result is not None} - {START}
        assert stored <= set(before)

        has_begun = saver.get_tuple(killed.THREAD) is not None
        outcome: Any = graph.invoke(None if has_begun else killed.INPUT, killed.THREAD)

    with redis.Redis.from_url(redis_url) as client:
        after = lines(client, len(before))
    assert sorted(outcome["log"]) == ["begin", "left", "left again", "right", "right again"]
    assert set(after).isdisjoint(stored), "a node whose writes are stored is not executed again"
    assert set(before) | set(after) == {"left", "right", "left again", "right again"}


def lines(client: redis.Redis, start: int) -> list[str]:
    """Return the names of the nodes that were executed, from one on."""
    found = cast("list[bytes]", client.lrange("executed", start, -1))
    return [line.decode() for line in found]
