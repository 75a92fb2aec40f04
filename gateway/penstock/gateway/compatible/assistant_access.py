"""Which assistants are for the user of a request; the others are missing."""

from __future__ import annotations

__all__ = ["check_assistant", "check_made_assistant"]

from typing import Any

from penstock.gateway.call import Call
from penstock.gateway.compatible.assistant_records import AssistantRecords, unknown_assistant

AnyCall = Call[Any, Any]


async def check_assistant(call: AnyCall) -> None:
    """Refuse an assistant that is not for the user, as if there was none.

    Raises:
        RequestError: it is missing, or not for the user.
    """
    named = call.path["assistant_id"]
    found = await call.client.do(AssistantRecords(call.client.plans).find(named))
    if not found.is_for(call.filter):
        raise unknown_assistant(named)


async def check_made_assistant(call: AnyCall) -> None:
    """Refuse to change an assistant that is not for the user, as if there was none.

    The name of an entrypoint may be the id of an assistant that somebody made before.

    Raises:
        RequestError: it is missing, not for the user, or it is that of an entrypoint.
    """
    records = AssistantRecords(call.client.plans)
    await call.client.do(records.own(call.path["assistant_id"], call.filter))
