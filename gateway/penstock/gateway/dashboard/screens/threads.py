"""Threads: which there are; what one is at, how it came there, and what is done with it."""

from __future__ import annotations

__all__ = ["SCREENS"]

import asyncio
from collections.abc import Sequence
from typing import Final, TypeAlias
from urllib.parse import quote

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.compatible.asks import THREADS_DELETE, THREADS_READ
from penstock.gateway.dashboard.actions import refusal_of
from penstock.gateway.dashboard.run_rows import read_rows
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.state_changes import MOST, Change, state_changes
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.errors import RequestError, status_of
from penstock.gateway.native.asks import FIND_RUNS
from penstock.gateway.native.copy_thread import copy_own
from penstock.gateway.native.own_runs import read_cursors
from penstock.publisher.errors import PenstockError
from penstock.runtime.redis.plans.thread_page import ThreadPage, read_thread_page
from penstock.runtime.redis.plans.thread_records import ThreadRecords
from penstock.runtime.types.run import Run
from penstock.runtime.types.state import StateSnapshot, checkpoint_id_of
from penstock.runtime.types.thread_record import ThreadRecord, ThreadStatus, contains

LISTED: Final = 50
"""Threads of a page."""

NEWEST: Final = 100
"""Runs whose threads are shown though they have no record."""

PAGES: Final = 100
"""Pages that are looked through for the threads of one visitor."""

PAGE: Final = 20
"""Checkpoints, and runs, of the page of a thread."""

_Compared: TypeAlias = tuple[str, StateSnapshot, list[Change] | None]

COPY: Final = Role.OPERATOR
DELETE: Final = Role.ADMIN


async def threads(visit: Visit) -> Response:
    """List threads, those that changed last first."""
    after = visit.query.get("after")
    status = _status(visit)
    records = _records(visit)
    page = await _page(visit, records, after, status)
    others = [] if after or status or visit.filter else await _without_record(visit, records)
    return visit.page(
        "threads",
        page=page,
        others=others,
        wanted=status,
        statuses=list(ThreadStatus),
        is_first=after is None,
    )


async def _page(
    visit: Visit, records: ThreadRecords, after: str | None, status: ThreadStatus | None
) -> ThreadPage:
    """Read the threads of a page that are for the visitor."""
    own, client = visit.filter, visit.client
    if not own:
        return await client.do(read_thread_page(records, after, LISTED, status))
    cursors = await read_cursors(client)
    after = cursors.opened(after)
    found: list[ThreadRecord] = []
    for _ in range(PAGES):
        page = await client.do(read_thread_page(records, after, LISTED - len(found), status))
        found += [each for each in page.threads if contains(each.metadata, own)]
        after = page.after
        if after is None or len(found) >= LISTED:
            break
    return ThreadPage(found, cursors.sealed(after))


def _status(visit: Visit) -> ThreadStatus | None:
    given = visit.query.get("status")
    if given is None:
        return None
    try:
        return ThreadStatus(given)
    except ValueError:
        known = ", ".join(ThreadStatus)
        raise RequestError(422, f"no thread is {given!r}; threads are {known}.") from None


def _records(visit: Visit) -> ThreadRecords:
    client = visit.client
    return ThreadRecords(client.plans.keys, client.plans.codec, client.settings)


async def _without_record(visit: Visit, records: ThreadRecords) -> list[Run]:
    """Return the newest run of each thread that has a name and no record, of the newest runs."""
    found: dict[str, Run] = {}
    for run in await visit.client.runs(limit=NEWEST):
        if run.thread_id != run.run_id:
            found.setdefault(run.thread_id, run)
    known = await visit.client.do(records.read(list(found)))
    return [run for run, record in zip(found.values(), known, strict=True) if record is None]


async def thread(visit: Visit) -> Response:
    """Show a thread: its state, its history, its runs."""
    return await _show(visit)


async def copy(visit: Visit) -> Response:
    """Copy a thread, with its history, under another name."""
    name, target = visit.path["thread_id"], visit.form.get("target", "").strip()
    try:
        if not target:
            raise RequestError(422, "the copy needs a name of its own.")
        if visit.user is not None:
            await copy_own(visit.call(), name, target)
        else:
            await visit.client.thread(name).copy(target)
            await _copy_record(visit, name, target)
    except PenstockError as error:
        return await _refused(visit, error)
    return visit.go(f"/threads/{quote(target)}")


async def _copy_record(visit: Visit, name: str, target: str) -> None:
    records = _records(visit)
    record = await visit.client.do(records.find(name))
    if record is not None:
        made = records.create(target, record.metadata, if_exists="do_nothing", ttl=record.ttl)
        await visit.client.do(made)


async def delete(visit: Visit) -> Response:
    """Delete a thread, with its history and its runs."""
    try:
        await visit.client.thread(visit.path["thread_id"]).delete()
    except PenstockError as error:
        return await _refused(visit, error)
    return visit.go("/threads")


async def _refused(visit: Visit, error: PenstockError) -> Response:
    if status_of(error) is None:
        raise error
    return await _show(visit, error)


async def _show(visit: Visit, refused: PenstockError | None = None) -> Response:
    name, client = visit.path["thread_id"], visit.client
    found = client.thread(name)
    before = visit.query.get("before")
    read = [each async for each in found.history(before=before, limit=PAGE + 1)]
    states = read[:PAGE]
    runs, record = await asyncio.gather(
        client.runs(thread=name, limit=PAGE), client.do(_records(visit).find(name))
    )
    if not states and not runs and record is None:
        raise RequestError(404, f"there is no thread {name!r}, or it is no longer kept.")
    return visit.page(
        "thread",
        200 if refused is None else status_of(refused) or 500,
        error="" if refused is None else str(refused),
        thread_id=name,
        record=record,
        state=await found.state(),
        states=_compared(read, visit.sees_values)[:PAGE],
        most_changes=MOST,
        before=checkpoint_id_of(states[-1]) if len(read) > PAGE else "",
        rows=await read_rows(visit, runs),
        is_first=before is None,
        refusals={
            "copy": refusal_of(visit.identity, COPY),
            "delete": refusal_of(visit.identity, DELETE),
        },
        target=visit.form.get("target", ""),
    )


def _compared(states: Sequence[StateSnapshot], are_seen: bool) -> list[_Compared]:
    """Give each state its id and what changed since the one that it was made of, if that is known.

    A state that was updated elsewhere than at the end was not made of the one below it. Nothing is
    compared of values that are not seen.
    """
    if not are_seen:
        return [(checkpoint_id_of(state), state, None) for state in states]
    known = {checkpoint_id_of(each): each for each in states}
    found: list[_Compared] = []
    belows: Sequence[StateSnapshot | None] = (*states[1:], None)
    for state, below in zip(states, belows, strict=False):
        before = known.get(checkpoint_id_of(state.parent_config or {}), below)
        changes = None if before is None else state_changes(before.values, state.values)
        found.append((checkpoint_id_of(state), state, changes))
    return found


_THREAD: Final = "/threads/{thread_id:path}"

SCREENS: Final[Sequence[Screen]] = (
    Screen("GET", "/threads", Role.VIEWER, threads, FIND_RUNS),
    Screen("POST", f"{_THREAD}/copy", COPY, copy, THREADS_READ),
    Screen("POST", f"{_THREAD}/delete", DELETE, delete, THREADS_DELETE),
    Screen("GET", _THREAD, Role.VIEWER, thread, THREADS_READ),
)
