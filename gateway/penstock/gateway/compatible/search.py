"""Threads: looked for, and counted."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call
from penstock.gateway.compatible.access import narrowed
from penstock.gateway.compatible.asks import THREADS_SEARCH
from penstock.gateway.compatible.pages import answer_page
from penstock.gateway.compatible.request_model import NoFields
from penstock.gateway.compatible.selection import Step, extracted, read_path, selected
from penstock.gateway.compatible.thread_bodies import CountThreads, SearchThreads
from penstock.gateway.compatible.thread_reading import ReadState, ThreadReader, shown_as
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.runtime.diagnostics.plain import plain
from penstock.runtime.redis.plans.thread_search import EXAMINED
from penstock.runtime.types.thread_record import ThreadQuery, ThreadRecord, contains

_OF_STATE: Final = frozenset({"values", "interrupts", "error", "state_updated_at"})
"""What is shown of a thread that its state says."""


async def search(call: Call[NoFields, SearchThreads]) -> Response:
    """List threads that have a record: those that changed last come first.

    Those that only clients of Penstock and the native API have used have none.
    """
    body, reader = call.body, ThreadReader(call.client)
    paths = {name: read_path(path) for name, path in (body.extract or {}).items()}
    ids = None if body.ids is None else dict.fromkeys(body.ids)
    wanted = ThreadQuery(
        ids, body.status, body.metadata or {}, body.order, body.sort_order != "asc"
    )
    finder = _Finder(reader, call, narrowed(wanted, call.filter), body.values)
    page, total = await finder.page(body.offset, body.limit)
    if not body.select or body.extract or not _OF_STATE.isdisjoint(body.select):
        await finder.read(page)
    shown = [_shown(body, paths, each, finder.states.get(each.thread_id)) for each in page]
    return answer_page(shown, total, body.offset)


async def count(call: Call[NoFields, CountThreads]) -> Response:
    """Count threads that have a record."""
    body, reader = call.body, ThreadReader(call.client)
    query = narrowed(ThreadQuery(status=body.status, metadata=body.metadata or {}), call.filter)
    if not body.values:
        return answer_json(await call.client.do(reader.search.count(query)))
    _, total = await _Finder(reader, call, query, body.values).page(EXAMINED, 1)
    return answer_json(total)


class _Finder:
    """Looks for the threads of one request."""

    def __init__(
        self, reader: ThreadReader, call: Call[Any, Any], query: ThreadQuery, values: Any
    ) -> None:
        self._reader = reader
        self._client = call.client
        self._query = query
        self._values = values
        self.states: dict[str, ReadState] = {}
        """States that were read and may be shown, by thread."""

    async def page(self, offset: int, limit: int) -> tuple[Sequence[ThreadRecord], int]:
        """Return a page, and how many there are, as far as that is known without reading them."""
        search, found = self._reader.search, list[ThreadRecord]()
        walk = await self._client.do(search.walk(self._query))
        is_over = False
        while len(found) <= offset + limit and walk.examined < EXAMINED:
            records = await self._client.do(walk.look())
            if records is None:
                is_over = True
                break
            found += await self._admitted(records)
            self._forget_but(found[offset : offset + limit])
        total = len(found)
        if not is_over and not self._values and search.exact_lists(self._query) is not None:
            total = await self._client.do(search.count(self._query))
        return found[offset : offset + limit], total

    async def read(self, records: Sequence[ThreadRecord]) -> None:
        """Read the states of threads that were not read yet."""
        names = [each.thread_id for each in records if each.thread_id not in self.states]
        states = await self._reader.newest_of(names)
        self.states.update(zip(names, states, strict=True))

    async def _admitted(self, records: Sequence[ThreadRecord]) -> Sequence[ThreadRecord]:
        if not self._values:
            return records
        await self.read(records)
        admitted: list[ThreadRecord] = []
        for each in records:
            if contains(plain(self.states[each.thread_id].values), self._values):
                admitted.append(each)
            await asyncio.sleep(0)  # values may be large: other requests come between them
        return admitted

    def _forget_but(self, shown: Sequence[ThreadRecord]) -> None:
        names = {each.thread_id for each in shown}
        self.states = {name: read for name, read in self.states.items() if name in names}


def _shown(
    body: SearchThreads,
    paths: Mapping[str, Sequence[Step]],
    record: ThreadRecord,
    read: ReadState | None,
) -> dict[str, Any]:
    shown = shown_as(record, read)
    found = selected(shown, body.select)
    if paths:
        found["extracted"] = extracted(shown, paths)
    return found


ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint(
        "POST",
        "/threads/search",
        Role.VIEWER,
        NoFields,
        SearchThreads,
        search,
        has_values=True,
        asks=THREADS_SEARCH,
    ),
    Endpoint(
        "POST",
        "/threads/count",
        Role.VIEWER,
        NoFields,
        CountThreads,
        count,
        has_values=True,
        asks=THREADS_SEARCH,
    ),
)
