"""Workers tell what clients may know of their entrypoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from penstock.runtime import Client, entrypoint
from penstock.runtime.diagnostics.descriptions import read_descriptions
from penstock.runtime.executor.app import App
from penstock.runtime.executor.describing import KEPT, describe
from penstock.runtime.types.description import Description


@entrypoint(name="add")
def add(x: int) -> int:
    """Add."""
    return x


@entrypoint(name="add")
def add_later(x: int) -> int:
    """Add, as the next release does."""
    return x


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with Client(redis_url) as client:
        yield client


def tell(client: Client, each: Any, since: float) -> None:
    describe(client.connection, client.plans.keys, App({each.name: each}), since)


def told(client: Client) -> Description:
    (found,) = client.do(read_descriptions(client.plans, ["add"]))
    return found


def test_what_a_newer_worker_has_told_stands(client: Client) -> None:
    tell(client, add_later, 1_790_000_002.25)
    tell(client, add, 1_790_000_001.75)
    assert told(client).about == "Add, as the next release does."

    tell(client, add, 1_790_000_002.25)  # of a worker that began at the same time

    assert told(client).about == "Add."
    assert told(client).schemas["input"]["type"] == "integer"


def test_a_description_is_kept_from_the_last_time_that_it_is_told(
    client: Client, redis_client: redis.Redis
) -> None:
    tell(client, add, 1_790_000_001.0)
    redis_client.expire("penstock:entrypoint:add", 5)

    tell(client, add, 1_790_000_001.0)

    assert redis_client.ttl("penstock:entrypoint:add") > KEPT - 5


def test_a_schema_that_is_no_json_is_left_out(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_json(_: object) -> dict[tuple[str, str], int]:
        return {("a", "b"): 1}

    monkeypatch.setattr(type(add), "get_input_jsonschema", no_json)

    tell(client, add, 1_790_000_001.0)

    assert told(client).about == "Add."
