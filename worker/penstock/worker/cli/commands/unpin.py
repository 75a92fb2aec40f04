"""`penstock unpin`: let workers with any version of its code execute a run."""

from __future__ import annotations

__all__ = ["unpin"]

import click

from penstock.worker.cli.options import as_json, common, open_client


@click.command(short_help="Let workers with any version execute a run.")
@click.argument("run_id", metavar="RUN")
@as_json
@common
def unpin(run_id: str, as_json: bool, redis: str | None) -> None:
    """Let workers with any version of its code execute RUN, which its entrypoint pins to one."""
    with open_client(redis) as client:
        client.unpin(run_id)
    if as_json:
        from penstock.worker.cli.output import emit

        emit({"run_id": run_id})
    else:
        click.echo(f"run {run_id} is not pinned to a version")
