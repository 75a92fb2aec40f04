"""The events of all runs of a thread, in their order, each with its place."""

from __future__ import annotations

__all__ = ["SentEvent", "follow_thread", "place_of_end", "place_of_leg"]

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from penstock.gateway.call import Call
from penstock.gateway.compatible.access import is_admitted
from penstock.gateway.compatible.leg_events import LegEvents
from penstock.gateway.compatible.legs import FoundLeg, find_leg, is_rolled_back, newest_leg
from penstock.gateway.compatible.protocol.protocol_event import ProtocolEvent
from penstock.gateway.compatible.protocol.run_events import RunEvents
from penstock.gateway.compatible.protocol.subscription import EventsBody
from penstock.gateway.compatible.protocol.tape import Place, Tape
from penstock.gateway.compatible.thread_legs import begun_runs, follow_legs
from penstock.publisher.event import Event
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.errors import RunNotFoundError

_JUST: Final = timedelta(seconds=2)
"""How long after the end of a run those are told of it who come for how runs stand."""

_HELD_BACK: Final = 0.5
"""Seconds that they wait for another run to begin before."""

_LOOK: Final = 0.1
"""Seconds between two looks for it."""


class SentEvent(NamedTuple):
    """An event as it is sent."""

    name: str
    seq: int
    view: dict[str, Any]


async def follow_thread(call: Call[Any, Any], wanted: EventsBody) -> AsyncGenerator[SentEvent]:
    """Give the events of a thread that are wanted, and wait for more; the thread may come later.

    Raises:
        CursorExpiredError: the next event is no longer kept.
    """
    client, thread_id, news = call.client, call.path["thread_id"], call.shared.news
    begin, since = await _Begin(call, wanted).find()
    async with aclosing(follow_legs(client, thread_id, begin, news)) as legs:
        async for found in legs:
            if not await is_admitted(client, thread_id, call.filter):
                return  # it was deleted, and is of somebody else now
            async with aclosing(_leg(client, found)) as events:
                async for place, time, event in events:
                    if place.seq > since and wanted.wants(event):
                        yield _sent(found, place, time, event)


def _sent(found: FoundLeg, place: Place, time: float, event: ProtocolEvent) -> SentEvent:
    name = f"{found.run.run_id}:{place.fact}-{place.number}"
    return SentEvent(event.method, place.seq, event.view(name, place.seq, time))


async def _leg(
    client: AsyncClient, found: FoundLeg
) -> AsyncGenerator[tuple[Place, float, ProtocolEvent]]:
    """Give the events of a leg, from its begin to its end."""
    run = await _number(client, found)
    events, facts = RunEvents(found), LegEvents(client, found)
    fact, number, moment = found.leg.after + 1, 0, found.leg.created_at.timestamp()
    async with aclosing(facts.follow(found.leg.after)) as followed:
        async for each in followed:
            if each.mode == "step.retry":
                await _remember(facts, events, each)
            fact, number, moment = each.seq, 0, each.time
            for event in events.of(each):
                number += 1
                yield Place(run, fact, number), moment, event
    for event in events.end(await _now(client, found)):
        number += 1
        yield Place(run, fact, number), moment, event


async def _remember(facts: LegEvents, events: RunEvents, retry: Event) -> None:
    """Read the words of an earlier leg that are void now."""
    async with aclosing(facts.before(retry.data["void_from"])) as earlier:
        async for each in earlier:
            events.remember(each)


async def _now(client: AsyncClient, found: FoundLeg) -> FoundLeg | None:
    try:
        return await find_leg(client, found.leg.leg_id)
    except RunNotFoundError:  # it was rolled back, or deleted
        return None


async def _number(client: AsyncClient, found: FoundLeg) -> int:
    """Return the number of a run that has begun."""
    run, thread_id = found.run, found.run.thread_id
    tape = Tape(client.plans, thread_id)
    if number := await client.do(tape.number_of(run.run_id)):
        return number
    known = await client.do(begun_runs(client.plans, thread_id))
    order = known[: known.index(run.run_id) + 1] if run.run_id in known else [*known, run.run_id]
    return (await client.do(tape.number(order))).get(run.run_id, 0)


