"""The store that the workers of a Redis share, over the connection of a gateway."""

from __future__ import annotations

__all__ = ["StoreCalls"]

from collections.abc import Sequence
from typing import Any, cast

from penstock.gateway.errors import RequestError, status_of
from penstock.publisher.errors import PenstockError
from penstock.publisher.plan import afollow
from penstock.publisher.redis.script import Call
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.redis.plans.requests import ReadingCommand, Reads
from penstock.runtime.redis.transport import aask
from penstock.runtime.store.item import Op, Result
from penstock.runtime.store.keys import StoreKeys
from penstock.runtime.store.plan import Request, Texts
from penstock.runtime.store.plans import StorePlans
from penstock.runtime.store.ttl import Lifetime


class StoreCalls:
    """Does one thing at a time; it has no index, as it has nothing to embed texts with."""

    def __init__(self, client: AsyncClient) -> None:
        prefix = client.settings.prefix
        codec = client.codec.at(prefix)
        self._plans = StorePlans(StoreKeys(prefix), codec, None, Lifetime.of(None))
        self._connection = client.connection

    async def do(self, op: Op) -> Result:
        """Execute an operation.

        Raises:
            RequestError: it is invalid.
        """
        try:
            (result,) = await afollow(self._plans.batch([op]), self._ask)
        except (ValueError, TypeError) as error:
            if isinstance(error, PenstockError) and status_of(error) is not None:
                raise
            raise RequestError(422, str(error)) from error
        return result

    async def _ask(self, request: Request) -> Any:
        assert not isinstance(request, Texts), "only plans of a store with an index embed"
        if isinstance(request, Call):
            return await aask(self._connection, request)
        rows = cast("Sequence[ReadingCommand]", request.rows)
        return await aask(self._connection, Reads(rows))
