"""Many runs: find them, count them, group their failures, do the same to all."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call, Empty
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.gateway.errors import RequestError
from penstock.gateway.json_text import json_text
from penstock.gateway.native.asks import ALL_RUNS, BULK_CHANGE, FIND_RUNS
from penstock.gateway.native.models import BulkBody, CountQuery, FailuresQuery, RunsQuery
from penstock.gateway.native.own_runs import count_runs, find_runs
from penstock.gateway.redaction import redacted_group, redacted_run
from penstock.runtime.types.bulk import BulkProgress


async def runs(call: Call[RunsQuery, Empty]) -> Response:
    """List runs: first the open ones, then by their end, newest first; page by page."""
    query = call.query
    page = await find_runs(call.client, call.filter, query.limit, query.after, **query.filters())
    shown = list(page) if call.sees_values else [redacted_run(run) for run in page]
    return answer_json({"runs": shown, "after": page.after})


async def counts(call: Call[CountQuery, Empty]) -> Response:
    """Count runs by status, entrypoint, queue or tag."""
    query = call.query
    return answer_json(await count_runs(call.client, call.filter, query.by, **query.filters()))


async def failures(call: Call[FailuresQuery, Empty]) -> Response:
    """List the groups of failures, the one that grew last first."""
    found = await call.client.failures(call.query.limit, cause=call.query.cause)
    shown = found if call.sees_values else [redacted_group(group) for group in found]
    return answer_json({"failures": shown})


async def bulk(call: Call[Empty, BulkBody]) -> Response:
    """Do the same to all runs that pass filters; answers with a line of JSON for each progress.

    It ends if the client leaves, and may be repeated: no run is changed twice. With `detach` a
    worker does it, and the answer names the run that it is.
    """
    body = call.body
    if body.action == "delete" and not call.identity.role.may(Role.ADMIN):
        raise RequestError(403, f"{call.identity.name!r} may not delete: this needs an admin.")
    steps: Any = {"accept": body.accept, "forget": body.forget, "after_step": body.after_step}
    if body.detach:
        steps["worker_queue"] = body.worker_queue
        run = await call.client.start_bulk(
            body.action, rate=body.rate, all=body.all, **steps, **body.filters()
        )
        return answer_json({"run_id": run.run_id})
    progress = call.client.bulk(
        body.action, rate=body.rate, dry_run=body.dry_run, all=body.all, **steps, **body.filters()
    )
    return StreamingResponse(_lines(progress), media_type="application/x-ndjson")


async def _lines(steps: AsyncGenerator[BulkProgress]) -> AsyncIterator[str]:
    async with aclosing(steps):
        async for progress in steps:
            yield json_text(progress) + "\n"


ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint("GET", "/api/runs", Role.VIEWER, RunsQuery, Empty, runs, asks=FIND_RUNS),
    Endpoint("GET", "/api/counts", Role.VIEWER, CountQuery, Empty, counts, asks=FIND_RUNS),
    Endpoint("GET", "/api/failures", Role.VIEWER, FailuresQuery, Empty, failures, asks=ALL_RUNS),
    Endpoint("POST", "/api/bulk", Role.OPERATOR, Empty, BulkBody, bulk, asks=BULK_CHANGE),
)
