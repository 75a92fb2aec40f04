"""Which runs somebody looks for, and what is found of them at a time."""

from __future__ import annotations

__all__ = ["RunFilter", "RunPage", "RunQuery", "StatusQuery"]

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.types.run import OPEN, Run, RunStatus
from penstock.runtime.types.tags import checked_tags


class RunQuery(TypedDict, total=False):
    """The filters of runs, but for their status; a run passes that has all that is asked for."""

    entrypoint: str | None
    queue: str | None
    tag: Mapping[str, str] | None
    """Tags that a run has, perhaps among others."""
    thread: str | None
    since: datetime | timedelta | None
    """When a run ended, if it is over, else was enqueued: not before; a timedelta: so long ago."""
    until: datetime | timedelta | None
    """Before that."""
    error: str | None
    """The cause of failed runs, as `client.failures` names it."""
    version: str | None
    """The version of the code that first executed a run."""


class StatusQuery(RunQuery, total=False):
    """The filters of runs."""

    status: str | Iterable[str] | None


class RunPage(list[Run]):
    """Some of the runs that were looked for; `after` is the cursor of the next page, or None."""

    def __init__(
        self,
        runs: Iterable[Run] = (),
        after: str | None = None,
        epochs: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(runs)
        self.after = after
        self.epochs = epochs or {}
        """The number of the last attempt of each run, by run id, as it was read."""


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs somebody looks for; times are milliseconds since 1970."""

    statuses: frozenset[RunStatus] = frozenset(RunStatus)
    entrypoint: str | None = None
    queue: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    thread: str | None = None
    since: int = 0
    until: int | None = None
    cause: str | None = None
    version: str | None = None

    @classmethod
    def of(
        cls,
        *,
        status: str | Iterable[str] | None = None,
        entrypoint: str | None = None,
        queue: str | None = None,
        tag: Mapping[str, str] | None = None,
        thread: str | None = None,
        since: datetime | timedelta | None = None,
        until: datetime | timedelta | None = None,
        error: str | None = None,
        version: str | None = None,
    ) -> RunFilter:
        """Read the filters of a query.

        Raises:
            ConfigurationError: one of them has a value that no run could have, or is empty.
        """
        return cls(
            _statuses(status),
            _checked("entrypoint", entrypoint),
            _checked("queue", queue),
            checked_tags(tag),
            _checked("thread", thread),
            _milliseconds("since", since) or 0,
            _milliseconds("until", until),
            _checked("error", error),
            _checked("version", version),
        )

    def written(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        fields = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return {**fields, "statuses": sorted(self.statuses), "tags": dict(self.tags)}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> RunFilter:
        """Read what `written` returned."""
        fields: dict[str, Any] = {**written}
        fields["statuses"] = frozenset(map(RunStatus, written["statuses"]))
        return cls(**fields)

    @property
    def status(self) -> RunStatus | None:
        """The one status that passes; None if there are several."""
        return next(iter(self.statuses)) if len(self.statuses) == 1 else None

    @property
    def is_empty(self) -> bool:
        """Whether every run passes."""
        return self == RunFilter()

    def admits(self, run: Run) -> bool:
        """Tell whether a run passes."""
        moment = run.finished_at or run.created_at
        time = round(moment.timestamp() * 1000)
        return (
            run.status in self.statuses
            and self.entrypoint in (None, run.entrypoint)
            and self.queue in (None, run.queue)
            and self.thread in (None, run.thread_id)
            and self.cause in (None, run.cause)
            and self.version in (None, run.version)
            and self.tags.items() <= run.tags.items()
            and self.since <= time
            and (self.until is None or time < self.until)
        )


def _statuses(status: str | Iterable[str] | None) -> frozenset[RunStatus]:
    if status is None:
        return frozenset(RunStatus)
    names = [status] if isinstance(status, str) else list(status)
    if not names:
        raise _empty("status")
    for name in names:
        if name not in list(RunStatus):
            raise ConfigurationError(
                f"no run is {name!r}: a status is one of {', '.join(RunStatus)}; an open one is "
                f"{', '.join(each for each in RunStatus if each in OPEN)}."
            )
    return frozenset(map(RunStatus, names))


def _checked(name: str, value: str | None) -> str | None:
    if value == "":  # a variable that was not set must not stand for all runs
        raise _empty(name)
    return value


def _empty(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"the filter {name} (--{name}) is empty: give it a value, or leave it out to find runs "
        "with any."
    )


def _milliseconds(name: str, moment: datetime | timedelta | None) -> int | None:
    if moment is None:
        return None
    if isinstance(moment, timedelta):
        moment = _ago(name, moment)
    if moment.tzinfo is None:
        raise ConfigurationError(
            f"{name} is a time without a zone, {moment}: give it one, as datetime.now(UTC) has."
        )
    return round(moment.timestamp() * 1000)


def _ago(name: str, duration: timedelta) -> datetime:
    try:
        return datetime.now(UTC) - duration
    except OverflowError:
        raise ConfigurationError(
            f"{name} (--{name}) is {duration.days} days ago, which is before all times: leave it "
            "out, or give it a later time."
        ) from None
