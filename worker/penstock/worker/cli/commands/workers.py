"""`penstock workers`: who executes runs."""

from __future__ import annotations

__all__ = ["workers"]

from collections.abc import Sequence

import click
from rich.text import Text

from penstock.runtime.diagnostics.workers import Worker, read_workers
from penstock.worker.cli.errors import note
from penstock.worker.cli.options import as_json, common, open_client
from penstock.worker.cli.output import Grid, age, emit, one_line


@click.command(short_help="Show the live workers: what they serve, and what they execute.")
@as_json
@common
def workers(as_json: bool, redis: str | None) -> None:
    """Show the live workers, their queues, and the runs that they execute now."""
    with open_client(redis) as client:
        found = client.do(read_workers(client.plans))
    if as_json:
        for worker in found:
            emit(worker)
    elif found:
        _print(found)
    else:
        note("no worker is alive: penstock worker APP.")


def _print(found: Sequence[Worker]) -> None:
    grid = Grid(
        *("worker", "serves", "host", "pid", "started", "executes"),
        may_shrink=("worker", "serves", "executes"),
    )
    for worker in found:
        grid.add(
            Text(one_line(worker.name)),
            Text(", ".join(worker.queues)),
            Text(one_line(worker.host)),
            Text(str(worker.pid)),
            Text(age(worker.started_at) if worker.started_at else ""),
            Text(", ".join(worker.runs)),
        )
    grid.print()
