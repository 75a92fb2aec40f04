"""`penstock runs`: the newest runs."""

from __future__ import annotations

__all__ = ["runs"]

from collections.abc import Sequence

import click
from rich.text import Text

from penstock.runtime.types.run import Run, RunStatus
from penstock.worker.cli.errors import note
from penstock.worker.cli.options import as_json, common, open_client
from penstock.worker.cli.output import COLOURS, Grid, age, emit, one_line


@click.command(short_help="List the newest runs.")
@click.option(
    "--status",
    type=click.Choice([status.value for status in RunStatus]),
    help="Only runs in this status.",
)
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(min=1),
    metavar="N",
    default=20,
    show_default=True,
    help="How many at most.",
)
@as_json
@common
def runs(status: str | None, limit: int, as_json: bool, redis: str | None) -> None:
    """List the newest runs, those that changed last first."""
    with open_client(redis) as client:
        found = client.runs(status, limit)
    if as_json:
        for run in found:
            emit(run)
    elif found:
        _print(found)
    else:
        kind = f"no run is {status}" if status else "no runs yet; penstock run FLOW INPUT"
        note(f"{kind}.")


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
