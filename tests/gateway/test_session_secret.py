"""The secret of sessions."""

from __future__ import annotations

import pytest

from penstock.gateway.keys import GatewayKeys
from penstock.gateway.session_secret import read_secret
from penstock.publisher.errors import RedisUnavailableError
from penstock.runtime.testing import InMemoryWorker


def test_all_processes_have_the_secret_that_was_made_first() -> None:
    with InMemoryWorker([]) as worker:
        first, second = (worker.client.do(read_secret(GatewayKeys())) for _ in range(2))

    assert first == second
    assert len(first) == 64


def test_nothing_is_signed_with_a_secret_that_was_lost() -> None:
    reading = read_secret(GatewayKeys())
    next(reading)
    reading.send(None)
    reading.send(True)

    with pytest.raises(RedisUnavailableError):
        reading.send(None)
