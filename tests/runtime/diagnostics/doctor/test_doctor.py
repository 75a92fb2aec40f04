"""`penstock doctor`: its checks, each by itself, and what it reads of a real server."""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from penstock.publisher.redis.script import run as call
from penstock.runtime.client.client import Client
from penstock.runtime.diagnostics.doctor import Finding, Level, Reading, examine
from tests.support.server import RedisServer
from tests.support.until import until
from tests.worker.commands import environment, penstock, program, refused, rows

pytestmark = pytest.mark.filterwarnings(
    "ignore::penstock.runtime.redis.plans.requests.UnannouncedEntrypointWarning"
)

WELL = {
    "redis_version": "7.2.4",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "maxmemory": 0,
    "used_memory": 1024,
    "maxmemory_policy": "noeviction",
    "role": "master",
    "connected_slaves": 0,
}
CONFIG = {
    "save": "",
    "appendfsync": "everysec",
    "client-output-buffer-limit": "normal 0 0 0 pubsub 33554432 8388608 60",
}


def reading(**changes: Any) -> Reading:
    config = CONFIG | changes.pop("config", {})
    return Reading(info=WELL | changes.pop("info", {}), config=config, **changes)


def bad(found: Reading) -> list[Finding]:
    return [finding for finding in examine(found) if finding.level is not Level.OK]


def enqueue(url: str, **options: Any) -> str:
    with Client(url) as client:
        return client.enqueue("main", 1, **options).run_id


# -- the checks ---------------------------------------------------------------------------------


def test_a_server_that_is_well_gets_no_complaint() -> None:
    assert bad(reading()) == []


@pytest.mark.parametrize(
    ("changes", "check", "level", "says"),
    [
        ({"info": {"redis_version": "6.0.9"}}, "version", Level.PROBLEM, "Redis 6.0.9"),
        ({"info": {"cluster_enabled": 1}}, "version", Level.PROBLEM, "cluster mode"),
        ({"info": {"aof_enabled": 0}}, "persistence", Level.PROBLEM, "nothing is written"),
        (
            {"info": {"aof_enabled": 0}, "config": {"save": "3600 1"}},
            *("persistence", Level.WARNING, "snapshots only"),
        ),
        ({"config": {"appendfsync": "no"}}, "persistence", Level.WARNING, "appendfsync no"),
        (
            {"info": {"aof_last_write_status": "err"}},
            *("persistence", Level.PROBLEM, "the last write"),
        ),
        (
            {"info": {"maxmemory_policy": "allkeys-lru", "maxmemory": 10**9}},
            *("memory", Level.PROBLEM, "allkeys-lru"),
        ),
        (
            {"info": {"maxmemory_policy": "allkeys-lru"}},
            *("memory", Level.WARNING, "with no maxmemory set"),
        ),
        (
            {"info": {"maxmemory_policy": "volatile-ttl"}},
            *("memory", Level.WARNING, "volatile-ttl"),
        ),
        (
            {"info": {"maxmemory": 1000, "used_memory": 950}},
            *("memory", Level.WARNING, "95% of 1000 B used"),
        ),
        (
            {"config": {"client-output-buffer-limit": "pubsub 0 0 0"}},
            *("pub/sub", Level.WARNING, "no limit"),
        ),
        (
            {"config": {"client-output-buffer-limit": "pubsub 65536 0 0"}},
            *("pub/sub", Level.WARNING, "disconnected when it is 64 KiB behind"),
        ),
        (
            {"info": {"role": "slave", "master_host": "h", "master_port": 1}},
            *("replication", Level.PROBLEM, "a replica of h:1"),
        ),
        (
            {"info": {"connected_slaves": 1, "slave0": {"lag": 60}}},
            *("replication", Level.WARNING, "60 s behind"),
        ),
        ({"clock_offset": -30.0}, "clock", Level.WARNING, "30.0 s behind"),
        ({"paused": True}, "workers", Level.WARNING, "all workers pause"),
        ({"unserved": {"gpu": 2}}, "workers", Level.WARNING, "serves queue 'gpu', 2 runs"),
        (
            {"unserved_steps": {"gpu": 1}},
            *("workers", Level.WARNING, "serves queue 'gpu', 1 step queued"),
        ),
        (
            {"unserved": {"gpu": 1}, "unserved_steps": {"gpu": 2}},
            *("workers", Level.WARNING, "serves queue 'gpu', 1 run and 2 steps queued"),
        ),
        ({"expired": {"r1": 60.0}}, "leases", Level.PROBLEM, "1 run ended up to 60 s ago: r1"),
        (
            {"orphans": ("a", "b", "c", "d")},
            *("orphans", Level.PROBLEM, "4 queued runs without a ticket: a, b, c and 1 more"),
        ),
        ({"leaks": ("penstock:run:x",)}, "retention", Level.WARNING, "1 key of runs"),
    ],
)
def test_a_finding_says_what_it_means_and_what_fixes_it(
    changes: dict[str, Any], check: str, level: Level, says: str
) -> None:
    (finding,) = bad(reading(**changes))

    assert (finding.check, finding.level) == (check, level)
    assert says in finding.message
    assert finding.means.endswith(".")
    assert finding.fix


