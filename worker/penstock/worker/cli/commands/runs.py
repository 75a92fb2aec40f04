"""`penstock runs`: the newest runs."""

from __future__ import annotations

__all__ = ["runs"]

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click
from rich.text import Text

from penstock.runtime.client.client import Client
from penstock.runtime.types.run import Run
from penstock.runtime.types.run_filter import RunPage
from penstock.worker.cli.errors import note
from penstock.worker.cli.filters import filters, query_of
from penstock.worker.cli.options import as_json, common, open_client
from penstock.worker.cli.output import COLOURS, Grid, age, emit, one_line, print_line

PAGE: Final = 500


@click.command(short_help="List the newest runs, or count them.")
@filters
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(min=1),
    metavar="N",
    default=20,
    show_default=True,
    help="How many at most.",
)
@click.option("--after", metavar="CURSOR", help="The next ones after those of an earlier call.")
@click.option("--all", "is_all", is_flag=True, help="All of them, page by page.")
@click.option("--count", "is_counted", is_flag=True, help="Only how many there are.")
@click.option(
    "--by",
    metavar="WHAT",
    help="How many there are by status, entrypoint, queue or tag:KEY.",
)
@as_json
@common
def runs(
    limit: int,
    after: str | None,
    is_all: bool,
    is_counted: bool,
    by: str | None,
    as_json: bool,
    redis: str | None,
    **options: Any,
) -> None:
    """List the newest runs that pass all filters.

    Open runs come first, those enqueued last first, then runs that are over, those that ended last
    first.
    """
    query = query_of(options)
    with open_client(redis) as client:
        if is_counted:
            _print_count(client.count(**query), as_json)
        elif by is not None:
            _print_counts(client.counts(by, **query), by, as_json)
        else:
            pages = _pages(client, query, limit, after, is_all)
            _print_pages(pages, query, as_json)


def _pages(
    client: Client, query: Mapping[str, Any], limit: int, after: str | None, is_all: bool
) -> Iterator[RunPage]:
    page = client.runs(limit=PAGE if is_all else limit, after=after, **query)
    left = limit
    while page.after and (is_all or len(page) < left):
        yield page
        left -= len(page)
        page = client.runs(limit=PAGE if is_all else left, after=page.after, **query)
    yield page


def _print_pages(pages: Iterator[RunPage], query: Mapping[str, Any], as_json: bool) -> None:
    count, after = 0, None
    for page in pages:
        if as_json:
            for run in page:
                emit(run)
        elif page:
            _print(page)
        count, after = count + len(page), page.after
    if not count and not as_json:
        note("no run passes these filters." if query else "no runs yet; penstock run FLOW INPUT.")
    if after:
        note(f"more follow: --after {after}, or --all")


def _print_count(count: int, as_json: bool) -> None:
    if as_json:
        emit({"count": count})
    else:
        print_line(str(count))


def _print_counts(counts: Mapping[str, int], by: str, as_json: bool) -> None:
    if as_json:
        emit(counts)
        return
    grid = Grid(by, "runs")
    for name, count in sorted(counts.items(), key=lambda each: -each[1]):
        grid.add(Text(one_line(name), style=COLOURS.get(name, "")), Text(str(count)))
    grid.print()


def _print(found: Sequence[Run]) -> None:
    grid = Grid(
        "run",
        "status",
        "entrypoint",
        "thread",
        "queue",
        "enqueued",
        "reason",
        may_shrink=("thread", "reason"),
    )
    for run in found:
        grid.add(
            Text(run.run_id),
            Text(run.status, style=COLOURS[run.status]),
            Text(one_line(run.entrypoint)),
            Text("" if run.thread_id == run.run_id else one_line(run.thread_id, 40)),
            Text(run.queue),
            Text(age(run.created_at)),
            Text(one_line(run.reason, 200), style="dim"),
        )
    grid.print()
