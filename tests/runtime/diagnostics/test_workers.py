from __future__ import annotations

from typing import Any

import pytest
import redis

from penstock.publisher.codec.codec import Codec
from penstock.publisher.plan import follow
from penstock.runtime.diagnostics.workers import read_workers
from penstock.runtime.redis.plans.requests import Request, RequestPlans
from penstock.runtime.redis.transport import send
from penstock.runtime.settings import Settings


@pytest.mark.parametrize(
    ("prefix", "served"),
    [("penstock", {"w": ("default", "gpu")}), ("shop", {"v": ("default",), "w": ("a@b",)})],
)
def test_workers_are_read_in_two_trips_with_the_queues_of_the_prefix(
    redis_url: str, redis_client: redis.Redis, prefix: str, served: dict[str, tuple[str, ...]]
) -> None:
    for name, queues in {"v": "default@shop", "w": "default,gpu,a@b@shop"}.items():
        redis_client.sadd("rq:workers", f"rq:worker:{name}")
        fields: dict[Any, Any] = {
            "queues": queues,
            "pid": "7",
            "birth": "2026-11-30T10:00:00+00:00",
        }
        redis_client.hset(f"rq:worker:{name}", mapping=fields)
        redis_client.expire(f"rq:worker:{name}", 60)
    redis_client.expire("rq:workers", 60)
    redis_client.sadd("rq:worker:w:executions", "run-1:x")
    trips: list[Request] = []

    def do(request: Request) -> Any:
        trips.append(request)
        return send(redis_client, request)

    plans = RequestPlans(Settings(prefix=prefix), Codec(), redis_client)
    found = follow(read_workers(plans), do)

    assert {worker.name: worker.queues for worker in found} == served
    assert {worker.runs for worker in found if worker.name == "w"} == {("run-1",)}
    assert len(trips) == 2