@pytest.mark.parametrize(
    "changes",
    [
        {"info": {"redis_version": "7.2.4", "valkey_version": "8.0.1"}},
        {"info": {"redis_version": "6.2.14"}},
        {"info": {"connected_slaves": 1, "slave0": {"lag": 1}}},
        {"expired": {"r1": 1.0}},
        {"config": {"appendfsync": "always"}},
    ],
)
def test_what_is_as_it_may_be_is_no_complaint(changes: dict[str, Any]) -> None:
    assert bad(reading(**changes)) == []


def test_a_server_that_does_not_tell_its_configuration_gets_no_complaint_for_it() -> None:
    found = Reading(info=WELL)

    assert bad(found) == []
    assert any("is unknown" in finding.message for finding in examine(found))


# -- the command --------------------------------------------------------------------------------


def test_doctor_of_a_good_server_exits_with_0(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis("--appendonly", "yes")

    result = penstock("doctor", "--redis", server.url)

    assert result.exit_code == 0, result.output
    assert all(line.startswith("✓ ") for line in result.stdout.splitlines())


def test_doctor_of_a_forgetful_server_exits_with_2_and_says_the_fix(
    start_redis: Callable[..., RedisServer],
) -> None:
    server = start_redis("--appendonly", "no", "--maxmemory-policy", "volatile-lru")

    result = penstock("doctor", "--redis", server.url, "--json")

    assert result.exit_code == 2
    findings = {finding["check"]: finding for finding in rows(result)}
    assert set(findings["memory"]) == {"check", "level", "message", "means", "fix"}
    assert findings["memory"]["level"] == "warning"
    assert findings["persistence"]["fix"].startswith(f"redis-cli -u {server.url} CONFIG SET")


def test_the_fix_is_one(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis("--appendonly", "no", "--maxmemory-policy", "volatile-lru")
    before = rows(penstock("doctor", "--redis", server.url, "--json"))

    for finding in before:
        for command in finding["fix"].split("; "):
            _, sets, words = command.partition(" CONFIG SET ")
            if sets:
                server.client().config_set(*words.split())

    until(lambda: not server.client().info("persistence")["aof_rewrite_in_progress"])
    assert penstock("doctor", "--redis", server.url).exit_code == 0


def test_doctor_without_a_server_exits_with_2() -> None:
    result = penstock("doctor", "--redis", "redis://127.0.0.1:1", "--json")

    (finding,) = rows(result)
    assert result.exit_code == 2
    assert (finding["check"], finding["level"]) == ("server", "problem")


def test_doctor_never_shows_a_password(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis("--appendonly", "no")
    server.client().config_set("requirepass", "secret")
    url = server.url.replace("redis://", "redis://:secret@")

    result = penstock("doctor", "--redis", url)

    assert result.exit_code == 2
    assert "$PENSTOCK_REDIS_URL" in result.stdout
    assert "secret" not in result.output


def by_check(url: str, *options: str) -> dict[str, dict[str, Any]]:
    found = rows(penstock("doctor", "--redis", url, "--json", *options))
    return {finding.get("check", "fixed"): finding for finding in found}


@pytest.mark.open_runs
def test_orphans_are_found_and_fixed(redis_url: str, redis_client: redis.Redis) -> None:
    lost = enqueue(redis_url)
    unindexed = enqueue(redis_url)
    enqueue(redis_url, thread_id="t")
    enqueue(redis_url, thread_id="t")
    assert by_check(redis_url)["orphans"]["level"] == "ok"
    redis_client.lrem("rq:queue:default", 0, lost)
    redis_client.lrem("rq:queue:default", 0, unindexed)
    redis_client.zrem("penstock:ready", unindexed)

    before = by_check(redis_url)["orphans"]
    after = by_check(redis_url, "--fix")

    assert before["level"] == "problem"
    assert lost in before["message"] and unindexed in before["message"]
    assert sorted(after["fixed"]["requeued"]) == sorted([lost, unindexed])
    assert after["orphans"]["level"] == "ok"
    tickets = redis_client.lrange("rq:queue:default", 0, -1)
    assert tickets.count(lost.encode()) == tickets.count(unindexed.encode()) == 1
    assert len(tickets) == 3


@pytest.mark.open_runs
@pytest.mark.parametrize("field", ["queue", "thread_key", "parked"])
def test_a_run_with_a_spoilt_field_keeps_doctor_and_du_from_nothing(
    redis_url: str, redis_client: redis.Redis, field: str
) -> None:
    corrupt, lost = enqueue(redis_url), enqueue(redis_url)
    redis_client.delete("rq:queue:default")
    redis_client.hset(f"penstock:run:{corrupt}", field, b"\xff\xfe")

    before = by_check(redis_url)["orphans"]
    after = by_check(redis_url, "--fix")

    assert lost in before["message"]
    assert lost in after["fixed"]["requeued"]
    assert penstock("du", url=redis_url).exit_code == 0


@pytest.mark.open_runs
def test_many_orphans_are_all_fixed(redis_url: str, redis_client: redis.Redis) -> None:
    with Client(redis_url) as client:
        for number in range(250):
            client.enqueue("main", number)
    redis_client.delete("rq:queue:default")

    after = by_check(redis_url, "--fix")

    assert len(after["fixed"]["requeued"]) == 250
    assert after["orphans"]["level"] == "ok"
    assert redis_client.llen("rq:queue:default") == 250


@pytest.mark.open_runs
def test_leases_that_nobody_recovers_are_found_and_fixed(
    redis_url: str, redis_client: redis.Redis
) -> None:
    run_id = enqueue(redis_url)
    with Client(redis_url) as client:
        call(client.connection, client.plans.calls.acquire(run_id, "w", "n", 8.0))
    redis_client.zadd("penstock:leases", {run_id: (time.time() - 60) * 1000})

    before = by_check(redis_url)["leases"]
    after = by_check(redis_url, "--fix")

    assert before["level"] == "problem"
    assert after["fixed"]["requeued"] == [run_id]
    with Client(redis_url) as client:
        run = client.get(run_id).info()
    assert (run.status, run.crashes) == ("queued", 1)


@pytest.mark.open_runs
def test_queues_without_a_worker_are_named(redis_url: str, redis_client: redis.Redis) -> None:
    enqueue(redis_url, queue="gpu")
    enqueue(redis_url, queue="default")
    redis_client.sadd("rq:workers:default", "rq:worker:w")
    redis_client.set("rq:worker:w", 1)

    assert "queue 'gpu', 1 run queued" in by_check(redis_url)["workers"]["message"]


FAR = """
from penstock.runtime import entrypoint, task

@task(queue="far")
def far(x: int) -> int:
    return x

@entrypoint()
def near(x: int) -> int:
    return far(x).result()
"""


@pytest.fixture
def sent(tmp_path: Path, redis_url: str) -> str:
    """A run that waits for a step on a queue which no worker serves."""
    (tmp_path / "flows.py").write_text(FAR)
    with Client(redis_url) as client:
        run = client.enqueue("near", 1)
        subprocess.run(
            program("worker", "flows.py", "--burst"),
            cwd=tmp_path,
            env=environment(redis_url),
            check=True,
            capture_output=True,
            timeout=60,
        )
        assert run.status() == "suspended"
    return run.run_id


@pytest.mark.open_runs
def test_a_queue_without_a_worker_is_named_where_a_step_waits_there(
    redis_url: str, sent: str
) -> None:
    finding = by_check(redis_url)["workers"]

    assert finding["level"] == "warning"
    assert "queue 'far', 1 step queued" in finding["message"]
    assert "-q far" in finding["fix"]
    assert "on queue 'far'" in penstock("show", sent, url=redis_url).stdout


@pytest.mark.open_runs
def test_a_step_elsewhere_that_lost_its_ticket_is_found_and_fixed(
    redis_url: str, redis_client: redis.Redis, sent: str
) -> None:
    (performer,) = cast("list[bytes]", redis_client.lrange("rq:queue:far", 0, -1))
    assert by_check(redis_url)["orphans"]["level"] == "ok"
    redis_client.delete("rq:queue:far")

    before = by_check(redis_url)["orphans"]
    after = by_check(redis_url, "--fix")

    assert performer.decode() in before["message"]
    assert after["fixed"]["requeued"] == [performer.decode()]
    assert redis_client.lrange("rq:queue:far", 0, -1) == [performer]


@pytest.mark.open_runs
def test_keys_that_will_never_go_are_named(redis_url: str, redis_client: redis.Redis) -> None:
    enqueue(redis_url)
    over = enqueue(redis_url)
    penstock("cancel", over, url=redis_url)
    assert by_check(redis_url)["retention"]["level"] == "ok"
    redis_client.persist(f"penstock:checkpoints:{over}")
    redis_client.rpush("penstock:taken:w", "n")

    finding = by_check(redis_url)["retention"]

    assert finding["level"] == "warning"
    assert "2 keys of runs" in finding["message"]
    assert finding["fix"].startswith(
        f"redis-cli -u {redis_url} EXPIRE 'penstock:checkpoints:{over}'"
    )


@pytest.mark.open_runs
def test_a_fix_reads_the_server_once(redis_url: str, redis_client: redis.Redis) -> None:
    lost = enqueue(redis_url)
    redis_client.delete("rq:queue:default")
    redis_client.config_resetstat()

    assert by_check(redis_url, "--fix")["fixed"]["requeued"] == [lost]

    info: Any = redis_client.info("commandstats")
    assert info["cmdstat_scan"]["calls"] == 1


@pytest.mark.open_runs
def test_tickets_are_looked_for_only_of_runs_that_are_queued(
    redis_url: str, redis_client: redis.Redis
) -> None:
    """There may be many that wait for answers."""
    with Client(redis_url) as client:
        for _ in range(5):
            call(client.connection, client.plans.calls.acquire(enqueue(redis_url), "w", "n", 8.0))
    redis_client.config_resetstat()

    assert by_check(redis_url)["orphans"]["level"] == "ok"

    info: Any = redis_client.info("commandstats")
    assert info["cmdstat_hmget"]["calls"] == 5, "the check of the encryption reads the newest runs"


def test_a_run_that_a_fix_gives_up_is_named(redis_url: str, redis_client: redis.Redis) -> None:
    run_id, said = enqueue(redis_url), []
    with Client(redis_url) as client:
        for nonce in ("1", "2", "3"):
            call(client.connection, client.plans.calls.acquire(run_id, "w", nonce, 8.0))
            redis_client.zadd("penstock:leases", {run_id: (time.time() - 60) * 1000})
            said.append(penstock("doctor", "--fix", url=redis_url).stdout.splitlines()[-1])

        assert client.get(run_id).info().status == "failed"
    assert said == [
        f"requeued: {run_id}",
        f"requeued: {run_id}",
        f"given up, because their workers kept dying: {run_id}",
    ]


def test_a_fix_of_a_server_that_does_not_answer_says_nothing_of_runs() -> None:
    said = penstock("doctor", "--fix", url="redis://127.0.0.1:1")

    assert said.exit_code == 2
    assert "nothing to requeue" not in said.stdout


def test_nothing_to_fix_is_said(redis_url: str) -> None:
    assert "nothing to requeue" in penstock("doctor", "--fix", url=redis_url).stdout


# -- encryption ---------------------------------------------------------------------------------

OLD, NEW = (f"{name}:{base64.b64encode(name.encode() * 8).decode()}" for name in ("2025", "2026"))


@pytest.mark.open_runs
@pytest.mark.parametrize(
    ("written", "here", "level", "says"),
    [
        ("", "", "ok", "off: values are stored as they are"),
        (OLD, f"{NEW},{OLD}", "ok", "on; newest runs: 2 under '2025'"),
        ("", NEW, "problem", "config is not encrypted, although keys are set here"),
        (NEW, "", "problem", "encrypted under key '2026', and no keys are set here"),
        (NEW, OLD, "problem", "encrypted under key '2026', and the keys here are 2025"),
    ],
)
def test_keys_and_stored_values_are_compared(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, written: str, here: str, level: str, says: str
) -> None:
    monkeypatch.setenv("PENSTOCK_ENCRYPTION_KEYS", written)
    enqueue(redis_url)
    penstock("cancel", enqueue(redis_url), url=redis_url)
    monkeypatch.setenv("PENSTOCK_ENCRYPTION_KEYS", here)

    finding = by_check(redis_url)["encryption"]

    assert (finding["level"], says in finding["message"]) == (level, True), finding


def test_keys_of_a_wrong_form_are_refused_in_one_sentence(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_ENCRYPTION_KEYS", "2026:c2VjcmV0")

    for command in ("doctor", "runs"):
        sentence = refused(penstock(command, url=redis_url))
        assert sentence.startswith("encryption key '2026' has 6 bytes and needs 32")
        assert "c2VjcmV0" not in sentence
