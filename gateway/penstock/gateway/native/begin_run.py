"""Begins a run in the name of its user, on a thread of theirs."""

from __future__ import annotations

__all__ = ["begin_run", "check_own_name"]

from collections.abc import Mapping
from typing import Any

from penstock.gateway.auth.bulk_access import check_entrypoint
from penstock.gateway.auth.filters import with_filter
from penstock.gateway.auth.user import CONFIGURABLE
from penstock.gateway.call import Call
from penstock.gateway.compatible.access import check_thread, ensure_thread
from penstock.gateway.errors import RequestError
from penstock.gateway.native.models import NewRun
from penstock.gateway.native.own_runs import is_of_another
from penstock.runtime.client.run import AsyncRunHandle


async def begin_run(call: Call[Any, NewRun]) -> AsyncRunHandle:
    """Enqueue a run.

    Raises:
        RequestError: the Auth object refuses the entrypoint or a new thread.
        ThreadNotFoundError: the thread is not for the user.
    """
    body = call.body
    check_entrypoint(body.entrypoint)
    if call.user is not None:
        await call.ask("assistants", "read", {"assistant_id": body.entrypoint, "metadata": {}})
        if body.thread_id is not None:
            await ensure_thread(call, body.thread_id)
            await check_thread(call.client, body.thread_id, call.filter)  # now that it is there
    given = body.model_dump(exclude={"entrypoint", "input", "config"})
    return await call.client.enqueue(body.entrypoint, body.input, config=_config(call), **given)


def _config(call: Call[Any, NewRun]) -> Mapping[str, Any]:
    """Return the config of a run: who its user is, and whose it is, requests cannot say."""
    config = dict(call.body.config)
    given: Mapping[str, Any] = config.get("configurable") or {}
    configurable = {name: value for name, value in given.items() if name not in CONFIGURABLE}
    parts = {
        "configurable": {**configurable, **call.configurable},
        "metadata": with_filter(config.get("metadata") or {}, call.filter),
    }
    return {**config, **{name: value for name, value in parts.items() if value}}


async def check_own_name(call: Call[Any, Any], run_id: str) -> None:
    """Refuse to give something else to a run that is executed in the name of another user.

    Raises:
        RequestError: 403.
    """
    if call.user is not None and await is_of_another(call.client, run_id, call.user):
        raise RequestError(
            403, f"run {run_id!r} is executed in the name of another user: enqueue one of your own."
        )
