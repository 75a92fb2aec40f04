"""The options of commands that look for runs."""

from __future__ import annotations

__all__ = ["filters", "moment", "query_of", "tags_of"]

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import click

from penstock.runtime.types.run import RunStatus

F = TypeVar("F", bound=Callable[..., Any])

_UNITS: Final = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|h|d|w)")


def moment(text: str) -> datetime | timedelta:
    """Read a time, `2026-11-29T08:00`, or how long ago it is: `90s`, `15min`, `2h`, `1d`, `1w`.

    A time without a zone is of this machine's.
    """
    if found := _AGO.fullmatch(text):
        return timedelta(**{_UNITS[found[2]]: float(found[1])})
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time: write 15min, 2h, 1d or 2026-11-29T08:00."
        ) from None


def filters(function: F) -> F:
    """Give a command the filters of runs, as the argument `query`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def query_of(options: dict[str, Any]) -> dict[str, Any]:
    """Return the filters among the options of a command, as `client.runs` takes them."""
    given = {name: options.pop(name) for name in _NAMES} | {"tag": tags_of(options.pop("tag"))}
    return {name: value for name, value in given.items() if value not in (None, (), {})}


def tags_of(texts: Iterable[str]) -> dict[str, str]:
    """Read tags, written as `KEY=VALUE`."""
    tags: dict[str, str] = {}
    for text in texts:
        key, found, value = text.partition("=")
        if not found:
            raise click.BadParameter(f"{text!r} is no tag: write KEY=VALUE.", param_hint="'--tag'")
        tags[key] = value
    return tags


_OPTIONS: Final = (
    click.option(
        "--status",
        type=click.Choice([status.value for status in RunStatus]),
        multiple=True,
        help="Only runs in this status; may be repeated.",
    ),
    click.option("--entrypoint", metavar="NAME", help="Only runs of this entrypoint."),
    click.option("--queue", metavar="NAME", help="Only runs of this queue."),
    click.option(
        "--tag",
        metavar="KEY=VALUE",
        multiple=True,
        help="Only runs with this tag; may be repeated.",
    ),
    click.option(
        "--error", metavar="CAUSE", help="Only runs that failed of this: see penstock failures."
    ),
    click.option("--thread", metavar="ID", help="Only runs of this thread."),
    click.option(
        "--version", metavar="TEXT", help="Only runs that code of this version executed first."
    ),
    click.option(
        "--since",
        type=moment,
        metavar="TIME",
        help="Only runs that ended, or are open and were enqueued, since then: 2h, 1d, 2026-11-29.",
    ),
    click.option("--until", type=moment, metavar="TIME", help="Only those before then."),
)
_NAMES: Final = ("status", "entrypoint", "queue", "error", "thread", "version", "since", "until")
