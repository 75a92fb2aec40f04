"""Routes whose parameters may have slashes, as `%2F`."""

from __future__ import annotations

__all__ = ["RawRoute", "RawWebSocketRoute"]

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from starlette.routing import Match, Route, WebSocketRoute
from starlette.types import Scope

_KEPT: Final = re.compile(rb"%(?=2[fF]|25)")
"""Signs that are decoded only after the path was divided into its parts."""


class RawRoute(Route):
    """A route that divides a path at the slashes that were sent as such: ids may have others."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Compare the path as it was sent."""
        return _matched(super().matches, scope)


class RawWebSocketRoute(WebSocketRoute):
    """The same for a WebSocket."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Compare the path as it was sent."""
        return _matched(super().matches, scope)


def _matched(matches: Callable[[Scope], tuple[Match, Scope]], scope: Scope) -> tuple[Match, Scope]:
    raw: bytes = scope.get("raw_path") or b""
    if b"%" not in raw:
        return matches(scope)
    path = unquote(_KEPT.sub(b"%25", raw.partition(b"?")[0]).decode("ascii", "replace"))
    match, found = matches({**scope, "path": path})
    if match is Match.NONE:
        return match, found
    before: Mapping[str, Any] = scope.get("path_params", {})
    own = {
        name: unquote(value) for name, value in found["path_params"].items() if name not in before
    }
    return match, {**found, "path_params": {**found["path_params"], **own}}
