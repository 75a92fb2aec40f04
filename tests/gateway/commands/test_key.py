"""`penstock key`: what it prints, and what it leaves in Redis."""

from __future__ import annotations

import pytest
import redis
from click.testing import CliRunner, Result

from penstock.worker.cli import main


def key(redis_url: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["key", *arguments, "--redis", redis_url])


def test_a_key_is_printed_once_listed_without_its_secret_and_removed(
    redis_url: str, redis_client: redis.Redis
) -> None:
    text = key(redis_url, "new", "ann's laptop", "--role", "viewer").output.strip()
    _, key_id, secret = text.split("_")

    listed = key(redis_url, "list").output
    removed = key(redis_url, "remove", key_id)

    assert listed.strip() == f"{key_id}  viewer    ann's laptop  (never ends)"
    assert secret not in listed
    assert removed.output.strip() == f"key {key_id} is removed"
    assert not redis_client.exists("penstock:api_keys")


def test_a_key_may_end(redis_url: str) -> None:
    key(redis_url, "new", "ann", "--expires", "90d")

    assert "(ends 20" in key(redis_url, "list").output


@pytest.mark.parametrize("expires", ["90", "d", "0d", "-1d", "1.5h", "1w", ""])
def test_a_time_that_is_none_is_refused(redis_url: str, expires: str) -> None:
    refused = key(redis_url, "new", "ann", "--expires", expires)

    assert refused.exit_code == 1
    assert "write a number and s, m, h or d" in refused.output
    assert key(redis_url, "list").output == ""


def test_a_key_that_nobody_has_is_not_removed(redis_url: str) -> None:
    refused = key(redis_url, "remove", "abc")

    assert refused.exit_code == 1
    assert "penstock key list" in refused.output
