"""The body of a request for a run, and the queries about runs."""

from __future__ import annotations

__all__ = [
    "DEFAULT_MODES",
    "BatchedRun",
    "CancelQuery",
    "JoinQuery",
    "JoinStreamQuery",
    "RunBatch",
    "RunBody",
    "RunsQuery",
]

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, RootModel, model_validator

from penstock.gateway.compatible.graph_command import check_command
from penstock.gateway.compatible.modes import StreamMode
from penstock.gateway.compatible.request_model import Config, Listed, PathId, RequestModel

DEFAULT_MODES: Final[Sequence[StreamMode]] = ("values",)

Nodes = Literal["*"] | list[str]


def _listed(given: Any) -> Any:
    if given is None:
        return list(DEFAULT_MODES)
    return [given] if isinstance(given, str) else given


Modes = Annotated[list[StreamMode], BeforeValidator(_listed)]


class RunBody(RequestModel):
    """A run, on a thread or without one. A field that is null is as if it was not given."""

    assistant_id: str = Field(min_length=1)
    """The id of an assistant, or the name of an entrypoint."""
    input: Any = None
    command: Annotated[dict[str, Any], AfterValidator(check_command)] = Field(
        default_factory=dict[str, Any]
    )
    """`resume`: the answer to a question, which may be null; `update` and `goto` move a graph."""
    config: Config = Field(default_factory=dict[str, Any])
    context: Any = None
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])
    stream_mode: Modes = Field(default_factory=lambda: list(DEFAULT_MODES))
    stream_subgraphs: bool = False
    stream_resumable: bool = False
    """Changes nothing: all streams can be resumed."""
    multitask_strategy: Literal["reject", "interrupt", "rollback", "enqueue"] = "enqueue"
    on_disconnect: Literal["cancel", "continue"] = "continue"
    on_completion: Literal["delete", "keep"] = "delete"
    """Whether a run without a thread gets one that has a name."""
    if_not_exists: Literal["create", "reject"] = "reject"
    interrupt_before: Nodes | None = None
    interrupt_after: Nodes | None = None
    checkpoint: dict[str, Any] | None = None
    checkpoint_id: str | None = None
    durability: Literal["sync", "async", "exit"] | None = None
    checkpoint_during: bool | None = None
    """The older name of durability: false is exit."""
    strict_resume: bool = False
    """Changes nothing: an answer to no open question is always refused."""
    after_seconds: float = Field(0.0, ge=0.0, le=10 * 365 * 86400.0)
    """When the run begins; until then it is pending, and others on its thread wait for it."""
    webhook: str | None = None
    """The URL that is told when the run is over, through all of its legs."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        fields = cast("dict[str, Any]", given)
        return {name: value for name, value in fields.items() if value is not None}

    @property
    def stored_durability(self) -> Literal["sync", "async", "exit"]:
        """When what the run records is stored."""
        if self.durability is None and self.checkpoint_during is not None:
            return "async" if self.checkpoint_during else "exit"
        return self.durability or "async"

    @property
    def checkpoint_named(self) -> str:
        """The id of the checkpoint to go on from; "" for the newest."""
        named = self.checkpoint_id or (self.checkpoint or {}).get("checkpoint_id")
        return str(named or "")


class BatchedRun(RunBody):
    """One of several runs that are asked for together."""

    thread_id: PathId | None = None


class RunBatch(RootModel[Annotated[list[BatchedRun], Field(max_length=1000)]]):
    """Runs that are asked for together."""


class RunsQuery(RequestModel):
    """Which runs of a thread."""

    limit: int = Field(10, ge=1, le=1000)
    offset: int = Field(0, ge=0)
    status: Literal["pending", "running", "error", "success", "timeout", "interrupted"] | None = (
        None
    )
    select: Annotated[list[str], Listed] = Field(default_factory=list[str])
    """Names of fields; none for all."""


class CancelQuery(RequestModel):
    """How a run is cancelled."""

    wait: bool = False
    """Whether the answer comes when it is over."""
    action: Literal["interrupt", "rollback"] = "interrupt"


class JoinQuery(RequestModel):
    """What happens to a run that its reader leaves."""

    cancel_on_disconnect: bool = False


class JoinStreamQuery(JoinQuery):
    """What is sent of a run."""

    stream_mode: Annotated[list[StreamMode], Listed] = Field(default_factory=list[StreamMode])
    """Names of modes; by default those that the run was asked for with."""
    stream_subgraphs: bool = False
