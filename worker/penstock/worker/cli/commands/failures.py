"""`penstock failures`: what runs failed of."""

from __future__ import annotations

__all__ = ["failures"]

from collections.abc import Sequence

import click
from rich.text import Text

from penstock.runtime.types.failure_group import FailureGroup
from penstock.worker.cli.commands.bulk import (
    check_detached,
    detached,
    follow_bulk,
    say_started,
    steps_of_resume,
)
from penstock.worker.cli.errors import note
from penstock.worker.cli.options import as_json, common, open_client
from penstock.worker.cli.output import Grid, age, emit, one_line


@click.command(short_help="Show what runs failed of, in groups; resume a group.")
@click.argument("cause", required=False)
@click.option("--resume", is_flag=True, help="Resume all runs of CAUSE.")
@steps_of_resume
@detached
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(min=1),
    metavar="N",
    default=20,
    show_default=True,
    help="How many groups at most.",
)
@as_json
@common
def failures(
    cause: str | None,
    resume: bool,
    accept: tuple[str, ...],
    forget: tuple[str, ...],
    detach: bool,
    worker_queue: str | None,
    limit: int,
    as_json: bool,
    redis: str | None,
) -> None:
    """Show what runs failed of, the cause that was met last first.

    Failures of one cause have the same entrypoint, task, class of error, and function of the app in
    which it was raised. With CAUSE, only that one; `penstock runs --error CAUSE` lists its runs.
    """
    if resume and not cause:
        raise click.UsageError("--resume needs the CAUSE whose runs are resumed.")
    if not resume and (accept or forget or detach):
        raise click.UsageError("--accept, --forget and --detach go with --resume.")
    check_detached(detach, worker_queue)
    with open_client(redis) as client:
        if cause and resume and detach:
            run = client.start_bulk(
                "resume", error=cause, accept=accept, forget=forget, worker_queue=worker_queue
            )
            say_started(run.run_id, "resume", as_json=as_json)
            return
        if cause and resume:
            steps = client.bulk("resume", error=cause, accept=accept, forget=forget)
            follow_bulk(steps, "resume", as_json=as_json)
            return
        found = client.failures(limit, cause=cause)
    if as_json:
        for group in found:
            emit(group)
    elif found:
        _print(found)
    else:
        note(f"no failed run has cause {cause}." if cause else "no run is failed.")


def _print(found: Sequence[FailureGroup]) -> None:
    grid = Grid(
        *("cause", "failed", "entrypoint", "task", "place", "last", "run", "reason"),
        may_shrink=("place", "run", "reason"),
    )
    for group in found:
        grid.add(
            Text(group.cause),
            Text(str(group.failed), style="red"),
            Text(one_line(group.entrypoint)),
            Text(one_line(group.task)),
            Text(one_line(group.place)),
            Text(age(group.last_at)),
            Text(group.sample),
            Text(one_line(group.reason, 200), style="dim"),
        )
    grid.print()
