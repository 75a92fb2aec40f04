"""A command that moves a graph: it changes the state of a thread, and says where to go on."""

from __future__ import annotations

__all__ = ["check_command", "read_command"]

from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, ValidationError

from penstock.gateway.compatible.request_model import RequestModel
from penstock.gateway.errors import RequestError
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.diagnostics.descriptions import read_descriptions
from penstock.runtime.types.interrupt import Command


class Task(RequestModel):
    """A node that is executed with an input of its own."""

    node: str
    input: Any = None


def _listed(given: Any) -> Any:
    if given is None:
        return []
    return cast("list[object]", given) if isinstance(given, list) else [given]


class GraphCommand(RequestModel):
    """What a command says beside an answer."""

    update: dict[str, Any] | list[tuple[str, Any]] | None = None
    goto: Annotated[list[str | Task], BeforeValidator(_listed)] = Field(
        default_factory=list[str | Task]
    )

    @property
    def nodes(self) -> list[str]:
        """The names of the nodes that are to be executed."""
        return [each if isinstance(each, str) else each.node for each in self.goto]


def check_command(given: dict[str, Any]) -> dict[str, Any]:
    """Check the form of a command.

    Raises:
        ValueError: it has another.
    """
    try:
        command = GraphCommand.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if given.get("resume") is not None and (command.update or command.goto):
        raise ValueError("give resume, which answers, or update and goto: a run does one of both")
    return given


async def read_command(
    client: AsyncClient, entrypoint: str, given: dict[str, Any]
) -> Command | None:
    """Return what a run is given for an input; None if the command moves nothing.

    Raises:
        RequestError: there is no graph of this name, or it has no such node.
    """
    command = GraphCommand.model_validate(given)
    if not command.update and not command.goto:
        return None
    (description,) = await client.do(read_descriptions(client.plans, [entrypoint]))
    if not description.is_graph:
        raise RequestError(
            422,
            f"command: update and goto are for graphs, and {entrypoint!r} is an entrypoint: give "
            "it an input, or change the state of its thread.",
        )
    known = [str(each["id"]) for each in description.drawing.get("nodes", ())]
    for node in command.nodes:
        if known and node not in known:
            raise RequestError(
                422, f"command: graph {entrypoint!r} has no node {node!r}; it has {known}."
            )
    goto = [each if isinstance(each, str) else each.model_dump() for each in command.goto]
    return Command(update=command.update, goto=goto)
