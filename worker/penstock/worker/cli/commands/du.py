"""`penstock du`: what uses memory in Redis."""

from __future__ import annotations

__all__ = ["du"]

import click
from rich.text import Text

from penstock.runtime.diagnostics.memory import Usage, measure_all
from penstock.runtime.diagnostics.size import size
from penstock.worker.cli.errors import note
from penstock.worker.cli.options import as_json, common, read_settings
from penstock.worker.cli.output import Grid, emit, one_line, print_line


@click.command(short_help="Show what uses memory in Redis.")
@click.option(
    "--top",
    "-n",
    type=click.IntRange(min=0),
    metavar="N",
    default=5,
    show_default=True,
    help="How many runs and threads to name, the largest.",
)
@click.option("--all-keys", is_flag=True, help="Measure each key, also among more than 100,000.")
@as_json
@common
def du(top: int, all_keys: bool, as_json: bool, redis: str | None) -> None:
    """Show the bytes of each kind of key, and the largest runs and threads.

    The bytes of a run are those of its record, its recorded values, its events and RQ's job; those
    of a thread are its kept runs and its own state. All keys are counted. If there are more than
    100,000, only one run in every few is measured, and the rest is estimated.
    """
    settings = read_settings(redis=redis)
    usage = measure_all(settings, top, all_keys=all_keys)
    if as_json:
        _emit(usage)
    else:
        _print(usage)


def _emit(usage: Usage) -> None:
    for kind in usage.kinds:
        emit({"kind": kind.kind, "keys": kind.keys, "bytes": kind.bytes})
    for what, owners in (("run", usage.runs), ("thread", usage.threads)):
        for owner in owners:
            emit({what: owner.id, "bytes": owner.bytes})
    emit({"total": sum(kind.bytes for kind in usage.kinds), "measured_each": usage.each})


def _print(usage: Usage) -> None:
    total = sum(kind.bytes for kind in usage.kinds)
    kinds = Grid("bytes", "keys", "kind")
    for kind in usage.kinds:
        kinds.add(Text(f"{size(kind.bytes):>9}"), Text(f"{kind.keys:,}"), Text(kind.kind))
    kinds.add(Text(f"{size(total):>9}"), Text(""), Text("all"))
    kinds.print()
    for what, owners in (("run", usage.runs), ("thread", usage.threads)):
        if owners:
            print_line("")
            grid = Grid("bytes", f"largest {what}s", may_shrink=(f"largest {what}s",))
            for owner in owners:
                grid.add(Text(f"{size(owner.bytes):>9}"), Text(one_line(owner.id)))
            grid.print()
    if usage.each > 1:
        note(f"measured one run in {usage.each}, the rest is estimated; --all-keys measures all")
