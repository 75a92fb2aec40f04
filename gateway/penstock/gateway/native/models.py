"""The queries and bodies of the native API; a field that is not known is refused."""

from __future__ import annotations

__all__ = [
    "Answer",
    "BulkBody",
    "Copy",
    "CountQuery",
    "Disabling",
    "EventsQuery",
    "FailuresQuery",
    "FilterQuery",
    "Fork",
    "HistoryQuery",
    "LimitQuery",
    "NewRun",
    "Rerun",
    "ResultQuery",
    "Resume",
    "RunQuery",
    "RunsQuery",
    "StateQuery",
    "Update",
    "WebhookBody",
]

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from penstock.gateway.compatible.request_model import Config
from penstock.runtime.types.feed_entry import FeedQuery
from penstock.runtime.types.interrupt import NOTHING
from penstock.runtime.types.run_filter import StatusQuery
from penstock.runtime.types.tags import checked_tags
from penstock.runtime.types.webhook import DEFAULT_EVENTS

Text = Annotated[str, Field(min_length=1)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _pairs(given: list[str]) -> list[str]:
    for each in given:
        name, mark, value = each.partition("=")
        if not mark:
            raise ValueError(f"a tag is given as KEY=VALUE, not {each!r}")
        checked_tags({name: value})
    return given


class FilterQuery(_Model):
    """Which runs are meant: those that have all that is asked for."""

    status: list[str] = []
    """A status; several are given as several parameters."""
    entrypoint: Text | None = None
    queue: Text | None = None
    tag: Annotated[list[str], AfterValidator(_pairs)] = []
    """`KEY=VALUE`; of several, a run has all."""
    thread: Text | None = None
    error: Text | None = None
    """The cause of a group of failures."""
    version: Text | None = None
    since: datetime | None = None
    """When a run ended, if it is over, else was enqueued: not before; with its zone."""
    until: datetime | None = None

    def filters(self) -> StatusQuery:
        """Return the filters as a client takes them."""
        return {
            "status": self.status or None,
            "entrypoint": self.entrypoint,
            "queue": self.queue,
            "tag": dict(each.split("=", 1) for each in self.tag),
            "thread": self.thread,
            "error": self.error,
            "version": self.version,
            "since": self.since,
            "until": self.until,
        }


class RunsQuery(FilterQuery):
    """A page of runs."""

    limit: int = Field(50, ge=1, le=1000)
    after: Text | None = None
    """The cursor that the page before had as `after`."""


class CountQuery(FilterQuery):
    """What runs are counted by."""

    by: Text = "status"
    """`status`, `entrypoint`, `queue` or `tag:<key>`."""


class LimitQuery(_Model):
    """How many, at most."""

    limit: int = Field(50, ge=1, le=1000)


class FailuresQuery(LimitQuery):
    """Which groups of failures."""

    cause: Text | None = None
    """One alone."""


class NewRun(_Model):
    """A run to enqueue."""

    entrypoint: Text
    input: Any = None
    thread_id: Text | None = None
    run_id: Text | None = None
    """With one, the request may be sent again: the same id is one run."""
    queue: Text | None = None
    on_busy: Literal["queue", "reject", "interrupt", "rollback"] = "queue"
    context: Any = None
    config: Config = {}
    tags: dict[str, str] = {}
    retention: float | None = Field(default=None, gt=0)
    """Seconds for which the run is kept after its end."""
    retention_failed: float | None = Field(default=None, gt=0)
    durability: Literal["sync", "async", "exit"] = "async"


class RunQuery(_Model):
    """What is shown of a run."""

    input: bool = False
    """With its input."""
    values: bool = False
    """With what its steps returned."""


class EventsQuery(_Model):
    """Which events of a run are sent."""

    mode: list[str] = ["facts"]
    """`facts`: all that is stored; or stream modes, several as several parameters."""
    after: int = Field(0, ge=0)
    """The seq of the last event that was seen; the header Last-Event-ID wins."""
    subgraphs: bool = False
    """With what nested entrypoints and subgraphs stream."""


class ResultQuery(_Model):
    """How long the answer may take."""

    timeout: float = Field(30, ge=0, le=300)
    """Seconds."""


class Answer(_Model):
    """The answer to a question, or several by the ids of theirs."""

    answer: Any = None
    answers: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("give either answer, or answers by the ids of questions")
        return self

    @property
    def given(self) -> Any:
        """The answer as a client takes it."""
        return self.answer if self.answers is None else self.answers


class Resume(_Model):
    """What is to happen to steps whose records no longer fit the code."""

    accept: list[str] = []
    """Steps whose records stand."""
    forget: list[str] = []
    """Steps that are to be executed again."""


class Rerun(_Model):
    """What a run is given when it is executed once more."""

    input: Any = None
    """Instead of its own input; without this field it is given the same."""

    @property
    def given(self) -> Any:
        """The input as a client takes it."""
        return self.input if "input" in self.model_fields_set else NOTHING


class Fork(_Model):
    """Where a copy of a run begins."""

    after_step: Text | None = None
    """The last step that is not executed again; by default all that are recorded."""


class StateQuery(_Model):
    """Which state of a thread."""

    checkpoint: Text | None = None
    """By default the newest."""


class HistoryQuery(LimitQuery):
    """A page of the states of a thread."""

    before: Text | None = None
    """The id of the checkpoint that ended the page before."""


class Update(_Model):
    """A change of the state of a thread."""

    values: Any
    as_node: Text | None = None
    """The node of a graph that the change is to come from."""
    checkpoint: Text | None = None
    """The checkpoint that is changed; by default the newest."""


class Copy(_Model):
    """The name of the copy of a thread."""

    target: Text


class BulkBody(FilterQuery):
    """What is done to which runs."""

    action: Literal["cancel", "resume", "rerun", "fork", "delete", "unpin"]
    dry_run: bool = False
    """Name the runs, and change none."""
    all: bool = False
    """Needed where there is no filter."""
    rate: float = Field(100, gt=0)
    """Runs a second."""
    accept: Sequence[Text] = ()
    """Of runs that are resumed: the steps whose records stand."""
    forget: Sequence[Text] = ()
    """Of runs that are resumed: the steps that are executed again."""
    after_step: Text | None = None
    """Of runs that are forked: the last step that is not executed again."""
    detach: bool = False
    """Have a worker do it, as a run of its own, which the answer names."""
    worker_queue: Text | None = None
    """With `detach`: the queue whose workers do it."""

    @model_validator(mode="after")
    def _queue_if_detached(self) -> Self:
        if self.worker_queue is not None and not self.detach:
            raise ValueError("worker_queue is for a bulk that a worker does: give detach, too")
        return self


class WebhookFilters(_Model):
    """Which runs a webhook is told of: those that have all that is asked for."""

    entrypoint: Text | None = None
    thread: Text | None = None
    tag: dict[str, str] = {}
    status: Text | Annotated[list[Text], Field(min_length=1)] | None = None
    """The status after the change, or several."""

    def filters(self) -> FeedQuery:
        """Return the filters as a client takes them."""
        found: FeedQuery = {"entrypoint": self.entrypoint, "thread": self.thread}
        return {**found, "tag": self.tag, "status": self.status}


class WebhookBody(_Model):
    """A webhook."""

    url: Text
    events: list[Text] = [*DEFAULT_EVENTS]
    where: WebhookFilters = WebhookFilters()
    secret: Text | None = None
    """By default a new one is made, and that of another is kept."""


class Disabling(_Model):
    """Why a webhook is disabled."""

    reason: str = Field("", max_length=300)
