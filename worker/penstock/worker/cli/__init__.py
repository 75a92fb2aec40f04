"""The `penstock` command: one file a command, loaded when it is called, so that help is quick."""

from __future__ import annotations

__all__ = ["main"]

import importlib
import importlib.metadata
import importlib.util
from typing import Any, Final

import click

from penstock.worker.cli.errors import guard

SECTIONS: Final = {
    "Begin": {
        "demo": "Watch a run survive the death of its worker; needs no Redis.",
        "dev": "Develop workflows: start a Redis and a worker that reloads on change.",
        "worker": "Execute runs.",
    },
    "Runs": {
        "run": "Enqueue a run; with --follow, watch it to its end.",
        "runs": "List the newest runs, or count them.",
        "show": "Show a run: its steps, its attempts, what it waits for.",
        "tail": "Follow the events of a run, from the first one on.",
        "follow": "Follow the changes of all runs.",
        "failures": "Show what runs failed of, in groups; resume a group.",
        "resume": "Answer a run that waits, or let a failed run continue.",
        "rerun": "Enqueue a run of the same input.",
        "fork": "Start a run with the first steps of another.",
        "cancel": "Cancel a run.",
        "unpin": "Let workers with any version execute a run.",
        "bulk": "Cancel, resume, rerun or delete all runs that pass filters.",
        "export": "Write runs as JSON lines.",
    },
    "Serve": {
        "serve": "Serve the HTTP API and the dashboard.",
        "key": "Make, list and remove API keys.",
    },
    "Operations": {
        "workers": "Show the live workers: what they serve, and what they execute.",
        "webhooks": "List, make and test webhooks: URLs that are told of runs.",
        "backlog": "Count the work of queues: the numbers to scale workers by.",
        "exporter": "Serve the metrics of a Redis to Prometheus.",
        "doctor": "Check the settings of your Redis, and find runs that are stuck.",
        "du": "Show what uses memory in Redis: kinds of keys, runs, threads.",
    },
}
"""All commands with a sentence each; command `x` is the object `x` of `cli/commands/x.py`."""

_OF_GATEWAY: Final = ("serve", "key")
"""Commands in a room that this one does not know: they are loaded by their names."""


class Commands(click.Group):
    """Loads a command's module when the command is called; prints an error as one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, in the order of the help."""
        return [name for names in SECTIONS.values() for name in names if _exists(name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if not any(cmd_name in names for names in SECTIONS.values()) or not _exists(cmd_name):
            return None
        command = getattr(importlib.import_module(_module(cmd_name)), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, without loading them."""
        existing = self.list_commands(ctx)
        for title, names in SECTIONS.items():
            rows = [(name, text) for name, text in names.items() if name in existing]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_spacing=3)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and print an error of the user as one sentence."""
        with guard(ctx):
            return super().invoke(ctx)


def _exists(name: str) -> bool:
    return importlib.util.find_spec(_module(name)) is not None


def _module(name: str) -> str:
    room = "penstock.gateway" if name in _OF_GATEWAY else __name__
    return f"{room}.commands.{name}"


def _show_version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"penstock {importlib.metadata.version('penstock')}")
        ctx.exit()


@click.command(
    name="penstock",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def main() -> None:
    """Durable, streaming Python workflows on Redis and RQ.

    \b
    A first look, without a Redis of your own:
      penstock dev flows.py
      penstock run main '{"x": 5}' --follow

    The Redis is that of --redis, else PENSTOCK_REDIS_URL, else [tool.penstock] in pyproject.toml,
    else redis://localhost:6379. `penstock COMMAND --help` says more about each command.
    """  # noqa: D301  # \b makes click leave a paragraph as it is
