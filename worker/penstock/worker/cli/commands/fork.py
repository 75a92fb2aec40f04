"""`penstock fork`: start a run with the input and the first steps of another."""

from __future__ import annotations

__all__ = ["fork"]

import click

from penstock.worker.cli.options import as_json, common, open_client


@click.command(short_help="Start a run with the first steps of another.")
@click.argument("run_id", metavar="RUN")
@click.option("--after", "step", metavar="STEP", help="The last step that is not executed again.")
@as_json
@common
def fork(run_id: str, step: str | None, as_json: bool, redis: str | None) -> None:
    """Start a run with the input of RUN, and with its steps up to and including STEP.

    All later steps are executed again; without --after, all are. `penstock show RUN` lists the
    steps. The new run goes on where RUN began on its thread; RUN keeps its record.
    """
    with open_client(redis) as client:
        past = client.get(run_id)
        made = client.thread(past.thread_id).fork(run_id, after_step=step)
    if as_json:
        from penstock.worker.cli.output import emit

        emit({"run_id": made.run_id, "forked_from": run_id})
    else:
        click.echo(f"run {made.run_id} starts; penstock tail {made.run_id} follows it")
