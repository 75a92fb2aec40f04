"""The page about backups, executed: a Redis that is lost is restored on another one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from penstock.runtime import Client
from penstock.runtime.errors import RunNotFoundError
from penstock.worker.redis_server import find_server, free_port
from tests.docs.page import ROOT, Page
from tests.support.server import RedisServer
from tests.worker.commands import environment, penstock, program

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

FLOWS = """
from pathlib import Path
from penstock.runtime import entrypoint, interrupt, task

@task
def prepare(order: int) -> str:
    with Path("prepared").open("a") as file:
        file.write("x")
    return f"order {order}"

@entrypoint()
def ship(order: int) -> str:
    prepared = prepare(order).result()
    return f"{prepared}, {interrupt('ship?')}"
"""


def work(folder: Path, url: str) -> None:
    command = program("worker", "flows.py", "--burst")
    subprocess.run(command, cwd=folder, env=environment(url), check=True, timeout=60)


def shell(text: str, folder: Path, port: int) -> None:
    """Execute a block of the page, for a server on this port."""
    binary = find_server()
    assert binary is not None
    programs = (str(Path(sys.executable).parent), str(binary.path.parent), os.environ["PATH"])
    subprocess.run(
        ["bash", "-euc", text.replace("6379", str(port))],
        cwd=folder,
        env=os.environ | {"PATH": os.pathsep.join(programs)},
        check=True,
        timeout=60,
    )


def test_a_restored_redis_is_as_it_was_at_the_backup(
    start_redis: Callable[..., RedisServer], tmp_path: Path
) -> None:
    page = Page(ROOT / "docs" / "how-to" / "back-up-and-restore.md")
    back_up, restore, *_ = (block.text for block in page.blocks() if block.language == "sh")
    (tmp_path / "flows.py").write_text(FLOWS)
    server, port = start_redis("--appendonly", "yes"), free_port()
    with Client(server.url) as client:
        run = client.enqueue("ship", 1, run_id="r1")
        work(tmp_path, server.url)
        assert run.status() == "suspended"

        # given a backup, and what happened since
        shell(back_up, tmp_path, server.port)
        run.resume("yes")
        client.enqueue("ship", 2, run_id="r2")
        work(tmp_path, server.url)
        assert run.result(1) == "order 1, yes"
    server.kill()

    # when it is restored
    url = f"redis://127.0.0.1:{port}"
    try:
        shell(restore, tmp_path, port)

        # then the run waits again, and goes on behind its recorded step
        with Client(url) as client:
            with pytest.raises(RunNotFoundError):
                client.get("r2")
            run = client.get("r1")
            assert run.status() == "suspended"
            run.resume("no")
            work(tmp_path, url)
            assert run.result(1) == "order 1, no"
        assert (tmp_path / "prepared").read_text() == "xx", "once for each of the orders"
        assert "append-only file" in penstock("doctor", url=url).stdout
    finally:
        with redis.Redis.from_url(url) as connection:
            connection.shutdown(nosave=True)
