"""Filters of runs: which values they take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.types.run_filter import RunFilter


@pytest.mark.parametrize("name", ["entrypoint", "queue", "thread", "error", "version"])
def test_an_empty_filter_is_refused_and_does_not_stand_for_all_runs(name: str) -> None:
    empty: dict[str, Any] = {name: ""}

    with pytest.raises(ConfigurationError, match=rf"filter {name} \(--{name}\) is empty: .*leave"):
        RunFilter.of(status="failed", **empty)


def test_a_filter_without_any_status_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"filter status .* is empty"):
        RunFilter.of(status=[], entrypoint="pay")


def test_filters_that_are_none_let_all_runs_pass() -> None:
    assert RunFilter.of(status=None, entrypoint=None, thread=None, since=None, tag={}).is_empty


def test_no_time_ago_is_now() -> None:
    before = datetime.now(UTC).timestamp() * 1000

    wanted = RunFilter.of(since=timedelta(0), until=timedelta(0))

    assert wanted.until is not None
    assert before - 1 <= wanted.since <= wanted.until


@pytest.mark.parametrize("name", ["since", "until"])
def test_a_time_before_all_times_is_refused(name: str) -> None:
    ago: dict[str, Any] = {name: timedelta(days=99_999_999)}

    with pytest.raises(ConfigurationError, match=rf"{name} \(--{name}\) is 99999999 days ago"):
        RunFilter.of(**ago)
