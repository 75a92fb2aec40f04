"""`penstock follow`: the changes of all runs, as they come."""

from __future__ import annotations

__all__ = ["follow"]

from collections.abc import Iterable
from itertools import islice
from typing import Any

import click
from rich.text import Text

from penstock.runtime.types.feed_entry import FeedEntry
from penstock.worker.cli.errors import INTERRUPTED, note
from penstock.worker.cli.filters import feed_filters, query_of
from penstock.worker.cli.options import as_json, common, open_client
from penstock.worker.cli.output import COLOURS, emit, one_line, print_line


@click.command(short_help="Follow the changes of all runs.")
@feed_filters
@click.option(
    "--after",
    metavar="CURSOR",
    help="Begin behind an entry, the `cursor` of --json; 0 for all that is kept.",
)
@click.option("--limit", "-n", type=click.IntRange(min=1), metavar="N", help="End after so many.")
@as_json
@common
def follow(
    after: str | None, limit: int | None, as_json: bool, redis: str | None, **options: Any
) -> None:
    """Show each run that is queued, asks, is resumed or ends, from now on, until you stop it.

    With --json each line is an object with `cursor`, `run_id`, `event` and `status`. Runs are shown
    if the setting `feed` was on where they were enqueued.
    """
    query = query_of(options)
    with open_client(redis) as client:
        feed = client.follow(after=after, **query)
        try:
            _print_all(islice(feed, limit), as_json)
        except KeyboardInterrupt:
            note(f"--after {feed.cursor} shows what comes")
            click.get_current_context().exit(INTERRUPTED)


def _print_all(entries: Iterable[FeedEntry], as_json: bool) -> None:
    for entry in entries:
        if as_json:
            emit(entry)
        else:
            print_line(_line(entry))


def _line(entry: FeedEntry) -> Text:
    moment = entry.time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    event = entry.event.removeprefix("run.")
    others = [] if entry.thread_id == entry.run_id else [f"thread={one_line(entry.thread_id, 40)}"]
    others += [f"cause={entry.cause}"] if entry.cause else []
    others += [f"{one_line(key)}={one_line(value, 40)}" for key, value in entry.tags.items()]
    return Text.assemble(
        (f"{moment}  ", "dim"),
        f"{entry.run_id}  {event:<11}  ",
        (f"{entry.status:<9}  ", COLOURS[entry.status]),
        one_line(entry.entrypoint),
        ("".join(f"  {each}" for each in others), "dim"),
    )
