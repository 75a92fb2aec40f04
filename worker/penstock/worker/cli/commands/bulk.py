"""`penstock bulk`: the same done to many runs."""

from __future__ import annotations

__all__ = ["bulk", "follow_bulk"]

from collections.abc import Iterable
from typing import Any, Final

import click

from penstock.runtime.types.bulk import ACTIONS, BulkProgress
from penstock.worker.cli.errors import note
from penstock.worker.cli.filters import filters, query_of
from penstock.worker.cli.options import as_json, common, open_client
from penstock.worker.cli.output import emit, print_line

SHOWN: Final = 10
"""Runs that a dry run names."""


@click.command(short_help="Cancel, resume, rerun, delete or unpin all runs that pass filters.")
@click.argument("action", type=click.Choice(list(ACTIONS)))
@filters
@click.option("--all", "is_all", is_flag=True, help="All runs, where no filter is given.")
@click.option("--dry-run", is_flag=True, help="Change nothing; count the runs, and name ten.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    default=100.0,
    show_default=True,
    help="How many runs a second at most.",
)
@as_json
@common
def bulk(
    action: Any,
    is_all: bool,
    dry_run: bool,
    rate: float,
    as_json: bool,
    redis: str | None,
    **options: Any,
) -> None:
    """Do the same to all runs that pass all filters.

    A run that somebody has changed since it was read is skipped. So the command may be stopped and
    repeated: no run is changed twice.
    """
    query = query_of(options)
    with open_client(redis) as client:
        steps = client.bulk(action, rate=rate, dry_run=dry_run, all=is_all, **query)
        follow_bulk(steps, action, is_dry=dry_run, as_json=as_json)


def follow_bulk(
    steps: Iterable[BulkProgress], action: str, *, is_dry: bool = False, as_json: bool = False
) -> None:
    """Show how far it is, then what came of it."""
    progress, named = BulkProgress(0, 0, ()), list[str]()
    for progress in steps:
        named += progress.run_ids[: SHOWN - len(named)]
        if as_json:
            emit(progress)
        elif not is_dry:
            note(f"{action}: {progress.done} done, {progress.skipped} skipped")
    if as_json:
        return
    if is_dry:
        print_line(f"{action}: {progress.done} runs, nothing was changed")
        for run_id in named:
            print_line(f"  {run_id}")
    else:
        print_line(f"{action}: {progress.done} runs, {progress.skipped} skipped")
