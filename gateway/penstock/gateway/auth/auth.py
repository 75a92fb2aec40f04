"""`Auth`: functions of an app that say who sends a request, and what is theirs."""

from __future__ import annotations

__all__ = ["Auth"]

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final, TypeAlias, TypeVar, overload

from penstock.gateway.auth import exceptions

Handler: TypeAlias = Callable[..., Awaitable[Any]]

H = TypeVar("H", bound=Handler)
A = TypeVar("A", bound=Callable[..., Any])

ANY: Final = "*"
"""Stands for all resources, or all actions."""

_CHANGES: Final = ("create", "read", "update", "delete", "search")

ACTIONS: Final = {
    "assistants": _CHANGES,
    "threads": (*_CHANGES, "create_run"),
    "crons": _CHANGES,
    "store": ("put", "get", "search", "delete", "list_namespaces"),
}
"""The actions of each resource."""


class Auth:
    """Functions that say who sends a request, and what they may do; as `langgraph_sdk.Auth` is."""

    exceptions: ClassVar = exceptions

    def __init__(self) -> None:
        self._handlers: dict[tuple[str, str], list[Handler]] = {}
        self._global_handlers: list[Handler] = []
        self._authenticate_handler: Callable[..., Any] | None = None
        self.on = On(self._add)

    def authenticate(self, function: A) -> A:
        """Have a function say who sends a request.

        Its parameters, by their names: `request`, `path`, `method`, `path_params`, `query_params`,
        `headers`, `authorization`. It returns an identity, or a mapping or an object that has one.

        Raises:
            ValueError: there is one already.
        """
        if self._authenticate_handler is not None:
            raise ValueError("this Auth has a function for authenticate: it can have only one.")
        self._authenticate_handler = function
        return function

    def _add(self, resource: str, action: str, handler: Handler) -> None:
        _check(handler)
        if (resource, action) == (ANY, ANY):
            if self._global_handlers:
                raise ValueError("this Auth has a handler for everything: it can have only one.")
            self._global_handlers.append(handler)
            return
        if (resource, action) in self._handlers:
            raise ValueError(f"this Auth has a handler for {resource}.{action}: one is all it may.")
        self._handlers[resource, action] = [handler]


Adding: TypeAlias = Callable[[str, str, Handler], None]


class ActionOn:
    """Registers the handler of one action."""

    def __init__(self, add: Adding, resource: str, action: str) -> None:
        self._add, self._resource, self._action = add, resource, action

    def __call__(self, handler: H) -> H:
        """Register a handler."""
        self._add(self._resource, self._action, handler)
        return handler


class ResourceOn:
    """Registers handlers of one resource."""

    def __init__(self, add: Adding, resource: str) -> None:
        self._add, self._resource = add, resource

    def __getattr__(self, action: str) -> ActionOn:
        """Return what registers the handler of one action, as in `auth.on.threads.create`."""
        if action not in ACTIONS[self._resource]:
            raise AttributeError(f"{self._resource!r} has no action {action!r}.")
        return ActionOn(self._add, self._resource, action)

    @overload
    def __call__(self, handler: H) -> H: ...
    @overload
    def __call__(self, *, actions: str | Sequence[str] | None = None) -> Callable[[H], H]: ...
    def __call__(
        self, handler: H | None = None, *, actions: str | Sequence[str] | None = None
    ) -> H | Callable[[H], H]:
        """Register a handler of all actions, or of some."""
        return _registered(self._add, (self._resource,), _several(actions), handler)


class On:
    """Registers handlers; the one that is the most specific for a request is asked, alone."""

    def __init__(self, add: Adding) -> None:
        self._add = add
        self.assistants = ResourceOn(add, "assistants")
        self.threads = ResourceOn(add, "threads")
        self.crons = ResourceOn(add, "crons")
        self.store = ResourceOn(add, "store")

    @overload
    def __call__(self, handler: H) -> H: ...
    @overload
    def __call__(
        self,
        *,
        resources: str | Sequence[str] | None = None,
        actions: str | Sequence[str] | None = None,
    ) -> Callable[[H], H]: ...
    def __call__(
        self,
        handler: H | None = None,
        *,
        resources: str | Sequence[str] | None = None,
        actions: str | Sequence[str] | None = None,
    ) -> H | Callable[[H], H]:
        """Register a handler of everything, or of some resources and actions."""
        return _registered(self._add, _several(resources), _several(actions), handler)


def _several(names: str | Sequence[str] | None) -> Sequence[str]:
    if names is None:
        return (ANY,)
    return (names,) if isinstance(names, str) else names


def _registered(
    add: Adding, resources: Sequence[str], actions: Sequence[str], handler: H | None
) -> H | Callable[[H], H]:
    def register(handler: H) -> H:
        for resource in resources:
            for action in actions:
                add(resource, action, handler)
        return handler

    return register if handler is None else register(handler)


def _check(handler: Handler) -> None:
    name = getattr(handler, "__name__", repr(handler))
    if not inspect.iscoroutinefunction(handler):
        raise ValueError(f"{name} is to be asked by a gateway: write it with `async def`.")
    if not {"ctx", "value"} <= inspect.signature(handler).parameters.keys():
        raise ValueError(f"{name} needs the parameters `ctx` and `value`.")
