"""`penstock backlog`: how much work queues have for workers."""

from __future__ import annotations

__all__ = ["backlog"]

from collections.abc import Sequence

import click
from rich.text import Text

from penstock.runtime.redis.plans.queues import QueueState, queue_states
from penstock.runtime.types.queue import checked_queue
from penstock.worker.cli.options import as_json, common, open_client
from penstock.worker.cli.output import Grid, emit


@click.command(short_help="Count the work of queues.")
@click.argument("queue", nargs=-1)
@as_json
@common
def backlog(queue: tuple[str, ...], as_json: bool, redis: str | None) -> None:
    """Count the work of each QUEUE, or of the default one: the numbers to scale workers by.

    The backlog is what waits for a worker and what workers execute. Runs that wait for something
    else, as for their turn on a thread, do not count: more workers would not help them.
    """
    with open_client(redis) as client:
        names = [checked_queue(name) for name in queue or (client.settings.queue,)]
        states = client.do(queue_states(client.plans.calls, names))
    if as_json:
        for state in states:
            emit(
                {
                    "queue": state.queue,
                    "backlog": state.backlog,
                    "tickets": state.tickets,
                    "running": state.running,
                    "oldest": state.oldest,
                }
            )
    else:
        _print(states)


def _print(states: Sequence[QueueState]) -> None:
    grid = Grid("queue", "backlog", "queued", "running", "oldest")
    for state in states:
        grid.add(
            Text(state.queue),
            Text(str(state.backlog)),
            Text(str(state.tickets)),
            Text(str(state.running)),
            Text("" if state.oldest is None else f"{state.oldest:.0f} s", style="dim"),
        )
    grid.print()
