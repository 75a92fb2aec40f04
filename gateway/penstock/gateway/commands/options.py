"""The options that commands share."""

from __future__ import annotations

__all__ = ["common"]

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_DEBUG = "penstock.debug"
"""Where the `penstock` command looks for whether to show tracebacks."""


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


def _debug(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        ctx.meta[_DEBUG] = True
