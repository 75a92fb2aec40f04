from __future__ import annotations

from typing import Any

import pytest
import redis

from penstock.publisher.codec.codec import Codec
from penstock.publisher.plan import follow
from penstock.runtime.diagnostics.workers import APP, RELEASE, Worker, read_workers
from penstock.runtime.redis.plans.requests import Request, RequestPlans
from penstock.runtime.redis.transport import send
from penstock.runtime.settings import Settings


def test_workers_have_the_versions_that_they_tell() -> None:
    own = Worker("w", (), "", 0, None, None, (), "0.1.0", "abc", {"": "2", "pay": "3"})
    silent = Worker("v", (), "", 0, None, None, ())

    assert [own.version_of(name) for name in ("pay", "ship")] == ["3", "2"]
    assert silent.version_of("pay") == ""


@pytest.mark.parametrize(
    ("app", "digest", "versions"),
    [
        ("", "", {}),
        ("abc", "abc", {}),
        ('abc {"": ["2"], "pay": ["3", "1"]}', "abc", {"": "2", "pay": "3"}),
    ],
)
def test_the_code_of_a_worker_is_read(
    redis_client: redis.Redis, app: str, digest: str, versions: dict[str, str]
) -> None:
    redis_client.sadd("rq:workers", "rq:worker:w")
    fields: dict[Any, Any] = {"queues": "default", "birth": "2026-11-30T10:00:00+00:00"}
    told: dict[Any, Any] = {APP: app, RELEASE: "0.1.0"} if app else {}
    redis_client.hset("rq:worker:w", mapping={**fields, **told})
    plans = RequestPlans(Settings(), Codec(), redis_client)

    (found,) = follow(read_workers(plans), lambda request: send(redis_client, request))
    redis_client.delete("rq:workers", "rq:worker:w")

    assert (found.app, found.versions) == (digest, versions)
    assert found.release == ("0.1.0" if app else "")


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
