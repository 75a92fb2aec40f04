"""Begins the runs that requests ask for, of assistants and on threads of their users."""

from __future__ import annotations

__all__ = ["begin_run", "find_own_assistant"]

import dataclasses
from typing import Any

from penstock.gateway.auth.filters import with_filter
from penstock.gateway.call import Call
from penstock.gateway.compatible.access import check_thread, own_thread
from penstock.gateway.compatible.leg_start import start_leg
from penstock.gateway.compatible.legs import FoundLeg
from penstock.gateway.compatible.run_assistant import RunAssistant, find_assistant
from penstock.gateway.compatible.run_body import RunBody
from penstock.gateway.compatible.thread_reading import ThreadReader


async def begin_run(call: Call[Any, RunBody]) -> FoundLeg:
    """Begin a run of an assistant, or answer what one asks.

    Raises:
        ThreadNotFoundError: there is no such thread, and it is not to be made.
        RequestError: there is no such assistant, or what is asked cannot be done.
    """
    thread_id, body = call.path.get("thread_id"), call.body
    if thread_id is not None and body.if_not_exists == "reject":
        await ThreadReader(call.client).record(thread_id)
    assistant = await find_own_assistant(call)
    assistant = dataclasses.replace(assistant, user=call.configurable)
    if call.user is not None:
        thread_id = await own_thread(call, thread_id)
        if thread_id is not None:  # others may have made it since it was looked for
            await check_thread(call.client, thread_id, call.filter)
        body = body.model_copy(update={"metadata": with_filter(body.metadata, call.filter)})
    found = await start_leg(call.client, body, assistant, thread_id)
    call.shared.news.tell(found.run.thread_id)
    return found


async def find_own_assistant(call: Call[Any, RunBody]) -> RunAssistant:
    """Find the assistant of a run.

    Raises:
        RequestError: there is none that is for the user.
    """
    named = call.body.assistant_id
    own = await call.ask("assistants", "read", {"assistant_id": named, "metadata": {}})
    return await find_assistant(call.client, named, own)
