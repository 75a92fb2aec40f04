"""The files that pages refer to: scripts, styles, pictures."""

from __future__ import annotations

__all__ = ["Assets"]

import hashlib
from importlib.resources import files
from typing import Final

from starlette.responses import Response

from penstock.gateway.errors import RequestError

_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
"""Their address has a digest of them all: another version has another address."""


class Assets:
    """All files, in memory."""

    def __init__(self) -> None:
        folder = files("penstock.gateway.dashboard") / "static"
        self._files = {
            each.name: each.read_bytes()
            for each in sorted(folder.iterdir(), key=lambda each: each.name)
            if _kind(each.name)
        }
        self.digest = hashlib.sha256(b"\0".join(self._files.values())).hexdigest()[:12]

    def response(self, digest: str, name: str) -> Response:
        """Answer with a file.

        Raises:
            RequestError: there is none of this name.
        """
        if name not in self._files:
            raise RequestError(404, f"the dashboard has no file {name!r}.")
        headers = _FOR_EVER if digest == self.digest else {"Cache-Control": "no-store"}
        return Response(self._files[name], media_type=_kind(name), headers=headers)


def _kind(name: str) -> str | None:
    return _TYPES.get(name[name.rfind(".") :])
