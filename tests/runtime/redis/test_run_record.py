from __future__ import annotations

from typing import Any

import pytest

from penstock.runtime import Client
from penstock.runtime.redis.plans.requests import UnannouncedEntrypointWarning
from penstock.runtime.redis.run_record import DEFAULTS, shortened, whole
from penstock.runtime.settings import Settings
from tests.runtime.redis.test_keys import lua

USUAL = Settings()


def test_what_is_not_written_is_what_the_settings_say_by_default() -> None:
    assert DEFAULTS["retention"] == str(round(USUAL.retention * 1000))
    assert DEFAULTS["thread_retention"] == str(round(USUAL.thread_retention * 1000))
    assert DEFAULTS["history"] == str(USUAL.history)
    assert DEFAULTS["keep"] == str(USUAL.keep)


def test_the_scripts_know_the_same() -> None:
    assert lua("tostring(RETENTION)") == DEFAULTS["retention"]
    assert lua("tostring(HISTORY)") == DEFAULTS["history"]


@pytest.mark.open_runs
def test_a_run_without_a_thread_says_little_while_it_is_queued(
    redis_client: Any, redis_url: str
) -> None:
    with Client(redis_url) as client, pytest.warns(UnannouncedEntrypointWarning):
        run = client.enqueue("nothing", 1, run_id="r")
        said = run.info()

    written = redis_client.hkeys("penstock:run:r")

    assert sorted(written) == [
        *(b"created", b"created_at", b"digest", b"entrypoint"),
        *(b"lone", b"queue", b"seq", b"status", b"thread_key"),
    ]
    assert said.thread_id == "r"
    assert said.attempt == 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"status": "queued", "created": "5"}, {"thread": "r", "own_thread": "1", "updated": "5"}),
        ({"status": "queued", "thread": "t"}, {"thread": "t", "own_thread": "0"}),
        ({"status": "queued", "lone": "1"}, {"checkpoint": "1", "step": "-1"}),
        ({"status": "queued", "keep": "7", "updated": "9"}, {"keep": "7", "updated": "9"}),
        ({"status": "queued"}, dict(DEFAULTS)),
    ],
)
def test_what_a_hash_does_not_say_is_added(fields: dict[str, str], says: dict[str, str]) -> None:
    read = whole("r", fields)

    assert {name: read[name] for name in says} == says


def test_a_run_that_is_gone_has_no_fields() -> None:
    assert whole("r", {}) == {}


def test_fields_that_differ_are_written() -> None:
    fields = {**{name: value + "1" for name, value in DEFAULTS.items()}, "queue": "default"}

    assert shortened(fields) == fields
    assert shortened(DEFAULTS) == {}
