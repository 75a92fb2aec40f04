"""What a request is refused with: a status and a sentence for each error."""

from __future__ import annotations

__all__ = ["HIDES_VALUES", "RequestError", "refusal", "status_of"]

from collections.abc import Mapping
from typing import Any, Final

from penstock.publisher.errors import (
    CodecError,
    ConfigurationError,
    CursorExpiredError,
    EncryptionError,
    InvalidCursorError,
    PenstockError,
    RedisUnavailableError,
    ValueTooLargeError,
)
from penstock.runtime.errors import (
    InputError,
    InvalidUpdateError,
    NoWorkerError,
    ResumeError,
    RunConflictError,
    RunNotFoundError,
    ThreadBusyError,
    ThreadExistsError,
    ThreadNotFoundError,
    UnknownCheckpointError,
    WebhookNotFoundError,
)

HIDES_VALUES: Final = "this gateway hides values from viewers: see its setting `values`."

_STATUSES: Final[tuple[tuple[type[PenstockError], int], ...]] = (
    (InvalidCursorError, 400),
    (RunNotFoundError, 404),
    (ThreadNotFoundError, 404),
    (UnknownCheckpointError, 404),
    (WebhookNotFoundError, 404),
    (RunConflictError, 409),
    (ThreadBusyError, 409),
    (ThreadExistsError, 409),
    (ResumeError, 409),
    (CursorExpiredError, 410),
    (ValueTooLargeError, 413),
    (InputError, 422),
    (InvalidUpdateError, 422),
    (EncryptionError, 503),
    (CodecError, 422),
    (ConfigurationError, 422),
    (NoWorkerError, 503),
    (RedisUnavailableError, 503),
)
"""The first class that an error is one of gives its status."""


class RequestError(PenstockError):
    """A request that is refused with a status of its own."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: list[Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.errors = errors
        self.headers = dict(headers or {})


def status_of(error: PenstockError) -> int | None:
    """Return the status of an error; None if it is a fault of the gateway."""
    if isinstance(error, RequestError):
        return error.status
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), None)


def refusal(error: PenstockError) -> dict[str, Any]:
    """Write an error as JSON: its sentence, its class, and what pydantic says of a body."""
    found: dict[str, Any] = {"detail": str(error)}
    if not isinstance(error, RequestError):
        found["error"] = type(error).__name__
    elif error.errors is not None:
        found["errors"] = error.errors
    return found
