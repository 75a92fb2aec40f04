"""`penstock cancel`: end a run."""

from __future__ import annotations

__all__ = ["cancel"]

import click

from penstock.runtime.types.run import RunStatus
from penstock.worker.cli.errors import Refusal
from penstock.worker.cli.options import as_json, common, open_client

_MESSAGES = {
    RunStatus.CANCELLED: "is cancelled",
    RunStatus.RUNNING: "will stop: async code at once, other code at its next step",
}


@click.command(short_help="Cancel a run.")
@click.argument("run_id", metavar="RUN")
@as_json
@common
def cancel(run_id: str, as_json: bool, redis: str | None) -> None:
    """Cancel RUN, whether it is queued, running or waiting.

    Finished steps are not undone. A running run ends within moments; its status shows when it has.
    """
    with open_client(redis) as client:
        status = client.get(run_id).cancel()
    if as_json:
        from penstock.worker.cli.output import emit

        emit({"run_id": run_id, "status": status})
    elif status in _MESSAGES:
        click.echo(f"run {run_id} {_MESSAGES[status]}")
    if status not in _MESSAGES:
        raise Refusal(f"run {run_id!r} is already {status}: there is nothing to cancel.")
