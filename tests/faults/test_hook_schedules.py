"""Orders of what clients and workers do to webhooks; `tests.mutants` breaks the scripts of each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from tests.faults.support.hook_schedules import HOOK_SCHEDULES, Outbox
from tests.faults.support.hooked import hooked_wrongly
from tests.faults.support.snapshot import Snapshot

pytestmark = pytest.mark.open_runs


@pytest.mark.parametrize("schedule", HOOK_SCHEDULES, ids=[each.__name__ for each in HOOK_SCHEDULES])
def test_schedule_of_webhooks(redis_url: str, schedule: Callable[[Outbox], None]) -> None:
    with redis.Redis.from_url(redis_url) as client:
        schedule(Outbox(client))

        assert list(hooked_wrongly(Snapshot.take(client))) == []
