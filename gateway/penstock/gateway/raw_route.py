"""Routes whose parameters may have slashes, as `%2F`."""

from __future__ import annotations

__all__ = ["RawRoute"]

import re
from typing import Final
from urllib.parse import unquote

from starlette.routing import Match, Route
from starlette.types import Scope

_KEPT: Final = re.compile(rb"%(?=2[fF]|25)")
"""Signs that are decoded only after the path was divided into its parts."""


class RawRoute(Route):
    """A route that divides a path at the slashes that were sent as such: ids may have others."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Compare the path as it was sent."""
        raw: bytes = scope.get("raw_path") or b""
        if b"%" not in raw:
            return super().matches(scope)
        path = unquote(_KEPT.sub(b"%25", raw.partition(b"?")[0]).decode("ascii", "replace"))
        match, found = super().matches({**scope, "path": path})
        if match is Match.NONE:
            return match, found
        own = {name: unquote(found["path_params"][name]) for name in self.param_convertors}
        return match, {**found, "path_params": {**found["path_params"], **own}}
