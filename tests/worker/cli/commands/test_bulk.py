"""`penstock failures`, `rerun`, `bulk`, `export` and `workers`."""

from __future__ import annotations

import json

import pytest

from penstock.runtime import Client
from penstock.runtime.errors import RunFailedError
from tests.faults.support.fixtures import client, fleet, server
from tests.faults.support.workers import QUICK, Fleet
from tests.support.attempts import end
from tests.worker.commands import penstock, refused, rows

__all__ = ["client", "fleet", "server"]

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.open_runs,
]


@pytest.fixture
def names(redis_url: str) -> list[str]:
    """Three runs that failed, the last one first."""
    with Client(redis_url) as client:
        for number in range(3):
            tags = {"tenant": "acme" if number else "initech"}
            run = client.enqueue("main", number, run_id=f"r{number}", tags=tags)
            end(client, run.run_id, "failed")
    return ["r2", "r1", "r0"]


def test_runs_are_listed_page_by_page_and_counted(redis_url: str, names: list[str]) -> None:
    first = penstock("runs", "-n", "2", "--json", url=redis_url)
    shown = [json.loads(line) for line in first.stdout.splitlines()]
    after = first.stderr.split("--after ")[1].split(",")[0]
    rest = rows(penstock("runs", "--after", after, "--json", url=redis_url))

    assert {run["run_id"] for run in [*shown, *rest]} == set(names)
    assert len(rest) == 1
    every = penstock("runs", "-n", "1", "--all", "--tag", "tenant=acme", "--json", url=redis_url)
    assert {run["run_id"] for run in rows(every)} == {"r1", "r2"}
    assert penstock("runs", "--count", "--since", "1h", url=redis_url).stdout == "3\n"
    counted = penstock("runs", "--by", "tag:tenant", "--json", url=redis_url)
    assert rows(counted) == [{"acme": 2, "initech": 1}]
    assert "no run passes" in penstock("runs", "--entrypoint", "x", url=redis_url).stderr
    assert "is no tag" in penstock("runs", "--tag", "x", url=redis_url).stderr
    assert "is no time" in penstock("runs", "--since", "soon", url=redis_url).stderr


def test_a_dry_run_names_runs_and_changes_nothing(redis_url: str, names: list[str]) -> None:
    dry = penstock("bulk", "resume", "--status", "failed", "--dry-run", url=redis_url)
    done = penstock("bulk", "resume", "--tag", "tenant=acme", url=redis_url)

    assert dry.stdout.splitlines()[0] == "resume: 3 runs, nothing was changed"
    assert {line.strip() for line in dry.stdout.splitlines()[1:]} == set(names)
    assert done.stdout == "resume: 2 runs, 0 skipped\n"
    assert penstock("runs", "--by", "status", "--json", url=redis_url).stdout == (
        '{"queued": 2, "failed": 1}\n'
    )
    assert "all=True" in refused(penstock("bulk", "delete", url=redis_url))
    deleted = rows(penstock("bulk", "delete", "--all", "--json", url=redis_url))
    assert deleted == [{"done": 1, "skipped": 0, "run_ids": ["r0"]}]


def test_a_worker_does_it_where_the_command_only_starts_it(
    redis_url: str, names: list[str]
) -> None:
    shown = penstock(
        "bulk", "fork", "--all", "--detach", "--worker-queue", "bulks", url=redis_url
    ).stdout
    (started,) = rows(penstock("bulk", "rerun", "--all", "--detach", "--json", url=redis_url))
    cause = rows(penstock("failures", "--json", url=redis_url))

    assert shown.startswith("fork: run ")
    assert shown.split()[2] != started["run_id"]
    assert "penstock.bulk" in penstock("show", started["run_id"], url=redis_url).stdout
    with Client(redis_url) as client:
        queues = [client.get(name).info().queue for name in (shown.split()[2], started["run_id"])]
    assert queues == ["bulks", "default"]
    assert cause == []
    for refusal in (("bulk", "fork", "--all", "--detach", "--dry-run"), ("failures", "--detach")):
        assert penstock(*refusal, url=redis_url).exit_code == 2
    for other in (("bulk", "fork", "--all"), ("failures", "c", "--resume")):
        assert penstock(*other, "--worker-queue", "q", url=redis_url).exit_code == 2
    assert "after_step is of fork" in refused(
        penstock("bulk", "resume", "--all", "--after-step", "a:0", url=redis_url)
    )


