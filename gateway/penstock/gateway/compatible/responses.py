"""The answers that take as long as a leg: its stream, or one JSON document at its end."""

from __future__ import annotations

__all__ = ["LegStream", "LegWait", "locations", "with_query"]

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode

from penstock.gateway.call import Call
from penstock.gateway.compatible.frames import HEARTBEAT
from penstock.gateway.compatible.legs import FoundLeg, find_leg
from penstock.gateway.compatible.request_model import RequestModel
from penstock.gateway.event_stream import FrameStream
from penstock.gateway.streams import Slot
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.errors import RunNotFoundError

PATIENCE: Final = 2.0
"""Seconds that a run is given for another reader, before the last one that left cancels it."""


class LegStream(FrameStream):
    """The frames of a leg."""

    comment: ClassVar[str] = HEARTBEAT

    def __init__(
        self,
        frames: AsyncGenerator[str],
        call: Call[Any, Any],
        found: FoundLeg,
        *,
        headers: Mapping[str, str] | None = None,
        cancels: bool = False,
        slot: Slot | None = None,
    ) -> None:
        super().__init__(frames, call.shared, call.identity, headers, slot)
        self._client = call.client
        self._found = found
        self._cancels = cancels

    async def _end_early(self) -> None:
        """Cancel the leg that nobody follows any more, if it was asked for so."""
        if not self._cancels:
            return
        await asyncio.sleep(PATIENCE)
        if not await _is_followed(self._client, self._found):
            await _cancel(self._client, self._found)


class LegWait(LegStream):
    """What came of a leg, as JSON: it begins at once, and spaces keep the connection open."""

    media_type = "application/json"
    comment: ClassVar[str] = "\n"


def locations(found: FoundLeg, *, has_thread: bool, last: str) -> dict[str, str]:
    """Return the headers that name a run, and where its client comes back to."""
    thread = f"/threads/{quote(found.run.thread_id, safe='')}" if has_thread else ""
    run = f"{thread}/runs/{found.leg.leg_id}"
    return {"Content-Location": run, "Location": f"{run}/{last}"}


def with_query(path: str, query: RequestModel) -> str:
    """Return where a client that asked with a query comes back to: the same as it asked for."""
    given = query.model_dump(mode="json", exclude_defaults=True)
    values = {name: "true" if value is True else value for name, value in given.items()}
    return f"{path}?{urlencode(values, doseq=True)}" if values else path


async def _is_followed(client: AsyncClient, found: FoundLeg) -> bool:
    """Tell whether a reader of any process is subscribed to the run."""
    channel = client.plans.keys.channel(found.run.run_id)
    answer = await client.connection.pubsub_numsub(channel)
    return any(count > 0 for _, count in answer)


async def _cancel(client: AsyncClient, found: FoundLeg) -> None:
    try:
        now = await find_leg(client, found.leg.leg_id)
    except RunNotFoundError:
        return
    if not now.is_over:
        await client.do(client.plans.cancel(now.run.run_id))
