"""`penstock follow`: entries for people and for programs."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest

from penstock.runtime import Client
from penstock.runtime.settings import Settings
from tests.support.until import until
from tests.worker.commands import environment, penstock, program, refused, rows

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.open_runs,
]


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with Client(redis_url, settings=Settings(feed=1000)) as client:
        yield client


def test_follow_shows_a_line_for_each_change(client: Client, redis_url: str) -> None:
    run = client.enqueue("main", 1, thread_id="ann\n", tags={"tenant": "acme"})
    run.cancel()

    found = penstock("follow", "--after", "0", "--limit", "2", url=redis_url)

    lines = [line.split()[2:] for line in found.stdout.splitlines()]
    others = ["main", "thread=ann", "tenant=acme"]
    assert lines == [
        [run.run_id, "queued", "queued", *others],
        [run.run_id, "finished", "cancelled", *others],
    ]


def test_follow_writes_json_with_a_cursor_to_go_on_from(client: Client, redis_url: str) -> None:
    for number in range(3):
        client.enqueue("main", number, run_id=f"r{number}")
    follow = ("follow", "--json", "--limit", "1", "--after")

    (first,) = rows(penstock(*follow, "0", url=redis_url))
    (second,) = rows(penstock(*follow, first["cursor"], url=redis_url))

    assert (first["run_id"], second["run_id"]) == ("r0", "r1")
    assert (second["event"], second["status"], second["seq"]) == ("run.queued", "queued", 1)


@pytest.mark.parametrize(
    "filters",
    [
        ("--entrypoint", "other"),
        ("--thread", "t"),
        ("--tag", "tenant=acme"),
        ("--status", "cancelled", "--status", "failed"),
    ],
)
def test_follow_shows_what_passes(client: Client, redis_url: str, filters: tuple[str, ...]) -> None:
    client.enqueue("main", 1)
    wanted = client.enqueue("other", 1, thread_id="t", tags={"tenant": "acme"})
    wanted.cancel()

    found = penstock("follow", "--json", "--after", "0", "-n", "1", *filters, url=redis_url)

    assert [row["run_id"] for row in rows(found)] == [wanted.run_id]


def test_follow_says_how_to_turn_the_feed_on(redis_url: str) -> None:
    assert "PENSTOCK_FEED=100000" in refused(penstock("follow", url=redis_url))


def test_follow_refuses_what_is_no_cursor(client: Client, redis_url: str) -> None:
    client.enqueue("main", 1)

    assert "cursor of an entry" in refused(penstock("follow", "--after", "x", url=redis_url))


def test_follow_tells_that_entries_are_gone(redis_url: str) -> None:
    with Client(redis_url, settings=Settings(feed=1)) as client:
        for number in range(250):
            client.enqueue("main", number)

    assert "has expired" in refused(penstock("follow", "--after", "1", url=redis_url))


def test_follow_that_is_interrupted_says_where_to_go_on(client: Client, redis_url: str) -> None:
    client.enqueue("main", 1, run_id="r1")
    (entry,) = rows(penstock("follow", "--json", "--after", "0", "-n", "1", url=redis_url))
    process = subprocess.Popen(
        program("follow", "--after", "0"),
        env=environment(redis_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "r1" in until(process.stdout.readline)

    process.send_signal(signal.SIGINT)

    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip() == f"--after {entry['cursor']} shows what comes"
