from __future__ import annotations

from typing import Any

import pytest
import redis

from penstock.runtime import Client, RedisStore
from penstock.runtime.diagnostics import memory
from penstock.runtime.diagnostics.memory import measure
from penstock.runtime.diagnostics.size import size
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import Settings
from tests.worker.commands import penstock, refused, rows

pytestmark = [
    pytest.mark.open_runs,
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
]


@pytest.fixture
def client(redis_url: str) -> Client:
    return Client(redis_url, settings=Settings())


def weights(url: str, *options: str) -> dict[str, Any]:
    found = rows(penstock("du", "--redis", url, "--json", *options))
    return {str(next(iter(row.values()))): row for row in found}


def test_bytes_are_shown_by_kind_of_key(redis_url: str, client: Client) -> None:
    client.enqueue("main", "x" * 100_000, thread_id="t")
    client.enqueue("main", 1)
    RedisStore(redis_url, settings=Settings()).put(("a",), "k", {"v": 1})

    found = weights(redis_url)

    assert found["penstock:run:*"]["keys"] == 2
    assert found["penstock:checkpoints:*"]["bytes"] > 100_000
    assert found["penstock:store:items:*"]["keys"] == 1
    assert found["penstock:open:*"]["keys"] == 2
    assert found["rq:job:*"]["keys"] == 2
    assert found["rq:queues"]["keys"] == 1
    kinds = [row["bytes"] for row in found.values() if "kind" in row]
    assert kinds == sorted(kinds, reverse=True)
    assert rows(penstock("du", "--redis", redis_url, "--json"))[-1]["total"] == sum(kinds)


def test_webhooks_are_kinds_of_their_own(redis_url: str, client: Client) -> None:
    client.webhooks.put("w", "https://example.com/in")
    client.enqueue("main", 1).cancel()
    client.webhooks.test("w")

    found = weights(redis_url)

    assert found["penstock:webhooks"]["keys"] == 1
    assert found["penstock:webhook:*"]["keys"] == 2  # what waits, and when
    assert found["penstock:webhooks:due"]["keys"] == 1
    assert found["penstock:hooks"]["keys"] == 1
    assert "other" not in found


def test_the_largest_runs_and_threads_are_named(redis_url: str, client: Client) -> None:
    sizes = {name: 50_000 * number for number, name in enumerate("abc", start=1)}
    for name, length in sizes.items():
        client.enqueue("main", "x" * length, run_id=name, thread_id="big" if name < "c" else None)

    found = rows(penstock("du", "--redis", redis_url, "--json", "--top", "2"))

    runs = [row["run"] for row in found if "run" in row]
    threads = {row["thread"]: row["bytes"] for row in found if "thread" in row}
    assert runs == ["c", "b"]
    assert set(threads) == {"big", "c"}
    assert all(150_000 < weight < 250_000 for weight in threads.values())


def test_what_a_run_knows_of_its_steps_elsewhere_is_its_own(
    redis_url: str, redis_client: redis.Redis, client: Client
) -> None:
    run = client.enqueue("main", 1, thread_id="t")
    before = weights(redis_url)[run.run_id]["bytes"]
    redis_client.hset(Keys().remote(run.run_id), "far:0", "x" * 100_000)
    redis_client.pexpire(Keys().remote(run.run_id), 60_000)

    assert weights(redis_url)[run.run_id]["bytes"] > before + 100_000


def test_of_many_keys_some_runs_are_measured_whole_and_the_rest_is_guessed(
    redis_client: redis.Redis, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(120):
        client.enqueue("main", "x" * 1000, run_id=f"r{number}")
    exact = measure(redis_client, Keys(), top=200, all_keys=True)
    monkeypatch.setattr(memory, "KEYS_MEASURED", 200)

    guessed = measure(redis_client, Keys(), top=200, all_keys=False)

    assert (exact.each, guessed.each > 1) == (1, True)
    assert {kind.kind: kind.keys for kind in guessed.kinds} == {
        kind.kind: kind.keys for kind in exact.kinds
    }
    assert set(guessed.runs) < set(exact.runs)
    total, guess = (sum(kind.bytes for kind in each.kinds) for each in (exact, guessed))
    assert 0.5 * total < guess < 2 * total


def test_it_is_shown_to_people(redis_url: str, client: Client) -> None:
    client.enqueue("main", "x" * 5000, run_id="r", thread_id="t")

    lines = penstock("du", "--redis", redis_url).stdout.splitlines()

    assert lines[0].split() == ["bytes", "keys", "kind"]
    assert any(line.split()[1:] == ["KiB", "1", "penstock:checkpoints:*"] for line in lines)
    assert "bytes      largest runs" in lines and lines[-1].split()[-1] == "t"


def test_an_empty_redis_takes_nothing(redis_url: str) -> None:
    assert rows(penstock("du", "--redis", redis_url, "--json")) == [
        {"total": 0, "measured_each": 1}
    ]


def test_without_redis_it_says_so_in_a_sentence() -> None:
    assert refused(penstock("du", "--redis", "redis://127.0.0.1:1")).startswith("Redis cannot")


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**20, "1.0 MiB"), (5 * 2**30, "5.0 GiB")],
)
def test_sizes_are_written_in_one_unit(number: int, shown: str) -> None:
    assert size(number) == shown