# -- where a reader begins ------------------------------------------------------------------------


class _Begin:
    """Finds out where a reader begins."""

    def __init__(self, call: Call[Any, Any], wanted: EventsBody) -> None:
        self._client = call.client
        self._thread_id = call.path["thread_id"]
        self._news = call.shared.news
        self._wanted = wanted

    async def find(self) -> tuple[str | None, int]:
        """Return the leg that a reader begins with, and the seq behind which.

        No leg stands for the one that is at work, or is to come.
        """
        client, since = self._client, self._wanted.since
        newest = await _newest(client, self._thread_id)
        if since is not None:
            leg_id, is_known = await self._leg_behind(Place.read(since))
            if is_known:  # else the place is of another thread, which had this name
                return leg_id or _id_of(newest), since
        if newest is None or not self._wanted.is_quiet:
            return _id_of(newest), -1
        return await self._quiet(newest), -1

    async def _leg_behind(self, place: Place) -> tuple[str | None, bool]:
        """Return the leg of a place, and whether the thread has come so far.

        If its run is gone, the leg is the first one behind that run; None if there is none yet.
        """
        client, tape = self._client, Tape(self._client.plans, self._thread_id)
        # runs that nobody has followed yet have no numbers, and would be passed over
        await client.do(tape.number(await client.do(begun_runs(client.plans, self._thread_id))))
        number, is_known = place.run, False
        while (found := await client.do(tape.run_at(number))) is not None:
            (run_id, number), is_known = found, True
            leg_id = await _leg_at(client, run_id, place.fact if number == place.run else 0)
            if leg_id is not None:
                return leg_id, True
            number += 1
        return None, is_known

    async def _quiet(self, newest: FoundLeg) -> str | None:
        """Return the leg with which those begin who only want to know how runs stand.

        An end that was there before is none of theirs: Python's client would take it for that of
        the run which it is about to begin. But a short run may be over before its client comes. So
        one that has just ended is told of unless another one begins.
        """
        ended = newest.run.finished_at
        if not newest.is_over or newest.run.asks or ended is None:
            return newest.leg.leg_id
        if datetime.now(UTC) - ended > _JUST:
            return None
        until = time.monotonic() + _HELD_BACK
        while (left := until - time.monotonic()) > 0:
            await self._news.wait(self._thread_id, min(left, _LOOK))
            now = await _newest(self._client, self._thread_id)
            if now is not None and now.leg.leg_id != newest.leg.leg_id:
                return now.leg.leg_id
        return newest.leg.leg_id


def _id_of(found: FoundLeg | None) -> str | None:
    return None if found is None else found.leg.leg_id


async def _leg_at(client: AsyncClient, run_id: str, fact: int) -> str | None:
    """Return the leg of a run in which a fact is; None if the run is gone or was rolled back."""
    try:
        legs = (await newest_leg(client, run_id)).legs
    except RunNotFoundError:
        return None
    if is_rolled_back(legs.run):
        return None
    return next(leg.leg_id for leg in legs.legs if leg.end is None or leg.end >= fact)


async def _newest(client: AsyncClient, thread_id: str) -> FoundLeg | None:
    run_id = await client.do(client.plans.last_run(thread_id))
    if run_id is None:
        return None
    try:
        found = await newest_leg(client, run_id)
    except RunNotFoundError:
        return None
    return None if is_rolled_back(found.run) else found


async def place_of_leg(client: AsyncClient, thread_id: str, found: FoundLeg) -> int:
    """Return the seq behind which a leg begins; where it is yet to begin, that of what is at work.

    So a client that goes on from there gets all of the leg.
    """
    newest = await _newest(client, thread_id)
    if newest is not None and newest.run.run_id != found.run.run_id:
        return await place_of_end(client, newest)
    return Place.behind(await _number(client, found), found.leg.after).seq


async def place_of_end(client: AsyncClient, newest: FoundLeg) -> int:
    """Return the seq of what has come last in a thread."""
    last = await client.do(client.plans.last_seq(newest.run.run_id))
    return Place.behind(await _number(client, newest), last).seq
