"""What each route asks the Auth object, and about what; what a handler changes is what is done."""

from __future__ import annotations

__all__ = [
    "ASSISTANTS_CREATE",
    "ASSISTANTS_DELETE",
    "ASSISTANTS_READ",
    "ASSISTANTS_SEARCH",
    "ASSISTANTS_UPDATE",
    "STORE_DELETE",
    "STORE_GET",
    "STORE_LIST_NAMESPACES",
    "STORE_PUT",
    "STORE_SEARCH",
    "THREADS_CREATE",
    "THREADS_CREATE_RUN",
    "THREADS_DELETE",
    "THREADS_READ",
    "THREADS_SEARCH",
    "THREADS_UPDATE",
    "Asks",
    "asks_each",
]

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, ValidationError

from penstock.gateway.auth.failures import AuthHandlerError
from penstock.gateway.auth.filters import Filter
from penstock.gateway.call import Call
from penstock.gateway.compatible.access import check_thread_of_path, check_thread_of_run
from penstock.gateway.compatible.assistant_access import check_assistant, check_made_assistant
from penstock.gateway.compatible.ids import new_id

M = TypeVar("M", bound=BaseModel)

Check = Callable[[Call[Any, Any]], Awaitable[None]]

_RUN: Final = ("assistant_id", "metadata", "multitask_strategy", "if_not_exists", "after_seconds")
"""What handlers see of a new run beside its `kwargs`, as LangGraph's do."""

_LOOKS: Final = ("read", "search")
"""The actions whose metadata is looked for, not kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Asks:
    """Asks for an action; afterwards the call has the filter, and what it is about was checked."""

    resource: str
    action: str
    check: Check | None = None
    """Refuses things that are not for the user as if they were missing."""
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    """Fields that handlers know by another name."""

    @property
    def name(self) -> str:
        """The action, with its resource."""
        return f"{self.resource}.{self.action}"

    async def __call__(self, call: Call[Any, Any]) -> Call[Any, Any]:
        """Ask.

        Raises:
            RequestError: the handler refuses.
            AuthHandlerError: the handler failed.
        """
        if call.user is None:
            return call
        value = self.value(call)
        own = await call.ask(self.resource, self.action, value)
        if self.action in _LOOKS:
            _leave_to_filter(value, self.value(call), own)
        if value != self.value(call):
            call = self._changed(call, value)
        own = self.narrowed(call, value, own)
        call = dataclasses.replace(call, filter=own)
        if self.check is not None and own:
            await self.check(call)
        return call

    def narrowed(self, call: Call[Any, Any], value: Mapping[str, Any], own: Filter) -> Filter:
        """Return the filter of a call, after the handler was given `value`."""
        return own

    def value(self, call: Call[Any, Any]) -> dict[str, Any]:
        """Return what the handler is given, to see and to change."""
        given = {**call.query.model_dump(), **call.body.model_dump()}
        value = {self.names.get(name, name): given[name] for name in given}
        if "namespace" in value:
            value["namespace"] = tuple(value["namespace"] or ())
        if "metadata" in value:
            value["metadata"] = value["metadata"] or {}
        return {**value, **call.path}

    def fields(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a query or a body that a value is of."""
        own = {shown: name for name, shown in self.names.items()}
        return {own.get(name, name): value[name] for name in value}

    def _changed(self, call: Call[Any, Any], value: Mapping[str, Any]) -> Call[Any, Any]:
        fields = self.fields(value)
        return dataclasses.replace(
            call, query=self._read(call.query, fields), body=self._read(call.body, fields)
        )

    def _read(self, before: M, fields: Mapping[str, Any]) -> M:
        model = type(before)
        try:
            return model.model_validate(
                {name: fields[name] for name in model.model_fields if name in fields}
            )
        except ValidationError as error:
            raise AuthHandlerError(
                f"the handler of {self.name} changed its value to what no "
                f"request could have: {error}"
            ) from error


def _leave_to_filter(value: dict[str, Any], before: Mapping[str, Any], own: Filter) -> None:
    """Take out of the metadata looked for what a handler has put there, and its filter says too.

    Handlers write the same owner into all metadata; but the filter knows what is for everybody.
    """
    metadata: Any = value.get("metadata")
    if not isinstance(metadata, Mapping):
        return
    left: Mapping[str, Any] = before.get("metadata") or {}
    given = cast("Mapping[str, Any]", metadata)
    kept = {name: given[name] for name in given if name not in own}
    value["metadata"] = kept | {name: left[name] for name in own if name in left}


class _AsksNewRun(Asks):
    """Asks for a new run, which handlers see as LangGraph's do."""

    def value(self, call: Call[Any, Any]) -> dict[str, Any]:
        """Return the run, with what it is given as its `kwargs`."""
        given = call.body.model_dump()
        given.pop("thread_id", None)
        return {
            **{name: given.pop(name) for name in _RUN},
            "thread_id": call.path.get("thread_id"),
            "run_id": None,
            "status": "pending",
            "prevent_insert_if_inflight": call.body.multitask_strategy == "reject",
            "kwargs": given,
        }

    def fields(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of the body."""
        kwargs: Any = value.get("kwargs")
        if not isinstance(kwargs, Mapping):
            raise AuthHandlerError("the handler of threads.create_run took `kwargs` away.")
        own = {name: value[name] for name in _RUN if name in value}
        return {**cast("Mapping[str, Any]", kwargs), **own}


class _AsksNewThread(Asks):
    """Asks for a new thread, which has an id already."""

    async def __call__(self, call: Call[Any, Any]) -> Call[Any, Any]:
        """Ask.

        Raises:
            RequestError: the handler refuses.
            AuthHandlerError: the handler failed.
        """
        named = {"thread_id": call.body.thread_id or new_id()}
        call = dataclasses.replace(call, body=call.body.model_copy(update=named))
        return await Asks.__call__(self, call)


async def asks_each(call: Call[Any, Any]) -> Call[Any, Any]:
    """Leave it to the route, which asks for each of several things."""
    return call


THREADS_CREATE: Final = _AsksNewThread("threads", "create")
THREADS_CREATE_RUN: Final = _AsksNewRun("threads", "create_run", check_thread_of_run)
THREADS_DELETE: Final = Asks("threads", "delete", check_thread_of_path)
THREADS_READ: Final = Asks("threads", "read", check_thread_of_path)
THREADS_SEARCH: Final = Asks("threads", "search")
THREADS_UPDATE: Final = Asks("threads", "update", check_thread_of_path)

ASSISTANTS_CREATE: Final = Asks("assistants", "create")
ASSISTANTS_DELETE: Final = Asks("assistants", "delete", check_made_assistant)
ASSISTANTS_READ: Final = Asks("assistants", "read", check_assistant)
ASSISTANTS_SEARCH: Final = Asks("assistants", "search")
ASSISTANTS_UPDATE: Final = Asks("assistants", "update", check_made_assistant)

STORE_DELETE: Final = Asks("store", "delete")
STORE_GET: Final = Asks("store", "get")
STORE_LIST_NAMESPACES: Final = Asks("store", "list_namespaces", names={"prefix": "namespace"})
STORE_PUT: Final = Asks("store", "put")
STORE_SEARCH: Final = Asks("store", "search", names={"namespace_prefix": "namespace"})
