"""`penstock bulk`: one action on many runs."""

from __future__ import annotations

__all__ = ["bulk", "check_detached", "detached", "follow_bulk", "say_started", "steps_of_resume"]

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click

from penstock.runtime.types.bulk import ACTIONS, BulkProgress
from penstock.worker.cli.errors import note
from penstock.worker.cli.filters import filters, query_of
from penstock.worker.cli.options import as_json, common, open_client
from penstock.worker.cli.output import emit, print_line

F = TypeVar("F", bound=Callable[..., Any])

SHOWN: Final = 10
"""Runs that a dry run names."""


def steps_of_resume(function: F) -> F:
    """Give a command the steps of runs that are resumed, as `accept` and `forget`."""
    for name, about in (
        ("--forget", "Of runs that are resumed: STEP is executed again."),
        ("--accept", "Of runs that are resumed: the record of STEP stands."),
    ):
        function = click.option(name, metavar="STEP", multiple=True, help=about)(function)
    return function


def detached(function: F) -> F:
    """Let a command have its work done by a worker, as `detach` and `worker_queue`."""
    function = click.option(
        "--worker-queue", metavar="NAME", help="With --detach: the queue whose workers do it."
    )(function)
    return click.option(
        "--detach", is_flag=True, help="Have a worker do it, as a run of its own, and name the run."
    )(function)


def check_detached(detach: bool, worker_queue: str | None) -> None:
    """Refuse a queue for work that no worker does.

    Raises:
        click.UsageError: there is one.
    """
    if worker_queue is not None and not detach:
        raise click.UsageError("--worker-queue goes with --detach.")


@click.command(short_help="Cancel, resume, rerun, fork, delete or unpin runs that pass filters.")
@click.argument("action", type=click.Choice(list(ACTIONS)))
@filters
@click.option("--all", "is_all", is_flag=True, help="All runs, where no filter is given.")
@click.option("--dry-run", is_flag=True, help="Change nothing; count the runs, and name ten.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    default=100.0,
    show_default=True,
    help="How many runs a second at most.",
)
@steps_of_resume
@click.option(
    "--after-step",
    metavar="STEP",
    help="Of runs that are forked: the last step that is not executed again.",
)
@detached
@as_json
@common
def bulk(
    action: Any,
    is_all: bool,
    dry_run: bool,
    rate: float,
    accept: tuple[str, ...],
    forget: tuple[str, ...],
    after_step: str | None,
    detach: bool,
    worker_queue: str | None,
    as_json: bool,
    redis: str | None,
    **options: Any,
) -> None:
    """Do the same to all runs that pass all filters.

    A run that somebody has changed since it was read is skipped. So the command may be stopped and
    repeated: no run is changed twice. With --detach a worker does it, and another one goes on where
    it dies; `penstock tail` shows the progress, `penstock cancel` stops it.
    """
    if detach and dry_run:
        raise click.UsageError("--dry-run goes without --detach.")
    check_detached(detach, worker_queue)
    query = query_of(options)
    steps: Any = {"accept": accept, "forget": forget, "after_step": after_step}
    with open_client(redis) as client:
        if detach:
            steps["worker_queue"] = worker_queue
            run = client.start_bulk(action, rate=rate, all=is_all, **steps, **query)
            say_started(run.run_id, action, as_json=as_json)
            return
        done = client.bulk(action, rate=rate, dry_run=dry_run, all=is_all, **steps, **query)
        follow_bulk(done, action, is_dry=dry_run, as_json=as_json)


def say_started(run_id: str, action: str, *, as_json: bool) -> None:
    """Name the run that does it."""
    if as_json:
        print_line(json.dumps({"run_id": run_id}))
    else:
        print_line(f"{action}: run {run_id} does it; penstock tail {run_id} follows it")


def follow_bulk(
    steps: Iterable[BulkProgress], action: str, *, is_dry: bool = False, as_json: bool = False
) -> None:
    """Show how far it is, then what came of it."""
    progress, named = BulkProgress(0, 0, ()), list[str]()
    for progress in steps:
        named += progress.run_ids[: SHOWN - len(named)]
        if as_json:
            emit(progress)
        elif not is_dry:
            note(f"{action}: {progress.done} done, {progress.skipped} skipped")
    if as_json:
        return
    if is_dry:
        print_line(f"{action}: {progress.done} runs, nothing was changed")
        for run_id in named:
            print_line(f"  {run_id}")
    else:
        print_line(f"{action}: {progress.done} runs, {progress.skipped} skipped")
