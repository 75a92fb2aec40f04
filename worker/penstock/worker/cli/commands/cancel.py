"""`penstock cancel`: end a run."""

from __future__ import annotations

__all__ = ["cancel"]

import click

from penstock.runtime.types.run import RunStatus
from penstock.worker.cli.errors import Refusal
from penstock.worker.cli.options import as_json, common, open_client

_SAYS = {
    RunStatus.CANCELLED: "is cancelled",
    RunStatus.RUNNING: "is asked to stop: async code at once, other code at its next step",
}


@click.command(short_help="Cancel a run.")
@click.argument("run_id", metavar="RUN")
@as_json
@common
def cancel(run_id: str, as_json: bool, redis: str | None) -> None:
    """Cancel RUN, whether it is queued, running or waiting.

    What its finished steps did stays done. A run that is running ends within moments; its status
    tells when it has.
    """
    with open_client(redis) as client:
        status = client.get(run_id).cancel()
    if as_json:
        from penstock.worker.cli.output import emit

        emit({"run_id": run_id, "status": status})
    elif status in _SAYS:
        click.echo(f"run {run_id} {_SAYS[status]}")
    if status not in _SAYS:
        raise Refusal(f"run {run_id!r} is {status} already: there is nothing to cancel.")
