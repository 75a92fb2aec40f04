"""`penstock tail`: follow the events of a run."""

from __future__ import annotations

__all__ = ["tail"]

import click

from penstock.runtime.streaming.mode_view import MODES
from penstock.worker.cli.commands.follower import FACTS, Follower
from penstock.worker.cli.options import as_json, common, open_client


@click.command(short_help="Follow the events of a run.")
@click.argument("run_id", metavar="RUN")
@click.option(
    "--after",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Begin after event N, the `seq` of --json.",
)
@click.option(
    "--mode",
    "-m",
    "modes",
    type=click.Choice([*MODES, FACTS]),
    multiple=True,
    default=("custom", "updates"),
    show_default=True,
    help="What to show; may be given several times. `facts` shows every stored event.",
)
@as_json
@common
@click.pass_context
def tail(
    ctx: click.Context,
    run_id: str,
    after: int,
    modes: tuple[str, ...],
    as_json: bool,
    redis: str | None,
) -> None:
    """Show the events of RUN from the first one on, until the run is over or waits.

    With --json each event is an object with `seq`, `mode` and `data`; the last line is an object
    with `status`, and `result`, `reason` or `interrupts`. The exit status is that of
    `penstock run --follow`.
    """
    with open_client(redis) as client:
        ctx.exit(Follower(client, run_id, modes, as_json).follow(after))
