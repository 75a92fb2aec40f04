"""The commands of the thread protocol: their forms, and the forms of their answers."""

from __future__ import annotations

__all__ = [
    "Cancel",
    "Checkpoints",
    "CommandBody",
    "Fork",
    "GetState",
    "GetTree",
    "Respond",
    "StartRun",
    "failure",
    "success",
]

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self, cast

from pydantic import Field, model_validator

from penstock.gateway.compatible.request_model import RequestModel
from penstock.gateway.compatible.run_body import RunBody
from penstock.publisher.errors import PenstockError
from penstock.runtime.errors import (
    ResumeError,
    RunNotFoundError,
    UnknownCheckpointError,
)
from penstock.runtime.types.state import checkpoint_id_of

_CODES: Final[tuple[tuple[type[PenstockError], str], ...]] = (
    (RunNotFoundError, "no_such_run"),
    (UnknownCheckpointError, "no_such_checkpoint"),
    (ResumeError, "no_such_interrupt"),
)
"""The first class that an error is one of gives its code; others are of arguments."""


class CommandBody(RequestModel):
    """What is to be done, and the number that its answer has."""

    id: int = Field(ge=0)
    method: str
    params: dict[str, Any] = Field(default_factory=dict[str, Any])


class StartRun(RunBody):
    """`run.start`: a run, as elsewhere; `multitaskStrategy` is how JavaScript's client says it."""

    @model_validator(mode="before")
    @classmethod
    def _as_run(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        fields = {**cast("dict[str, Any]", given), "if_not_exists": "create"}
        if strategy := fields.pop("multitaskStrategy", None):
            fields.setdefault("multitask_strategy", strategy)
        if checkpoint := _checkpoint_in(fields.get("config")):
            fields.setdefault("checkpoint_id", checkpoint)
        return fields


def _checkpoint_in(config: object) -> str:
    """Return the checkpoint that a config names, "" if none; what is no config is refused later."""
    if not isinstance(config, dict):
        return ""
    given = cast("dict[str, Any]", config)
    return checkpoint_id_of(given) if isinstance(given.get("configurable"), dict) else ""


class _Answer(RequestModel):
    interrupt_id: str
    response: Any = None


class Respond(RequestModel):
    """`input.respond`: the answer to one question, or to several at once."""

    interrupt_id: str | None = None
    response: Any = None
    responses: list[_Answer] | None = Field(None, min_length=1)
    update: Any = None
    goto: Any = None
    config: dict[str, Any] = Field(default_factory=dict[str, Any])
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.interrupt_id is None) == (self.responses is None):
            raise ValueError("give either interrupt_id and response, or responses")
        return self

    @property
    def answers(self) -> Mapping[str, Any]:
        """The answers, by the ids of the questions."""
        if self.interrupt_id is not None:
            return {self.interrupt_id: self.response}
        return {each.interrupt_id: each.response for each in self.responses or ()}

    def run(self, assistant_id: str) -> dict[str, Any]:
        """Return the run that the answers are to have."""
        command = {"resume": dict(self.answers), "update": self.update, "goto": self.goto}
        return {
            "assistant_id": assistant_id,
            "command": {name: value for name, value in command.items() if value is not None},
            "config": self.config,
            "metadata": self.metadata,
            "if_not_exists": "reject",
        }


class GetTree(RequestModel):
    """`agent.getTree`."""

    run_id: str | None = None


class GetState(RequestModel):
    """`state.get`: some of the values, or all."""

    namespace: Sequence[str] = ()
    keys: list[str] | None = None


class Checkpoints(RequestModel):
    """`state.listCheckpoints`: the newest first."""

    namespace: Sequence[str] = ()
    limit: int = Field(10, ge=1, le=1000)
    before: str | None = None


class Fork(RequestModel):
    """`state.fork`: a run from a checkpoint on."""

    checkpoint_id: str = Field(min_length=1)
    input: Any = None
    config: dict[str, Any] = Field(default_factory=dict[str, Any])


class Cancel(RequestModel):
    """`run.cancel`, which is ours: the newest run, or another one."""

    run_id: str | None = None


def success(number: int, result: Mapping[str, Any], seq: int | None) -> dict[str, Any]:
    """Return the answer of a command that was done; `seq` is what was there before."""
    found: dict[str, Any] = {"type": "success", "id": number, "result": result}
    return found if seq is None else {**found, "meta": {"applied_through_seq": seq}}


def failure(number: int | None, error: PenstockError | str, code: str = "") -> dict[str, Any]:
    """Return the answer of a command that was not done."""
    if not code:
        code = next((each for kind, each in _CODES if isinstance(error, kind)), "invalid_argument")
    return {"type": "error", "id": number, "error": code, "message": str(error)}
