"""The user that an `Auth` says a request is of."""

from __future__ import annotations

__all__ = ["CONFIGURABLE", "User", "identity_of", "is_of_user", "read_user", "with_user"]

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from penstock.gateway.auth.failures import AuthHandlerError
from penstock.gateway.auth.identity import Identity
from penstock.gateway.auth.role import Role
from penstock.gateway.errors import RequestError
from penstock.runtime.diagnostics.plain import plain

_USER: Final = "langgraph_auth_user"

_ID: Final = f"{_USER}_id"

CONFIGURABLE: Final = (_USER, _ID, "langgraph_auth_permissions")
"""What `configurable` says of the user of a run; requests cannot say it."""

_KNOWN: Final = ("identity", "display_name", "permissions", "is_authenticated")


class User(Mapping[str, Any]):
    """An identity with permissions, and what else `authenticate` said; by members or attributes."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = dict(fields)

    @property
    def identity(self) -> str:
        """The name that it is known by."""
        return str(self._fields["identity"])

    @property
    def permissions(self) -> list[str]:
        """What it may do, in the app's own words."""
        return list(self._fields["permissions"])

    def __getattr__(self, name: str) -> Any:
        """Return one of the members."""
        if not name.startswith("_") and name in self._fields:
            return self._fields[name]
        raise AttributeError(f"user {self._fields.get('identity')!r} has no {name!r}.")

    def __getitem__(self, name: str) -> Any:
        """Return one of the members."""
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        """Give the names of the members."""
        return iter(self._fields)

    def __len__(self) -> int:
        """Return how many members there are."""
        return len(self._fields)

    def configurable(self) -> dict[str, Any]:
        """Return what a workflow is told, as JSON."""
        told = (self._fields, self.identity, self.permissions)
        return {name: plain(value) for name, value in zip(CONFIGURABLE, told, strict=True)}


def with_user(config: Mapping[str, Any], user: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the config of a run as that of a run of a user, who is given as `configurable` tells.

    None if it is that already, or nobody is given.
    """
    given: Mapping[str, Any] = config.get("configurable") or {}
    if all(given.get(name) == user[name] for name in user):
        return None
    return {**config, "configurable": {**given, **user}}


def is_of_user(config: Mapping[str, Any], user: Mapping[str, Any]) -> bool:
    """Tell whether the config of a run names a user, who is given as `configurable` tells."""
    given: Mapping[str, Any] = config.get("configurable") or {}
    return given.get(_ID) == user.get(_ID)


def identity_of(user: User) -> Identity:
    """Return a user as the routes know senders: the Auth object decides, so no role is missing."""
    return Identity(user.identity, Role.ADMIN, f"user {user.identity}")


def read_user(given: Any) -> User:
    """Read what `authenticate` returned.

    Raises:
        AuthHandlerError: it has no identity, or permissions that are no texts.
        RequestError: 401, it says that nobody is authenticated.
    """
    fields = _fields(given)
    identity: Any = fields.get("identity")
    if not isinstance(identity, str) or not identity:
        raise AuthHandlerError(f"authenticate returned no identity, but {type(given).__name__}.")
    if not fields.get("is_authenticated", True):
        raise RequestError(401, "Unauthorized")
    permissions: Any = fields.get("permissions") or ()
    if isinstance(permissions, str) or not all(isinstance(each, str) for each in permissions):
        raise AuthHandlerError("the permissions that authenticate returned are no list of texts.")
    defaults = {"display_name": identity, "is_authenticated": True}
    return User({**defaults, **fields, "permissions": list(permissions)})


def _fields(given: Any) -> Mapping[str, Any]:
    if isinstance(given, str):
        return {"identity": given}
    if isinstance(given, Mapping):
        return cast("Mapping[str, Any]", given)
    own = {name: getattr(given, name) for name in _KNOWN if hasattr(given, name)}
    more: Any = getattr(given, "__dict__", {})
    return {**{name: more[name] for name in more if not name.startswith("_")}, **own}
