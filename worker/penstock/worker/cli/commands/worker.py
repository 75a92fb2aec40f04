"""`penstock worker`: execute runs."""

from __future__ import annotations

__all__ = ["worker"]

import logging

import click

from penstock.worker.cli.errors import warnings_as_notes
from penstock.worker.cli.options import common


@click.command(short_help="Execute runs.")
@click.argument("app", nargs=-1)
@click.option(
    "--queue",
    "-q",
    "queues",
    multiple=True,
    metavar="NAME",
    help="A queue to serve; several are served in the order given.  [default: default]",
)
@click.option(
    "--concurrency",
    "-c",
    type=click.IntRange(min=1),
    metavar="N",
    default=50,
    show_default=True,
    help="Runs at once in one process.",
)
@click.option(
    "--processes",
    "-p",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="Worker processes; one that dies is replaced.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=25.0,
    show_default=True,
    help="How long running steps may take to end after SIGTERM or Ctrl-C.",
)
@click.option("--burst", is_flag=True, help="End when the queues are empty.")
@click.option("--name", metavar="NAME", help="The name that `rq info` shows; with one process.")
@click.option(
    "--health",
    metavar="[HOST:]PORT",
    default="",
    help="Serve /live, /ready and /metrics over HTTP, for probes.",
)
@click.option(
    "--health-file",
    metavar="PATH",
    default="",
    help="Write this file every second while the worker is live.",
)
@click.option("--log-json", is_flag=True, help="Log one JSON object per line.")
@click.option("--verbose", "-v", is_flag=True, help="Log more, and RQ's messages too.")
@click.option("--greet", type=click.Choice(["first", "again"]), hidden=True)  # for `penstock dev`
@common
@click.pass_context
def worker(
    ctx: click.Context,
    app: tuple[str, ...],
    queues: tuple[str, ...],
    concurrency: int,
    processes: int,
    grace: float,
    burst: bool,
    name: str | None,
    health: str,
    health_file: str,
    log_json: bool,
    verbose: bool,
    greet: str | None,
    redis: str | None,
) -> None:
    """Execute runs of the entrypoints that APP defines.

    APP is one or more files (flows.py), modules (shop.flows), LangGraph graphs (agent.py:graph) or
    a langgraph.json; without it, those of PENSTOCK_APP or of [tool.penstock] app in pyproject.toml.
    SIGTERM drains the worker: it takes nothing new, lets running steps end, and hands its runs over
    to other workers. A second SIGTERM ends it at once.
    """
    if name and processes > 1:
        raise click.UsageError("--name needs a single process: omit --processes.", ctx)

    from penstock.worker.process.signals import leaving_at_signals

    with leaving_at_signals():
        from penstock.runtime.settings import load_settings
        from penstock.runtime.telemetry.logs import set_up_logging
        from penstock.worker.process.app_loader import load_app
        from penstock.worker.process.deadline import Deadline
        from penstock.worker.process.options import WorkerOptions
        from penstock.worker.process.supervisor import supervise
        from penstock.worker.process.worker_process import run_worker

        set_up_logging(as_json=log_json, verbose=verbose)
        with warnings_as_notes(logging.getLogger("penstock").warning):
            settings = load_settings({"redis": redis, "app": app or None})
        options = WorkerOptions(
            app=settings.app,
            queues=queues or (settings.queue,),
            settings=settings,
            concurrency=concurrency,
            grace=grace,
            burst=burst,
            name=name or "",
            health=health,
            health_file=health_file,
        )
        if greet:
            from penstock.worker.cli.banner import greet as say_hello

            say_hello(load_app(settings.app).entrypoints, settings.redis, again=greet == "again")
        if processes > 1:
            ctx.exit(supervise(options, processes))
        ctx.exit(run_worker(options, deadline=Deadline()))
