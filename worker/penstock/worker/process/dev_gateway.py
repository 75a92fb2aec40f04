"""The gateway of `penstock dev`: the HTTP API and the dashboard, beside the worker."""

from __future__ import annotations

__all__ = ["dev_gateway", "is_installed"]

import importlib.util
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from penstock.worker.redis_server import ending_with_parent

PATIENCE: Final = 5.0
"""Seconds that it has to end."""

_PACKAGES: Final = ("jinja2", "starlette", "uvicorn")


def is_installed() -> bool:
    """Tell whether the packages of the extra `gateway` are there."""
    return all(importlib.util.find_spec(name) is not None for name in _PACKAGES)


@contextmanager
def dev_gateway(redis: str, port: int) -> Generator[None]:
    """Serve on 127.0.0.1 until the block ends; on Linux it ends with this process in any case."""
    command = [sys.executable, "-m", "penstock.worker.cli", "serve"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    # By the environment: a command line is seen by all users of a machine.
    environ = os.environ | {"PENSTOCK_REDIS": redis, "PENSTOCK_GATEWAY_DRAIN": "0"}
    child = subprocess.Popen(ending_with_parent(command), env=environ, process_group=0)
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