@pytest.mark.parametrize("option", ["entrypoint", "queue", "error", "thread", "version"])
def test_an_empty_filter_deletes_nothing(redis_url: str, names: list[str], option: str) -> None:
    filters = ("--status", "failed", f"--{option}", "")

    assert f"(--{option}) is empty" in refused(penstock("bulk", "delete", *filters, url=redis_url))

    assert penstock("runs", "--count", url=redis_url).stdout == "3\n"


def test_no_time_ago_is_a_filter(redis_url: str, names: list[str]) -> None:
    assert penstock("runs", "--count", "--since", "0s", url=redis_url).stdout == "0\n"
    assert penstock("runs", "--count", "--until", "0s", url=redis_url).stdout == "3\n"


def test_a_time_before_all_times_is_refused(redis_url: str) -> None:
    assert "(--since) is" in refused(penstock("runs", "--since", "99999999d", url=redis_url))
    assert "'--until'" in penstock("runs", "--until", "99999999999d", url=redis_url).stderr


def test_runs_are_not_counted_by_nothing(redis_url: str) -> None:
    assert "not counted by" in refused(penstock("runs", "--by", "", url=redis_url))


def test_a_run_is_run_again(redis_url: str, names: list[str]) -> None:
    new = penstock("rerun", "r0", url=redis_url).stdout.strip()

    shown = penstock("show", new, "--input", url=redis_url).stdout
    assert "rerun of   r0" in shown
    assert "tags       tenant=initech" in shown
    assert "input  0" in shown
    (as_json,) = rows(penstock("show", new, "--input", "--json", url=redis_url))
    assert (as_json["input"], as_json["tags"]) == (0, {"tenant": "initech"})
    assert "no run" in refused(penstock("rerun", "nobody", url=redis_url))


def test_runs_are_exported_with_their_events(redis_url: str, names: list[str]) -> None:
    lines = rows(penstock("export", "--since", "1d", "--events", "-n", "2", url=redis_url))
    rest = rows(penstock("export", "--after", lines[-1]["after"], url=redis_url))

    assert {line["run_id"] for line in [*lines[:-1], *rest[:-1]]} == set(names)
    assert rest[-1] == {"after": None}
    assert [event["mode"] for event in lines[0]["events"]] == ["run.queued", "run.finished"]
    assert lines[0]["events"][0]["seq"] == 1


def test_failures_are_shown_and_resumed(fleet: Fleet, client: Client) -> None:
    url = fleet.url
    fleet.start(environ=QUICK)
    run = client.enqueue("broken", "no")
    with pytest.raises(RunFailedError):
        run.result(10)

    (group,) = rows(penstock("failures", "--json", url=url))
    (worker,) = rows(penstock("workers", "--json", url=url))

    assert (group["entrypoint"], group["failed"], group["sample"]) == ("broken", 1, run.run_id)
    assert worker["queues"] == ["default"]
    assert penstock("workers", url=url).stdout.splitlines()[1].split()[1] == "default"
    assert group["cause"] in penstock("failures", group["cause"], url=url).stdout
    assert group["cause"] in penstock("show", run.run_id, url=url).stdout
    assert "needs the CAUSE" in penstock("failures", "--resume", url=url).stderr
    resumed = penstock("failures", group["cause"], "--resume", url=url)
    assert resumed.stdout == "resume: 1 runs, 0 skipped\n"
    assert "no failed run" in penstock("failures", "nobody", url=url).stderr
    with pytest.raises(RunFailedError):
        run.result(10)
