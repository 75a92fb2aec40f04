"""The requests that a plan sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from penstock.publisher.plan import follow
from penstock.runtime import Client
from penstock.runtime.redis.plans.requests import Plan, Request
from penstock.runtime.redis.transport import ask

T = TypeVar("T")


def sent(
    client: Client, plan: Plan[T], before: Callable[[Request], None] = lambda _: None
) -> tuple[T, list[Request]]:
    """Follow a plan; returns what it returns, and its requests. `before` is called with each."""
    requests: list[Request] = []

    def send(request: Request) -> Any:
        before(request)
        requests.append(request)
        return ask(client.connection, request)

    return follow(plan, send), requests
