"""`penstock exporter`: the metrics of one Redis."""

from __future__ import annotations

__all__ = ["exporter"]

import click

from penstock.worker.cli.errors import Refusal
from penstock.worker.cli.options import common, open_client


@click.command(short_help="Serve the metrics of a Redis to Prometheus.")
@click.option(
    "--listen",
    metavar="[HOST:]PORT",
    default="9101",
    show_default=True,
    help="Where /metrics is served.",
)
@click.option("--once", is_flag=True, help="Print the metrics and exit.")
@common
def exporter(listen: str, once: bool, redis: str | None) -> None:
    """Serve the metrics of a Redis: depth and age of queues, open runs, workers, backlog.

    Run one for each Redis; the workers have metrics of their own, with --health. It needs the
    rights of a worker in Redis.
    """
    from penstock.worker.health.exposition import MISSING, is_installed

    if not is_installed():
        raise Refusal(MISSING.strip())
    from penstock.runtime.telemetry.logs import set_up_logging
    from penstock.worker.health.exporter import Exporter
    from penstock.worker.process.signals import handled

    set_up_logging()
    with open_client(redis) as client:
        serving = Exporter(client)
        if once:
            click.echo(serving.metrics(), nl=False)
        else:
            with handled(serving.stop):
                serving.serve(listen)
