"""The options that commands share."""

from __future__ import annotations

__all__ = ["as_json", "common", "open_client", "parse_json", "read_settings"]

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from penstock.worker.cli.errors import Refusal, keep_traceback, warnings_as_notes

if TYPE_CHECKING:
    from penstock.runtime.client.client import Client
    from penstock.runtime.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


def common(function: F) -> F:
    """Give a command `--redis` (argument `redis`) and `--debug`."""
    debug = click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_debug,
        help="Show the traceback of an error.",
    )
    redis = click.option(
        "--redis", metavar="URL", help="The Redis to use, instead of PENSTOCK_REDIS_URL."
    )
    return redis(debug(function))


def as_json(function: F) -> F:
    """Give a command `--json` (argument `as_json`)."""
    option = click.option(
        "--json", "as_json", is_flag=True, help="Print JSON for programs, one object per line."
    )
    return option(function)


def open_client(redis: str | None) -> Client:
    """Make the client of a command."""
    from penstock.runtime.client.client import Client

    with warnings_as_notes():
        return Client(redis)


def read_settings(**given: Any) -> Settings:
    """Read the settings of a command."""
    from penstock.runtime.settings import load_settings

    with warnings_as_notes():
        return load_settings(given)


def parse_json(text: str, what: str, example: str) -> Any:
    """Read a value from the command line; `-` reads it from standard input.

    Raises:
        Refusal: the text is not JSON; says how to quote, as in `example`.
    """
    if text == "-":
        text = sys.stdin.read()
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        if text.lstrip()[:1] in ("{", "[", '"'):
            why = f"{error}; a shell needs single quotes around it, as in {example}"
        else:
            quoted = shell_quoted(json.dumps(text if len(text) <= 60 else "text"))
            why = f"a text needs quotes for JSON and for the shell, as in {quoted}"
        raise Refusal(f"{what} is not JSON: {shown!r}; {why}.") from error


def shell_quoted(text: str) -> str:
    """Put a text in single quotes for a shell, always, so that examples look alike."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _debug(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        keep_traceback(ctx)
