"""Who may have a worker do the same to many runs: the entrypoint for it may delete them all."""

from __future__ import annotations

__all__ = ["check_entrypoint", "check_repeat"]

from penstock.gateway.auth.identity import Identity
from penstock.gateway.auth.role import Role
from penstock.gateway.errors import RequestError
from penstock.runtime.client.run import AsyncRunHandle
from penstock.runtime.types.bulk import BULK


def check_entrypoint(name: str) -> None:
    """Refuse to enqueue what only `POST /api/bulk` enqueues, after checks of its own.

    Raises:
        RequestError: 403.
    """
    if name == BULK:
        raise RequestError(403, f"{BULK!r} is not for requests: POST /api/bulk with `detach` is.")


async def check_repeat(identity: Identity, run: AsyncRunHandle) -> None:
    """Refuse to execute a run again that changes many runs, unless an admin asks for it.

    Raises:
        RequestError: 403.
    """
    if not identity.role.may(Role.ADMIN) and (await run.info()).entrypoint == BULK:
        identity.check(Role.ADMIN)
