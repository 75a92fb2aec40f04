"""`penstock demo`: watch a run survive the death of its worker."""

from __future__ import annotations

__all__ = ["demo"]

from pathlib import Path

import click

from penstock.worker.cli.errors import keep_traceback

AGENT = "agent"
"""What stands for the agent, in place of a folder."""


@click.command(short_help="Watch a run survive the death of its worker.")
@click.argument("folder", required=False, metavar="[FOLDER|agent]")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def demo(ctx: click.Context, folder: str | None, debug: bool) -> None:
    """Run a workflow over the text files of FOLDER, and kill its worker in the middle.

    The demo starts a Redis and two workers. One run counts the words of each file, finds its
    characteristic terms and its links, and builds a report, in hundreds of durable steps. Halfway,
    the executing worker gets SIGKILL, and the other one continues the run. Without FOLDER, the demo
    reads Penstock's own docs and sources. The exit status is 1 if a promise was not kept.

    `penstock demo agent` kills the worker of a LangGraph agent in the middle of a sentence, and
    approves what it asks. It needs the extra `langgraph`. A folder of that name is `./agent`.
    """
    from penstock.worker.demo.screen import open_console

    if debug:
        keep_traceback(ctx)
    if folder == AGENT:
        from penstock.worker.demo.agent.show import show_agent

        ctx.exit(show_agent(open_console()))
    from penstock.worker.demo.folder import default_folder
    from penstock.worker.demo.show import show

    ctx.exit(show((Path(folder) if folder else default_folder()).resolve(), open_console()))
