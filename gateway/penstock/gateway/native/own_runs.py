"""Runs that are for the user of a request: the others are left out, or missing."""

from __future__ import annotations

__all__ = ["check_new_run", "check_run", "count_runs", "find_runs", "is_of_another", "read_cursors"]

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Unpack

from penstock.gateway.auth.filters import Filter
from penstock.gateway.auth.user import CONFIGURABLE, User
from penstock.gateway.compatible.access import (
    admitted_legs,
    admitted_runs,
    check_thread,
    is_known,
)
from penstock.gateway.compatible.legs import newest_leg
from penstock.gateway.errors import RequestError
from penstock.gateway.keys import GatewayKeys
from penstock.gateway.sealed_text import sealed, unsealed
from penstock.gateway.session_secret import read_secret
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.errors import RunNotFoundError
from penstock.runtime.redis.plans.legs import read_legs
from penstock.runtime.redis.plans.requests import missing_run, run_id_taken
from penstock.runtime.redis.plans.search import value_of
from penstock.runtime.types.run import Run
from penstock.runtime.types.run_filter import RunPage, StatusQuery

EXAMINED: Final = 10_000
"""Runs that one page looks at, at most: it may come out short, and its cursor leads on."""

_AT_ONCE: Final = 500

_PURPOSE: Final = "cursor"


@dataclass(frozen=True, slots=True)
class Cursors:
    """Cursors of lists that leave something out, which they tell nothing of."""

    _secret: bytes

    def sealed(self, cursor: str | None) -> str | None:
        """Return what is sent of a cursor."""
        return None if cursor is None else sealed(cursor, self._secret, _PURPOSE)

    def opened(self, given: str | None) -> str | None:
        """Return the cursor that was sent.

        Raises:
            RequestError: 422, it was not.
        """
        found = None if given is None else unsealed(given, self._secret, _PURPOSE)
        if given is not None and found is None:
            raise RequestError(422, "after is the cursor of a page: pass the one that it had.")
        return found


async def read_cursors(client: AsyncClient) -> Cursors:
    """Return what writes and reads cursors."""
    return Cursors(await client.do(read_secret(GatewayKeys(client.settings.prefix))))


async def find_runs(
    client: AsyncClient,
    own: Filter,
    limit: int,
    after: str | None = None,
    **query: Unpack[StatusQuery],
) -> RunPage:
    """List the runs that are for a user, as `AsyncClient.runs` lists all.

    The cursors of those who do not see all runs tell nothing of the others.

    Raises:
        RequestError: `after` is not the cursor of such a page.
    """
    if not own:
        return await client.runs(limit=limit, after=after, **query)
    cursors = await read_cursors(client)
    after = cursors.opened(after)
    found: list[Run] = []
    examined, size = 0, limit
    while True:
        page = await client.runs(limit=size, after=after, **query)
        admitted, room = await admitted_runs(client, page, own), limit - len(found)
        if len(admitted) > room:  # read again up to the last that has room: the cursor is behind it
            size = 1 + page.index(admitted[room - 1])
            continue
        found += admitted
        # One that comes out short has itself looked at as many as a page may.
        examined += EXAMINED if len(page) < size else size
        after = page.after
        if after is None or len(found) >= limit or examined >= EXAMINED:
            return RunPage(found, cursors.sealed(after))
        size = max(limit - len(found), min(2 * size, _AT_ONCE))


async def count_runs(
    client: AsyncClient, own: Filter, by: str, **query: Unpack[StatusQuery]
) -> dict[str, int]:
    """Count the runs that are for a user, as `AsyncClient.counts` counts all."""
    if not own:
        return await client.counts(by, **query)
    of, counted = value_of(by), Counter[str]()
    after: str | None = None
    while True:
        page = await client.runs(limit=_AT_ONCE, after=after, **query)
        counted.update(of(run) for run in await admitted_runs(client, page, own))
        after = page.after
        if after is None:
            return dict(sorted(counted.items(), key=lambda each: (-each[1], each[0])))


async def check_run(client: AsyncClient, run_id: str, own: Filter) -> None:
    """Refuse a run that is not for a user, as if there was none.

    Raises:
        RunNotFoundError: it is missing, or not for the user.
    """
    if own and not await admitted_legs(client, [await newest_leg(client, run_id)], own):
        raise missing_run(run_id)


async def check_new_run(
    client: AsyncClient, run_id: str | None, thread_id: str | None, own: Filter
) -> None:
    """Refuse a new run whose ids are of a run or a thread that is not for its user.

    Raises:
        ThreadNotFoundError: the thread is not for the user.
        RunConflictError: the id of the run is taken.
    """
    if thread_id is not None and await is_known(client, thread_id):
        await check_thread(client, thread_id, own)
    if run_id is None or not own:
        return
    try:
        await check_run(client, run_id, own)
    except RunNotFoundError:
        if await is_known(client, run_id):
            raise run_id_taken(run_id) from None


async def is_of_another(client: AsyncClient, run_id: str, user: User) -> bool:
    """Tell whether a run was begun by another user, in whose name it is executed."""
    legs = await client.do(read_legs(client.plans, run_id))
    told: Mapping[str, Any] = legs.config.get("configurable") or {}
    return bool(told.get(CONFIGURABLE[1], user.identity) != user.identity)
