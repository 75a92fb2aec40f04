"""Webhooks: URLs that are told of changes of runs."""

from __future__ import annotations

__all__ = ["AsyncWebhooks", "Webhooks"]

from collections.abc import Iterable

from penstock.runtime.client.transport import AsyncTransport, Transport
from penstock.runtime.redis.plans.webhooks import WebhookPlans
from penstock.runtime.types.feed_entry import FeedQuery
from penstock.runtime.types.webhook import DEFAULT_EVENTS, Webhook, WebhookDelivery

BY_HAND = "by hand"
"""Why a webhook is disabled that a user has disabled without a reason."""


class Webhooks:
    """The webhooks of a client's Redis; workers deliver to them.

    Each method raises RedisUnavailableError if Redis does not answer.
    """

    def __init__(self, client: Transport) -> None:
        self._client = client
        self._plans = WebhookPlans(client.plans, client.settings)

    def put(
        self,
        id: str,
        url: str,
        *,
        events: Iterable[str] = DEFAULT_EVENTS,
        where: FeedQuery | None = None,
        secret: str | None = None,
    ) -> Webhook:
        """Have a URL told of changes of runs, from now on; replaces the webhook of this id.

        `events` are some of run.queued, run.interrupted, run.resumed and run.finished; `where` has
        the filters of `follow`. `secret` is "whsec_" and the base64 of 24 to 64 bytes; without one,
        a new webhook gets one, which is returned, and another keeps its own. For a day after it is
        replaced, deliveries are signed with the old one as well.

        Raises:
            ConfigurationError: the id, the URL, a filter or the secret cannot be used, the host is
                not on the internet, or there are 100 webhooks.
            EncryptionError: it replaces one that there is no key for here.
        """
        return self._client.do(self._plans.put(id, url, events, where, secret))

    def get(self, id: str) -> Webhook:
        """Read a webhook, without its secret.

        Raises:
            WebhookNotFoundError: there is none.
            EncryptionError: there is no key for it here.
        """
        return self._client.do(self._plans.get(id))

    def delete(self, id: str) -> bool:
        """Delete a webhook, with the deliveries that wait; returns whether there was one."""
        return self._client.do(self._plans.delete(id))

    def enable(self, id: str) -> None:
        """Send to a webhook again, at once also what waits; a disabled one keeps it for five days.

        Raises:
            WebhookNotFoundError: there is none.
        """
        self._client.do(self._plans.switch(id, ""))

    def disable(self, id: str, reason: str = BY_HAND) -> None:
        """Send nothing to a webhook; changes are counted as skipped meanwhile.

        Raises:
            WebhookNotFoundError: there is none.
        """
        self._client.do(self._plans.switch(id, reason or BY_HAND))

    def test(self, id: str) -> str:
        """Have a `webhook.test` delivered; returns the id of the delivery.

        Raises:
            WebhookNotFoundError: there is none.
            ConfigurationError: it is disabled, or 100,000 deliveries wait for it.
        """
        return self._client.do(self._plans.test(id))

    def deliveries(self, id: str, limit: int = 20) -> list[WebhookDelivery]:
        """Read the last tries to deliver, the newest first; 100 are remembered.

        Raises:
            WebhookNotFoundError: there is none.
            ConfigurationError: the limit is less than 1.
        """
        return self._client.do(self._plans.deliveries(id, limit))

    def list(self) -> list[Webhook]:
        """Read all webhooks, by id; one that cannot be read here says so in `unreadable`."""
        return self._client.do(self._plans.all())


class AsyncWebhooks:
    """As `Webhooks`, in asyncio code."""

    def __init__(self, client: AsyncTransport) -> None:
        self._client = client
        self._plans = WebhookPlans(client.plans, client.settings)

    async def put(
        self,
        id: str,
        url: str,
        *,
        events: Iterable[str] = DEFAULT_EVENTS,
        where: FeedQuery | None = None,
        secret: str | None = None,
    ) -> Webhook:
        """As `Webhooks.put`."""
        return await self._client.do(self._plans.put(id, url, events, where, secret))

    async def get(self, id: str) -> Webhook:
        """As `Webhooks.get`."""
        return await self._client.do(self._plans.get(id))

    async def delete(self, id: str) -> bool:
        """As `Webhooks.delete`."""
        return await self._client.do(self._plans.delete(id))

    async def enable(self, id: str) -> None:
        """As `Webhooks.enable`."""
        await self._client.do(self._plans.switch(id, ""))

    async def disable(self, id: str, reason: str = BY_HAND) -> None:
        """As `Webhooks.disable`."""
        await self._client.do(self._plans.switch(id, reason or BY_HAND))

    async def test(self, id: str) -> str:
        """As `Webhooks.test`."""
        return await self._client.do(self._plans.test(id))

    async def deliveries(self, id: str, limit: int = 20) -> list[WebhookDelivery]:
        """As `Webhooks.deliveries`."""
        return await self._client.do(self._plans.deliveries(id, limit))

    async def list(self) -> list[Webhook]:
        """As `Webhooks.list`."""
        return await self._client.do(self._plans.all())
