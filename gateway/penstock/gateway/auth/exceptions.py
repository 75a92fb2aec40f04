"""What functions of an `Auth` raise to refuse a request.

HTTPException(Exception)
"""

from __future__ import annotations

__all__ = ["HTTPException"]

from collections.abc import Mapping
from http import HTTPStatus


class HTTPException(Exception):
    """Refuses a request with a status, a sentence, and perhaps headers."""

    def __init__(
        self,
        status_code: int = 401,
        detail: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = status_code
        self.detail = HTTPStatus(status_code).phrase if detail is None else detail
        self.headers = headers
        super().__init__(f"{status_code}: {self.detail}")
