"""`penstock rerun`: a run of the same input."""

from __future__ import annotations

__all__ = ["rerun"]

import click

from penstock.worker.cli.options import as_json, common, open_client
from penstock.worker.cli.output import emit


@click.command(short_help="Enqueue a run of the same input.")
@click.argument("run_id", metavar="RUN")
@as_json
@common
def rerun(run_id: str, as_json: bool, redis: str | None) -> None:
    """Enqueue a run of the same input, config and tags as RUN, and print its id.

    It begins at its first step; penstock resume lets a failed run go on where it failed.
    """
    with open_client(redis) as client:
        handle = client.get(run_id).rerun()
    if as_json:
        emit({"run_id": handle.run_id, "thread_id": handle.thread_id})
    else:
        click.echo(handle.run_id)
