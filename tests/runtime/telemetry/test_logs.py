"""What a worker logs of runs, and what runs log themselves."""

from __future__ import annotations

import json
import logging
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis

from penstock.runtime import Client, InMemorySaver, RunLogFilter, entrypoint, task
from penstock.runtime.telemetry.log_filter import add_to_all_handlers
from tests.worker.commands import environment, program

pytestmark = pytest.mark.filterwarnings(
    "ignore::penstock.runtime.redis.plans.requests.UnannouncedEntrypointWarning"
)

FLOWS = """
import asyncio, logging
from penstock.runtime import entrypoint, task

logger = logging.getLogger("shop")
handler = logging.FileHandler("own.log")
handler.setFormatter(logging.Formatter("%(run_id)s|%(entrypoint)s|%(step_id)s|%(message)s"))
logger.addHandler(handler)
logging.getLogger("boot").warning("imported")

class Odd(Exception):
    def __str__(self):
        raise RuntimeError("no words")

@task
def explode(x):
    logger.warning("about to explode %s", x)
    try:
        1 / 0
    except ZeroDivisionError as error:
        raise ValueError(f"no {x}") from error

@task
async def whisper(x):
    await asyncio.to_thread(logger.warning, "whispered", extra={"step_id": "my own"})

@entrypoint()
def fails(x: int) -> None:
    explode(x).result()

@entrypoint()
async def talks(x: int) -> None:
    logger.warning("hello")
    await whisper(x)

@entrypoint()
def odd(x: int) -> None:
    raise Odd()

@entrypoint(version="3")
def third(x: int) -> int:
    return x

@task(queue="away")
def remote(x):
    raise ValueError("far away")

@entrypoint()
def calls(x: int) -> str:
    try:
        return remote(x).result()
    except ValueError as error:
        return str(error)
"""


