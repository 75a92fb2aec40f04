"""A process that is forked off executes runs as its parent does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import asyncio, os, signal, sys, threading
from penstock.runtime import RedisSaver, entrypoint, task

@task
def double(x: int) -> int:
    return 2 * x

@task
async def names() -> list:
    return [thread.name for thread in threading.enumerate()]

@entrypoint(checkpointer=RedisSaver(sys.argv[1]))
async def flow(x: int) -> list:
    return await asyncio.gather(*[double(x) for _ in range(3)], names())

def invoke(x: int) -> None:
    *doubles, threads = asyncio.run(flow.ainvoke(x, {"configurable": {"thread_id": str(x)}}))
    assert doubles == [2 * x] * 3
    assert "penstock-leases" in threads

invoke(1)
if (child := os.fork()) == 0:
    signal.alarm(20)
    invoke(2)
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


def test_a_child_of_a_process_that_has_executed_runs_executes_runs(
    redis_url: str, tmp_path: Path
) -> None:
    script = tmp_path / "forks.py"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(script), redis_url]

    done = subprocess.run(command, timeout=60, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
