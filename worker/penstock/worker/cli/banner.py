"""The first output of `penstock dev`: the entrypoints of the app, and a command to try."""

from __future__ import annotations

__all__ = ["greet", "sample"]

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_type_hints

import click
from pydantic import TypeAdapter
from rich.text import Text

from penstock.publisher.errors import PenstockError
from penstock.publisher.redis.url import redacted
from penstock.runtime.executor.app import AnyExecutable
from penstock.runtime.executor.hosted import Hosted
from penstock.runtime.settings import DEFAULT_URL, load_settings
from penstock.worker.cli.options import shell_quoted
from penstock.worker.cli.output import Grid, one_line

DEEPEST = 5


def greet(entrypoints: Mapping[str, AnyExecutable], redis: str, *, again: bool) -> None:
    """Print the entrypoints, and the command that runs the first one unless this is a reload.

    An app may have no entrypoints, only tasks that have a queue.
    """
    if not entrypoints:
        return
    grid = Grid("entrypoint", "input", "about", may_shrink=("input", "about"))
    for name, entrypoint in entrypoints.items():
        about = _about(entrypoint).partition("\n")[0]
        grid.add(
            Text(name, style="bold"),
            Text(json.dumps(sample(entrypoint))),
            Text(one_line(about), style="dim"),
        )
    grid.print()
    if again:
        click.echo()
        return
    name, entrypoint = next(iter(entrypoints.items()))
    given = shell_quoted(json.dumps(sample(entrypoint)))
    where = "" if redis in _usual_urls() else f" --redis {redacted(redis)}"
    click.echo("\nTry, in another terminal:")
    click.secho(f"  penstock run {name} {given} --follow{where}\n", bold=True)


def _usual_urls() -> tuple[str, str]:
    """Return the URLs of the Redis that a command without --redis uses, in a terminal like this."""
    try:
        usual = load_settings().redis
    except PenstockError:
        usual = DEFAULT_URL
    return usual, usual.replace("//localhost:", "//127.0.0.1:")


def _about(entrypoint: AnyExecutable) -> str:
    if isinstance(entrypoint, Hosted):
        return entrypoint.about
    return inspect.getdoc(entrypoint.body.function) or ""


def sample(entrypoint: AnyExecutable) -> Any:
    """Make up an input that fits an entrypoint's annotation."""
    try:
        schema = _schema(entrypoint)
    except Exception:  # no annotation, or one that pydantic has no schema for
        return {}
    return _sample(schema, schema.get("$defs", {}), DEEPEST)


def _schema(entrypoint: AnyExecutable) -> Mapping[str, Any]:
    if isinstance(entrypoint, Hosted):
        return entrypoint.input_schema()
    function = entrypoint.body.function
    parameter = next(iter(inspect.signature(function).parameters))
    hint = get_type_hints(function, include_extras=True)[parameter]
    return TypeAdapter(hint).json_schema()


def _sample(schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> Any:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return _sample(definitions.get(name, {}), definitions, depth - 1)
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _sample(cast("Sequence[Any]", schema[key])[0], definitions, depth)
    return _sample_of_type(schema, definitions, depth)


def _sample_of_type(schema: Mapping[str, Any], definitions: Mapping[str, Any], depth: int) -> Any:
    match schema.get("type"):
        case "string":
            return {"date": "2026-01-31", "date-time": "2026-01-31T12:00:00Z"}.get(
                str(schema.get("format")), "text"
            )
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            items = schema.get("items")
            return [_sample(items, definitions, depth - 1)] if items and depth > 0 else []
        case "null":
            return None
        case _:
            needed = schema.get("required", ()) if depth > 0 else ()
            fields = schema.get("properties", {})
            return {name: _sample(fields[name], definitions, depth - 1) for name in needed}
