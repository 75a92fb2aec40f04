"""A workflow whose changes webhooks are told of."""

from __future__ import annotations

from typing import Any

from penstock.runtime import Client, entrypoint, interrupt
from penstock.runtime.settings import Settings

HERE = Settings(webhook_hosts=("127.0.0.1",))
"""Settings that let webhooks be delivered to this machine."""


@entrypoint()
def flow(what: str) -> Any:
    """Fail, ask or return, as the input says."""
    if what == "fail":
        raise ValueError("broken")
    return interrupt("?") if what == "ask" else what


def end(client: Client, run_id: str = "r", **options: Any) -> None:
    """Enqueue a run, and let it end."""
    client.enqueue("flow", "x", run_id=run_id, queue="nobody", **options).cancel()
