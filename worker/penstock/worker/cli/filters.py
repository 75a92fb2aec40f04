"""The options of commands that look for runs."""

from __future__ import annotations

__all__ = ["feed_filters", "filters", "moment", "query_of", "tags_of"]

import re
from collections.abc import Callable, Collection, Iterable
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
    try:
        if found := _AGO.fullmatch(text):
            return timedelta(**{_UNITS[found[2]]: float(found[1])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no time: write 15min, 2h, 1d or 2026-11-29T08:00."
        ) from None


def filters(function: F) -> F:
    """Give a command the filters of runs, as the argument `query`."""
    return _with(_OPTIONS, function)


def feed_filters(function: F) -> F:
    """Give a command the filters of the feed's entries."""
    return _with(("status", "entrypoint", "tag", "thread"), function)


def _with(names: Collection[str], function: F) -> F:
    for name, option in reversed(list(_OPTIONS.items())):
        function = option(function) if name in names else function
    return function


def query_of(options: dict[str, Any]) -> dict[str, Any]:
    """Return the filters among the options of a command, as `client.runs` takes them."""
    tags = tags_of(options.pop("tag"))
    given = {name: options.pop(name) for name in _OPTIONS if name in options} | {"tag": tags}
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


_OPTIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "status": click.option(
        "--status",
        type=click.Choice([status.value for status in RunStatus]),
        multiple=True,
        help="Only runs in this status; may be repeated.",
    ),
    "entrypoint": click.option(
        "--entrypoint", metavar="NAME", help="Only runs of this entrypoint."
    ),
    "queue": click.option("--queue", metavar="NAME", help="Only runs of this queue."),
    "tag": click.option(
        "--tag",
        metavar="KEY=VALUE",
        multiple=True,
        help="Only runs with this tag; may be repeated.",
    ),
    "error": click.option(
        "--error", metavar="CAUSE", help="Only runs that failed of this: see penstock failures."
    ),
    "thread": click.option("--thread", metavar="ID", help="Only runs of this thread."),
    "version": click.option(
        "--version", metavar="TEXT", help="Only runs that code of this version executed first."
    ),
    "since": click.option(
        "--since",
        type=moment,
        metavar="TIME",
        help="Only runs that ended, or are open and were enqueued, since then: 2h, 1d, 2026-11-29.",
    ),
    "until": click.option("--until", type=moment, metavar="TIME", help="Only those before then."),
}
