"""Which threads and runs are for the user of a request; the others are missing."""

from __future__ import annotations

__all__ = [
    "admitted_legs",
    "admitted_runs",
    "check_leg",
    "check_thread",
    "check_thread_of_path",
    "check_thread_of_run",
    "check_thread_or_run",
    "ensure_thread",
    "is_admitted",
    "is_known",
    "is_own_thread",
    "make_thread",
    "metadata_of_new",
    "narrowed",
    "own_thread",
    "thread_taken",
]

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from penstock.gateway.auth.failures import AuthHandlerError
from penstock.gateway.auth.filters import Filter, both, with_filter
from penstock.gateway.call import Call
from penstock.gateway.compatible.ids import new_id
from penstock.gateway.compatible.legs import FoundLeg
from penstock.gateway.compatible.thread_reading import ThreadReader
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.errors import (
    RunNotFoundError,
    ThreadExistsError,
    ThreadNotFoundError,
)
from penstock.runtime.redis.plans.creation import is_run_id
from penstock.runtime.redis.plans.legs import read_many_legs
from penstock.runtime.types.run import Run
from penstock.runtime.types.thread_record import ThreadQuery, contains

AnyCall = Call[Any, Any]


# -- threads --------------------------------------------------------------------------------------


async def check_thread(client: AsyncClient, thread_id: str, own: Filter) -> None:
    """Refuse a thread that a filter does not admit, as if there was none.

    Raises:
        ThreadNotFoundError: it is missing, or not for the user.
    """
    if not own:
        return
    record = await ThreadReader(client).record(thread_id)
    if not contains(record.metadata, own):
        raise missing_thread(thread_id)


async def is_admitted(client: AsyncClient, thread_id: str, own: Filter) -> bool:
    """Tell whether there is a thread that a filter admits."""
    try:
        await check_thread_or_run(client, thread_id, own)
    except ThreadNotFoundError:
        return False
    return True


async def check_thread_or_run(client: AsyncClient, thread_id: str, own: Filter) -> None:
    """Refuse a thread that a filter does not admit, and such a run without a thread.

    Raises:
        ThreadNotFoundError: it is missing, or not for the user.
    """
    try:
        await check_thread(client, thread_id, own)
    except ThreadNotFoundError:
        if not await _is_own_lone_run(client, thread_id, own):
            raise


async def _is_own_lone_run(client: AsyncClient, run_id: str, own: Filter) -> bool:
    """Tell whether a run without a thread, which is found under its own id, is for a user."""
    is_thread = await client.do(ThreadReader(client).records.find(run_id)) is not None
    if is_thread or not is_run_id(run_id):
        return False
    runs = await client.do(read_many_legs(client.plans, [run_id]))
    found = [FoundLeg(legs, legs.legs[-1]) for legs in runs]
    return any(_is_alone(each) and contains(_metadata(each), own) for each in found)


async def check_thread_of_path(call: AnyCall) -> None:
    """Refuse a thread that is not for the user, if the path names one.

    Raises:
        ThreadNotFoundError: it is missing, or not for the user.
    """
    if "thread_id" in call.path:
        await check_thread_or_run(call.client, call.path["thread_id"], call.filter)


async def check_thread_of_run(call: AnyCall) -> None:
    """Refuse a run on a thread that is not for the user; one that is missing may be made.

    Raises:
        ThreadNotFoundError: the thread is not for the user.
    """
    if "thread_id" not in call.path:
        return
    try:
        await check_thread(call.client, call.path["thread_id"], call.filter)
    except ThreadNotFoundError:
        if call.body.if_not_exists == "reject" or await is_known(
            call.client, call.path["thread_id"]
        ):
            raise


def narrowed(query: ThreadQuery, own: Filter) -> ThreadQuery:
    """Return what is looked for, but among the threads of a user."""
    metadata = both(query.metadata, own)
    if metadata is None:
        return dataclasses.replace(query, ids=())
    return dataclasses.replace(query, metadata=metadata)


async def is_own_thread(call: AnyCall, action: Literal["update", "delete"], thread_id: str) -> bool:
    """Ask for a thread that the path does not name; tells whether it is there, and for the user.

    Raises:
        RequestError: the Auth object refuses.
    """
    own = await call.ask("threads", action, {"thread_id": thread_id})
    try:
        record = await ThreadReader(call.client).record(thread_id)
    except ThreadNotFoundError:
        return False
    return contains(record.metadata, own)


async def make_thread(
    call: AnyCall, thread_id: str, metadata: Mapping[str, Any], ttl: float | None = None
) -> bool:
    """Make a thread that is for the user of a call; tells whether there was none.

    One that has runs and no record is nobody's: its owner is not known.

    Raises:
        ThreadExistsError: there is such a thread, and it is not for the user.
    """
    client, own = call.client, with_filter(metadata, call.filter)
    try:
        await _check_no_run(client, thread_id)
        return await client.do(ThreadReader(client).records.create(thread_id, own, ttl=ttl))
    except ThreadExistsError:
        try:
            await check_thread(client, thread_id, call.filter)
        except ThreadNotFoundError:
            raise thread_taken(thread_id) from None
        return False


