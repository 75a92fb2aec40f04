"""The stream of a leg: its frames from a cursor on, or what came of it once it is over."""

from __future__ import annotations

__all__ = ["FrameWriter", "StreamOptions", "event_frames", "outcome_text", "until_over"]

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from penstock.gateway.compatible.frames import Cursor, frame
from penstock.gateway.compatible.leg_events import LegEvents, read_last
from penstock.gateway.compatible.leg_outcome import failure_of, read_outcome
from penstock.gateway.compatible.legs import FoundLeg, find_leg
from penstock.gateway.compatible.modes import ModeEvents
from penstock.gateway.json_text import json_text
from penstock.publisher.errors import CursorExpiredError
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.errors import RunNotFoundError


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What a reader wants of a stream."""

    modes: Sequence[str]
    subgraphs: bool = False
    cursor: Cursor | None = None
    """The place behind which it begins; None for the begin of the leg."""


class FrameWriter(Protocol):
    """Writes one frame."""

    def __call__(self, event: str, data: Any, cursor: Cursor | None = None, /) -> str:
        """Write it, with its place as its id if it has one."""
        ...


async def event_frames(
    client: AsyncClient, found: FoundLeg, options: StreamOptions, write: FrameWriter = frame
) -> AsyncGenerator[str]:
    """Give the frames of a leg: `metadata` first, `end` or `error` last."""
    leg, cursor = found.leg, options.cursor
    if cursor is None:
        cursor = Cursor(leg.after, 0)
        yield write("metadata", {"run_id": leg.leg_id, "attempt": 1}, cursor)
    events = ModeEvents(found, options.modes, subgraphs=options.subgraphs)
    facts = LegEvents(client, found)
    first = leg.after if events.is_folded else max(leg.after, cursor.seq - 1)
    try:
        async with aclosing(facts.follow(first)) as followed:
            async for fact in followed:
                if fact.mode == "step.retry" and events.shows_messages:
                    await _remember(facts, events, fact.data["void_from"])
                for number, name, data in events.of(fact):
                    place = Cursor(fact.seq, number)
                    if place > cursor:
                        yield write(name, data, place)
    except CursorExpiredError as error:
        yield write("error", {"error": type(error).__name__, "message": str(error)})
        return
    yield write(*await _last_part(client, found))


async def _remember(facts: LegEvents, events: ModeEvents, void_from: int) -> None:
    """Read the words of an earlier leg that are void now."""
    async with aclosing(facts.before(void_from)) as earlier:
        async for each in earlier:
            events.remember(each)


async def _last_part(client: AsyncClient, found: FoundLeg) -> tuple[str, Any]:
    """Return the name and the data of the last frame of a leg."""
    leg_id = found.leg.leg_id
    try:
        found = await find_leg(client, leg_id)
    except RunNotFoundError:  # it was rolled back, or deleted
        return "end", {"run_id": leg_id, "status": "interrupted"}
    failure = failure_of(found, None if found.is_newest else await read_last(client, found))
    if failure is not None:
        return "error", failure
    return "end", {"run_id": leg_id, "status": found.status}


async def until_over(client: AsyncClient, found: FoundLeg) -> FoundLeg:
    """Wait until a leg is over, and return it as it is then.

    Raises:
        RunNotFoundError: it was rolled back, or deleted.
    """
    after = await client.do(client.plans.last_seq(found.run.run_id))
    found = await find_leg(client, found.leg.leg_id)
    if found.is_over:
        return found
    async with aclosing(LegEvents(client, found).follow(after)) as followed:
        async for _ in followed:
            pass
    return await find_leg(client, found.leg.leg_id)


async def outcome_text(client: AsyncClient, found: FoundLeg) -> AsyncGenerator[str]:
    """Wait until a leg is over; give what came of it as JSON."""
    try:
        outcome = await read_outcome(client, await until_over(client, found))
    except RunNotFoundError:  # it was rolled back, or deleted
        outcome = {}
    yield json_text(outcome)