def work(folder: Path, url: str, *options: str) -> str:
    (folder / "flows.py").write_text(FLOWS)
    done = subprocess.run(
        program("worker", "flows.py", "--burst", *options),
        cwd=folder,
        env=environment(url),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_failed_run_is_an_error_with_its_cause(redis_url: str, tmp_path: Path) -> None:
    with Client(redis_url) as client:
        run = client.enqueue("fails", 7, thread_id="t1")

        (line,) = [each for each in objects(work(tmp_path, redis_url, "--log-json"))
                   if each.get("event") == "run.ended"]  # fmt: skip

    assert line["level"] == "error"
    expected = {
        "run_id": run.run_id,
        "entrypoint": "fails",
        "thread_id": "t1",
        "queue": "default",
        "status": "failed",
        "attempt": 1,
    }
    assert {name: line[name] for name in expected} == expected
    assert 0 < line["duration"] < 60
    assert (
        f"fails {run.run_id} failed in {line['duration']:.3f} s: ValueError: no 7"
        == line["message"]
    )
    assert "ZeroDivisionError: division by zero" in line["traceback"]
    assert "in explode" in line["traceback"]


def test_the_records_of_a_run_name_the_version_that_it_began_with(
    redis_url: str, tmp_path: Path
) -> None:
    with Client(redis_url) as client:
        client.enqueue("third", 7)

    lines = objects(work(tmp_path, redis_url, "--log-json"))

    assert [each["version"] for each in lines if each.get("event") == "run.ended"] == ["3"]


def test_failures_are_one_error_each_and_have_their_cause_in_common(
    redis_url: str, tmp_path: Path
) -> None:
    with Client(redis_url) as client:
        for number in (7, 8):
            client.enqueue("fails", number)
        client.enqueue("odd", 7)

        lines = objects(work(tmp_path, redis_url, "--log-json"))

        groups = {group.cause for group in client.failures()}
    causes = [each["cause"] for each in lines if each["level"] == "error"]
    assert {*causes} == groups
    assert len(causes) == 3
    assert len({*causes}) == 2
    assert not any("cause" in each for each in lines if each["level"] == "info")


def test_a_failed_run_shows_its_traceback_to_people(redis_url: str, tmp_path: Path) -> None:
    with Client(redis_url) as client:
        run = client.enqueue("fails", 7)

        said = work(tmp_path, redis_url)

    assert f"error: fails {run.run_id} failed in " in said
    assert "s: ValueError: no 7\n" in said
    assert "Traceback (most recent call last):" in said


def test_an_error_that_has_no_words_is_logged_too(redis_url: str, tmp_path: Path) -> None:
    with Client(redis_url) as client:
        run = client.enqueue("odd", 7)

        (line,) = [each for each in objects(work(tmp_path, redis_url, "--log-json"))
                   if each.get("event") == "run.ended"]  # fmt: skip

    assert line["level"] == "error"
    assert line["run_id"] == run.run_id
    assert "Odd" in line["message"]


def test_a_remote_step_that_fails_is_a_warning_as_its_run_may_go_on(
    redis_url: str, tmp_path: Path
) -> None:
    with Client(redis_url) as client:
        run = client.enqueue("calls", 7)
        said = ""
        for queue in ("default", "away", "default"):
            said += work(tmp_path, redis_url, "--log-json", "-q", queue)

        assert run.result(1) == "far away"
    lines = [each for each in objects(said) if each.get("event") == "run.ended"]
    levels = {each["queue"]: each["level"] for each in lines}
    assert levels == {"default": "info", "away": "warning"}
    (step,) = [each for each in lines if each["queue"] == "away"]
    assert "ValueError: far away" in step["message"]
    assert "traceback" in step


def test_what_a_run_logs_carries_its_id(redis_url: str, tmp_path: Path) -> None:
    with Client(redis_url) as client:
        run = client.enqueue("talks", 1, thread_id="t1")

        lines = objects(work(tmp_path, redis_url, "--log-json"))

    own = [each for each in lines if each["logger"] in ("boot", "shop")]
    names = ("message", "run_id", "entrypoint", "thread_id", "step_id")
    assert [tuple(each.get(name) for name in names) for each in own] == [
        ("imported", None, None, None, None),
        ("hello", run.run_id, "talks", "t1", None),
        ("whispered", run.run_id, "talks", "t1", "my own"),
    ]
    assert (tmp_path / "own.log").read_text().splitlines() == [
        f"{run.run_id}|talks||hello",
        f"{run.run_id}|talks|my own|whispered",
    ]


def test_what_a_run_logs_begins_with_its_id_for_people(redis_url: str, tmp_path: Path) -> None:
    with Client(redis_url) as client:
        run = client.enqueue("fails", 7)

        said = work(tmp_path, redis_url)

    assert f"warning: [{run.run_id}] about to explode 7\n" in said
    assert said.count(f"[{run.run_id}]") == 1, "lines that name the run are left as they are"


def test_an_app_adds_the_filter_to_its_own_handlers(redis_client: redis.Redis) -> None:
    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    kept: list[Any] = []
    handler, logger = Kept(), logging.getLogger("penstock-test-app")
    handler.addFilter(RunLogFilter())
    logger.addHandler(handler)

    @task
    def step(x: int) -> int:
        logger.warning("in a step")
        return x

    @entrypoint(checkpointer=InMemorySaver())
    def main(x: int) -> int:
        return step(x).result()

    try:
        logger.warning("outside")
        main.invoke(1, {"configurable": {"thread_id": "t1"}})
    finally:
        logger.removeHandler(handler)

    outside, inside = kept
    assert (outside.run_id, outside.entrypoint, outside.thread_id, outside.step_id) == ("",) * 4
    assert inside.run_id
    assert (inside.entrypoint, inside.thread_id, inside.step_id) == ("main", "t1", "step:0")


def test_the_filter_is_added_once_to_each_handler() -> None:
    handler, logger = logging.NullHandler(), logging.getLogger("penstock-test-once")
    logger.addHandler(handler)
    try:
        add_to_all_handlers()
        add_to_all_handlers()
    finally:
        logger.removeHandler(handler)
        for each in logging.getLogger().handlers:
            each.filters = [one for one in each.filters if not isinstance(one, RunLogFilter)]

    assert len(handler.filters) == 1
