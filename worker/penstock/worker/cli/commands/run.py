"""`penstock run`: enqueue a run, and follow it if wanted."""

from __future__ import annotations

__all__ = ["run"]

from collections.abc import Sequence
from typing import cast

import click

from penstock.runtime.client.run import RunHandle
from penstock.runtime.redis.calls import OnBusy
from penstock.worker.cli.errors import note, warnings_as_notes
from penstock.worker.cli.filters import tags_of
from penstock.worker.cli.options import as_json, common, open_client, parse_json


@click.command(short_help="Enqueue a run.")
@click.argument("flow")
@click.argument("input")
@click.option("--thread", metavar="ID", help="The thread that the run belongs to.")
@click.option("--run-id", metavar="ID", help="An id of your own: two calls with it are one run.")
@click.option("--queue", "-q", metavar="NAME", help="The queue of the run.")
@click.option(
    "--tag", metavar="KEY=VALUE", multiple=True, help="A tag to find it by; may be repeated."
)
@click.option(
    "--on-busy",
    type=click.Choice(["queue", "reject", "interrupt", "rollback"]),
    default="queue",
    show_default=True,
    help="What to do if another run of the thread is queued or running.",
)
@click.option("--follow", "-f", is_flag=True, help="Show the events of the run, then its result.")
@as_json
@common
@click.pass_context
def run(
    ctx: click.Context,
    flow: str,
    input: str,
    thread: str | None,
    run_id: str | None,
    queue: str | None,
    tag: Sequence[str],
    on_busy: str,
    follow: bool,
    as_json: bool,
    redis: str | None,
) -> None:
    """Enqueue a run of the entrypoint FLOW with INPUT, and print the run's id.

    INPUT is JSON; `-` reads it from standard input.

    \b
      penstock run report '{"folder": "docs"}' --follow
      penstock run greet '"Ada"' --thread ada

    With --follow the exit status is 0 if the run completed, 1 if it failed or was cancelled, and 3
    if it waits for an answer. Ctrl-C ends the command, not the run.
    """  # noqa: D301  # \b makes click leave a paragraph as it is
    value = parse_json(input, "INPUT", """'{"x": 5}'""")
    with open_client(redis) as client:
        with warnings_as_notes():
            handle = client.enqueue(
                flow,
                value,
                thread_id=thread,
                run_id=run_id,
                queue=queue,
                tags=tags_of(tag),
                on_busy=cast(OnBusy, on_busy),
            )
        if not follow:
            _print_handle(handle, as_json)
            return
        from penstock.worker.cli.commands.follower import Follower

        if not as_json:
            note(f"run {handle.run_id}")
        ctx.exit(Follower(client, handle.run_id, ("custom", "updates"), as_json).follow())


def _print_handle(handle: RunHandle, as_json: bool) -> None:
    if as_json:
        from penstock.worker.cli.output import emit

        emit({"run_id": handle.run_id, "thread_id": handle.thread_id})
    else:
        click.echo(handle.run_id)
