"""What routes about runs and all the world ask the Auth object, and about what."""

from __future__ import annotations

__all__ = [
    "AGAIN_ALL",
    "ALL_CHANGES",
    "ALL_RUNS",
    "BULK_CHANGE",
    "ENQUEUE",
    "FIND_RUNS",
    "READ_ENTRYPOINT",
    "RUN_AGAIN",
    "RUN_CHANGE",
    "RUN_READ",
    "THREAD_ANSWER",
    "AsksAll",
]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from penstock.gateway.auth.failures import AuthHandlerError
from penstock.gateway.auth.filters import Filter
from penstock.gateway.call import Call
from penstock.gateway.compatible.access import check_thread_of_path
from penstock.gateway.compatible.asks import Asks
from penstock.gateway.errors import RequestError
from penstock.gateway.native.own_runs import check_new_run, check_run

AnyCall = Call[Any, Any]

ALL: Final = "this is about the things of all users: it is for those whose handlers filter nothing."

_ON_BUSY: Final = {"queue": "enqueue"}


class _AsksSearch(Asks):
    """Asks for a search, which a handler may narrow by metadata, as it may LangGraph's."""

    def value(self, call: AnyCall) -> dict[str, Any]:
        """Return what is looked for."""
        return {**Asks.value(self, call), "metadata": {}}

    def narrowed(self, call: AnyCall, value: Mapping[str, Any], own: Filter) -> Filter:
        """Return the filter, with the metadata that the handler wants.

        Raises:
            AuthHandlerError: the handler wants what this search cannot look for.
        """
        wanted: Any = value.get("metadata") or {}
        more = value.keys() - self.value(call).keys()
        if more or not isinstance(wanted, Mapping):
            raise AuthHandlerError(
                f"the handler of {self.name} narrows by {sorted(more) or wanted!r}: a filter or "
                "metadata is what runs can be looked for by."
            )
        return {**cast("Mapping[str, Any]", wanted), **own}


async def _check_run_of_path(call: AnyCall) -> None:
    await check_run(call.client, call.path["run_id"], call.filter)


async def _check_new(call: AnyCall) -> None:
    await check_new_run(call.client, call.body.run_id, call.body.thread_id, call.filter)


class _AsksEntrypoint(Asks):
    """Asks for an entrypoint, which LangGraph's handlers know as the assistant of its name."""

    def value(self, call: AnyCall) -> dict[str, Any]:
        """Return its name."""
        return {"assistant_id": call.path["name"], "metadata": {}}


class _AsksRun(Asks):
    """Asks for a run of the path, that handlers see with the names of LangGraph."""

    def value(self, call: AnyCall) -> dict[str, Any]:
        """Return the run, with what it is given as its `kwargs`."""
        given = {**call.query.model_dump(), **call.body.model_dump(exclude_unset=True)}
        return {"thread_id": None, "metadata": {}, **call.path, "kwargs": given}

    def fields(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of the body."""
        return _kwargs(self.name, value)


class _AsksCancel(_AsksRun):
    """Asks for a run to be cancelled."""

    def value(self, call: AnyCall) -> dict[str, Any]:
        """Return the run, and what is done with it."""
        return {**_AsksRun.value(self, call), "action": "interrupt"}


class _AsksNewRun(Asks):
    """Asks for a new run, which handlers see as LangGraph's do."""

    def value(self, call: AnyCall) -> dict[str, Any]:
        """Return the run, with what it is given as its `kwargs`."""
        given = call.body.model_dump()
        config: Mapping[str, Any] = given.get("config") or {}
        on_busy = given.pop("on_busy")
        return {
            "run_id": given.pop("run_id"),
            "thread_id": given.pop("thread_id"),
            "assistant_id": given.pop("entrypoint"),
            "metadata": dict(config.get("metadata") or {}),
            "multitask_strategy": _ON_BUSY.get(on_busy, on_busy),
            "prevent_insert_if_inflight": on_busy == "reject",
            "if_not_exists": "create",
            "status": "pending",
            "kwargs": given,
        }

    def fields(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of the body."""
        kwargs = _kwargs(self.name, value)
        config: Any = kwargs.get("config") or {}
        on_busy: Any = value.get("multitask_strategy", "enqueue")
        return {
            **kwargs,
            "entrypoint": value.get("assistant_id"),
            "run_id": value.get("run_id"),
            "thread_id": value.get("thread_id"),
            "on_busy": "queue" if on_busy == "enqueue" else on_busy,
            "config": {**config, "metadata": value.get("metadata") or {}},
        }


def _kwargs(asked: str, value: Mapping[str, Any]) -> dict[str, Any]:
    kwargs: Any = value.get("kwargs")
    if not isinstance(kwargs, Mapping):
        raise AuthHandlerError(f"the handler of {asked} took `kwargs` away.")
    return dict(cast("Mapping[str, Any]", kwargs))


@dataclass(frozen=True, slots=True, eq=False)
class AsksAll:
    """Asks whether everything is for a user: of lists, counts and changes that nobody can filter.

    Whoever has a filter for one of the actions, or would narrow it, is refused.
    """

    actions: Callable[[AnyCall], Sequence[str]]
    name: str
    """The actions, as the reference has them."""

    async def __call__(self, call: AnyCall) -> AnyCall:
        """Ask for each action.

        Raises:
            RequestError: a handler refuses, or admits a part of all only.
        """
        for action in self.actions(call):
            value: dict[str, Any] = {"metadata": {}}
            if await call.ask("threads", action, value) or value != {"metadata": {}}:
                raise RequestError(403, ALL)
        return call


_READS: Final = ("search", "read")

_OF_BULK: Final = {
    "cancel": "update",
    "unpin": "update",
    "delete": "delete",
    "resume": "create_run",
    "rerun": "create_run",
    "fork": "create_run",
}
"""What a change of many runs is, as handlers know it."""


def bulk_actions(call: AnyCall) -> Sequence[str]:
    """Return what is asked for before many runs are changed."""
    return (*_READS, _OF_BULK[call.body.action])


ALL_RUNS: Final = AsksAll(lambda call: _READS, "threads.search and threads.read")
ALL_CHANGES: Final = AsksAll(
    lambda call: (*_READS, "update"), "threads.search, threads.read and threads.update"
)
AGAIN_ALL: Final = AsksAll(
    lambda call: (*_READS, "create_run"), "threads.search, threads.read and threads.create_run"
)
BULK_CHANGE: Final = AsksAll(
    bulk_actions,
    "threads.search, threads.read and threads.update, threads.delete or threads.create_run",
)

FIND_RUNS: Final = _AsksSearch("threads", "search")
READ_ENTRYPOINT: Final = _AsksEntrypoint("assistants", "read")
RUN_READ: Final = Asks("threads", "read", _check_run_of_path)
RUN_CHANGE: Final = _AsksCancel("threads", "update", _check_run_of_path)
RUN_AGAIN: Final = _AsksRun("threads", "create_run", _check_run_of_path)
THREAD_ANSWER: Final = _AsksRun("threads", "create_run", check_thread_of_path)
ENQUEUE: Final = _AsksNewRun("threads", "create_run", _check_new)
