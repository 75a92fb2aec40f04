"""The user whom a gateway's `Auth` found, as LangGraph's `runtime.server_info.user`."""

from __future__ import annotations

__all__ = ["AuthUser", "with_user"]

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

_USER: Final = "langgraph_auth_user"
"""Where `configurable` has it."""


class AuthUser(Mapping[str, Any]):
    """What `authenticate` returned, by members or attributes."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = dict(fields)

    @property
    def identity(self) -> str:
        """The name that it is known by."""
        return str(self._fields["identity"])

    @property
    def display_name(self) -> str:
        """Its name for people."""
        return str(self._fields.get("display_name", self.identity))

    @property
    def is_authenticated(self) -> bool:
        """Whether somebody is known; nobody else begins runs."""
        return bool(self._fields.get("is_authenticated", True))

    @property
    def permissions(self) -> list[str]:
        """What it may do, in the app's own words."""
        return list(self._fields.get("permissions", ()))

    def __getattr__(self, name: str) -> Any:
        """Return one of the members."""
        if not name.startswith("_") and name in self._fields:
            return self._fields[name]
        raise AttributeError(f"user has no {name!r}.")

    def __getitem__(self, name: str) -> Any:
        """Return one of the members."""
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        """Give the names of the members."""
        return iter(self._fields)

    def __len__(self) -> int:
        """Return how many members there are."""
        return len(self._fields)


def with_user(configurable: Mapping[str, Any], graph_id: str) -> dict[str, Any]:
    """Return `configurable` with its user as LangGraph looks for one, if it has one."""
    found: Any = configurable.get(_USER)
    if not isinstance(found, Mapping) or "identity" not in found:
        return dict(configurable)
    user = AuthUser(cast("Mapping[str, Any]", found))
    return {"graph_id": graph_id, **configurable, _USER: user}