def missing_thread(thread_id: str) -> ThreadNotFoundError:
    """Return what a request is refused with that names a thread which is none."""
    return ThreadNotFoundError(f"no thread {thread_id!r}.")


def thread_taken(thread_id: str) -> ThreadExistsError:
    """Return what a thread is refused with whose id another one has."""
    return ThreadExistsError(f"there is a thread {thread_id!r}: give another id.")


async def own_thread(call: AnyCall, thread_id: str | None) -> str | None:
    """Return the thread that a run of a user is to be on, made if it is missing; None for none.

    Raises:
        RequestError: the Auth object refuses a new thread.
        ThreadNotFoundError: the thread is not for the user.
    """
    if call.body.if_not_exists == "reject" and thread_id is not None:
        return thread_id
    if thread_id is None and call.body.on_completion == "delete":
        return None
    thread_id = thread_id or new_id()
    await ensure_thread(call, thread_id)
    return thread_id


async def ensure_thread(call: AnyCall, thread_id: str) -> None:
    """Make the thread of a new run, for its user, if there is none.

    Raises:
        RequestError: the Auth object refuses a new thread.
        ThreadNotFoundError: the thread is not for the user.
    """
    if not await is_known(call.client, thread_id):
        metadata = await metadata_of_new(call, thread_id, {})
        try:
            await make_thread(call, thread_id, metadata)
        except ThreadExistsError:  # made meanwhile, for somebody else
            raise missing_thread(thread_id) from None


async def metadata_of_new(
    call: AnyCall, thread_id: str, metadata: Mapping[str, Any]
) -> dict[str, Any]:
    """Ask for a thread that comes with something else; returns its metadata.

    Raises:
        RequestError: the Auth object refuses.
    """
    value: dict[str, Any] = {
        "thread_id": thread_id,
        "metadata": dict(metadata),
        "if_exists": "raise",
    }
    own = await call.ask("threads", "create", value)
    changed: Any = value.get("metadata") or {}
    if not isinstance(changed, Mapping):
        raise AuthHandlerError(f"the handler of threads.create made the metadata {changed!r}.")
    return with_filter(cast("Mapping[str, Any]", changed), own)


async def is_known(client: AsyncClient, thread_id: str) -> bool:
    """Tell whether there is a thread, or a run without one, of an id."""
    try:
        await _check_no_run(client, thread_id)
        await ThreadReader(client).record(thread_id)
    except ThreadExistsError:
        return True
    except ThreadNotFoundError:
        return False
    return True


async def _check_no_run(client: AsyncClient, thread_id: str) -> None:
    """Refuse the id of a run: one without a thread is found under its own id."""
    try:
        await client.do(client.plans.info(thread_id))
    except RunNotFoundError:
        return
    raise thread_taken(thread_id)


# -- runs -----------------------------------------------------------------------------------------


async def admitted_legs(
    client: AsyncClient, legs: Sequence[FoundLeg], own: Filter
) -> list[FoundLeg]:
    """Return the legs that are for a user: by their thread, or without one by their run."""
    if not own:
        return list(legs)
    reader = ThreadReader(client)
    names = list(dict.fromkeys(each.run.thread_id for each in legs if not _is_alone(each)))
    records = await client.do(reader.records.read(names))
    admitted = {each.thread_id for each in records if each and contains(each.metadata, own)}
    return [
        each
        for each in legs
        if (contains(_metadata(each), own) if _is_alone(each) else each.run.thread_id in admitted)
    ]


async def admitted_runs(client: AsyncClient, runs: Sequence[Run], own: Filter) -> Sequence[Run]:
    """Return the runs that are for a user."""
    if not own or not runs:
        return runs
    legs = await client.do(read_many_legs(client.plans, [run.run_id for run in runs]))
    found = await admitted_legs(client, [FoundLeg(each, each.legs[-1]) for each in legs], own)
    admitted = {each.run.run_id for each in found}
    return [run for run in runs if run.run_id in admitted]


async def check_leg(call: AnyCall, found: FoundLeg, own: Filter) -> None:
    """Refuse a run that is not for the user, as if there was none.

    Raises:
        RunNotFoundError: it is not for the user.
    """
    if not await admitted_legs(call.client, [found], own):
        thread_id = call.path.get("thread_id")
        where = "" if thread_id is None else f" on thread {thread_id!r}"
        raise RunNotFoundError(found.leg.leg_id, f"no run {found.leg.leg_id!r}{where}.")


def _is_alone(found: FoundLeg) -> bool:
    return found.run.thread_id == found.run.run_id


def _metadata(found: FoundLeg) -> Mapping[str, Any]:
    return found.legs.config.get("metadata") or {}
