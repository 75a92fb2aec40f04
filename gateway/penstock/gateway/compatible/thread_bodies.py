"""The queries and bodies of the routes about threads and their state."""

from __future__ import annotations

__all__ = [
    "CheckpointState",
    "CountThreads",
    "History",
    "HistoryQuery",
    "NewThread",
    "PatchState",
    "PatchThread",
    "Prune",
    "SearchThreads",
    "StateQuery",
    "Supersteps",
    "ThreadQueryFields",
    "Ttl",
    "UpdateState",
    "seconds_of",
]

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, cast

from pydantic import BeforeValidator, Field

from penstock.gateway.compatible.request_model import (
    Listed,
    PathId,
    RequestModel,
    SelectedFields,
    SoughtPart,
)
from penstock.runtime.redis.plans.thread_search import EXAMINED
from penstock.runtime.types.thread_record import ThreadOrder, ThreadStatus

Text = Annotated[str, Field(min_length=1)]

ValuePath = Annotated[str, Field(max_length=200)]
"""Where something stands in an answer, as `values.messages[-1].content` says."""

SortBy = Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"]


LONGEST: Final = 100 * 365 * 1440.0
"""Minutes that a thread or an item is kept at most, if at all for a time."""


class Ttl(RequestModel):
    """How long a thread is kept after its last run."""

    ttl: float = Field(ge=1.0, le=LONGEST, allow_inf_nan=False)
    """Minutes; whoever may delete nothing can still not make a thread vanish at once."""
    strategy: Literal["delete"] = "delete"


def seconds_of(ttl: Ttl | None) -> float | None:
    """Return how long a thread is kept, in seconds; None for as long as the settings say."""
    return None if ttl is None else ttl.ttl * 60


class StateOfStep(RequestModel):
    """One update of a superstep."""

    values: Any = None
    command: dict[str, Any] | None = None
    as_node: Text | None = None


class Supersteps(RequestModel):
    """Updates that are made together."""

    updates: list[StateOfStep]


class NewThread(RequestModel):
    """A thread to be made."""

    thread_id: PathId | None = None
    metadata: dict[str, Any] | None = None
    if_exists: Literal["raise", "do_nothing"] | None = None
    ttl: Ttl | None = None
    supersteps: list[Supersteps] | None = None


class PatchThread(RequestModel):
    """What is added to a thread's metadata, and how long it is kept."""

    metadata: dict[str, Any] | None = None
    ttl: Ttl | None = None


class ThreadQueryFields(RequestModel):
    """What is shown beside a thread."""

    include: Annotated[list[str], Listed] = Field(default_factory=list[str])
    """`ttl`; names may have commas between them."""


class CountThreads(RequestModel):
    """Which threads are counted."""

    metadata: SoughtPart | None = None
    values: SoughtPart | None = None
    status: ThreadStatus | None = None


class SearchThreads(CountThreads):
    """Which threads are looked for, and what is shown of them."""

    ids: Annotated[list[Text], Field(max_length=EXAMINED)] | None = None
    limit: int = Field(10, ge=1, le=1000)
    offset: int = Field(0, ge=0)
    sort_by: SortBy | None = None
    sort_order: Literal["asc", "desc"] | None = None
    select: SelectedFields | None = None
    extract: Annotated[dict[str, ValuePath], Field(max_length=10)] | None = None

    @property
    def order(self) -> ThreadOrder:
        """What they are put in order by."""
        if self.sort_by is None or self.sort_by == "state_updated_at":
            return "updated_at"
        return self.sort_by


class PatchState(RequestModel):
    """What is added to the metadata of a thread by way of its state."""

    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])


class Prune(RequestModel):
    """Which threads are deleted, with all of their states or with those but the newest."""

    thread_ids: list[Text]
    strategy: Literal["delete", "keep_latest"] = "delete"


class StateQuery(RequestModel):
    """What is shown of a state."""

    subgraphs: bool = False
    select: Annotated[list[str], Listed] = Field(default_factory=list[str])


class CheckpointState(RequestModel):
    """Which state is shown."""

    checkpoint: dict[str, Any]
    subgraphs: bool = False
    select: list[str] | None = None


class UpdateState(RequestModel):
    """A change of a state."""

    values: Any = None
    as_node: Text | None = None
    checkpoint: dict[str, Any] | None = None
    checkpoint_id: Text | None = None


def _checkpoint_id(given: Any) -> Any:
    """Return the id of a checkpoint that is given by itself, as a checkpoint or as a config."""
    if not isinstance(given, Mapping):
        return given
    fields = cast("Mapping[str, Any]", given)
    place: Any = fields.get("configurable", fields)
    if not isinstance(place, Mapping):
        return fields
    return cast("Mapping[str, Any]", place).get("checkpoint_id")


class HistoryQuery(RequestModel):
    """Which states are listed."""

    limit: int = Field(10, ge=1, le=1000)
    before: Annotated[Text | None, BeforeValidator(_checkpoint_id)] = None
    """A checkpoint, or its id."""


class History(HistoryQuery):
    """Which states are listed, and what is shown of them."""

    metadata: dict[str, Any] | None = None
    checkpoint: dict[str, Any] | None = None
    """The subgraph whose states are meant."""
    select: SelectedFields | None = None
