"""Inputs of graphs, checked before anything is stored: LangGraph checks them in the first step."""

from __future__ import annotations

__all__ = ["GraphInput", "graph_command"]

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from langgraph.channels import BinaryOperatorAggregate
from langgraph.types import Command, Send
from pydantic import BaseModel, ValidationError

from penstock.langgraph.hosting.graph import Graph
from penstock.runtime.errors import InputError
from penstock.runtime.types.graph_update import GraphUpdate
from penstock.runtime.types.interrupt import Command as PlainCommand

_NO_INPUTS: Final = (Command, PlainCommand, GraphUpdate)


class GraphInput:
    """What a graph of `StateGraph` takes; other graphs take anything."""

    def __init__(self, graph: Graph) -> None:
        builder: Any = getattr(graph, "builder", None)
        schema: Any = getattr(builder, "input_schema", None)
        self._takes_names = schema is not None and "__root__" not in graph.channels
        self._reduced = {
            name
            for name, channel in graph.channels.items()
            if isinstance(channel, BinaryOperatorAggregate)
        }
        self._model: type[BaseModel] | None = None
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            self._model = schema

    @property
    def validates(self) -> bool:
        """Whether pydantic looks at inputs: once for each, as a schema may change with the code."""
        return self._takes_names and self._model is not None

    def accepted(self, name: str, given: Any) -> Any:
        """Return an input as it is stored: of an object its fields.

        Fields that are missing may be in the state of the thread. `name` is the graph's.

        Raises:
            InputError: the graph cannot take it, or pydantic refuses it.
        """
        value: object = given
        if not self._takes_names or value is None or isinstance(value, _NO_INPUTS):
            return given
        fields = _fields(given)
        if fields is None:
            raise InputError(
                f"graph {name!r} takes a dict of the fields of its state, not {given!r:.200}."
            )
        if self._model is not None:
            self._check(name, self._model, fields)
        return fields

    def _check(self, name: str, model: type[BaseModel], fields: Mapping[str, Any]) -> None:
        try:
            model.model_validate(fields)
        except ValidationError as error:
            found = error.errors(include_url=False)
            wrong = [each for each in found if not self._may_miss(each["type"], each["loc"])]
            if wrong:
                told = "; ".join(f"{_place(each['loc'])}: {each['msg']}" for each in wrong)
                raise InputError(f"input of graph {name!r} is refused: {told}.") from error

    def _may_miss(self, kind: str, place: Sequence[int | str]) -> bool:
        """Tell whether an error is about what the thread may have, or a reducer put in."""
        return kind == "missing" and (len(place) == 1 or place[0] in self._reduced)


def graph_command(given: PlainCommand) -> Command[Any]:
    """Return LangGraph's command of one that apps without LangGraph have given."""
    update: Any = given.update
    if isinstance(update, list):
        update = [(name, value) for name, value in cast("Sequence[Sequence[Any]]", update)]
    goto = [
        each if isinstance(each, str) else Send(each["node"], each["input"]) for each in given.goto
    ]
    return Command(update=update, goto=goto)


def _place(parts: Sequence[int | str]) -> str:
    return ".".join(map(str, parts)) or "all of it"


def _fields(given: object) -> Mapping[str, Any] | None:
    if isinstance(given, Mapping):
        return cast("Mapping[str, Any]", given)
    if isinstance(given, BaseModel):
        return {name: getattr(given, name) for name in given.model_fields_set}
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        return {each.name: getattr(given, each.name) for each in dataclasses.fields(given)}
    return None
