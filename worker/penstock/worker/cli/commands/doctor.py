"""`penstock doctor`: checks of your Redis, and of runs that are stuck."""

from __future__ import annotations

__all__ = ["doctor"]

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import click
from redis.exceptions import NoPermissionError, RedisError
from rich.text import Text

from penstock.publisher.redis.connection import connect
from penstock.runtime.diagnostics.doctor import Finding, Level, examine
from penstock.runtime.diagnostics.doctor.cluster import is_cluster
from penstock.runtime.diagnostics.doctor.examination import (
    no_answer,
    read_redis,
    redis_cli,
    refused,
)
from penstock.runtime.diagnostics.doctor.fix import Fixed, fix_runs
from penstock.runtime.diagnostics.doctor.listed_threads import relist
from penstock.runtime.diagnostics.doctor.permissions import ROLES, rights
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import Settings
from penstock.worker.cli.options import as_json, common, read_settings
from penstock.worker.cli.output import emit, print_line

STATUS: Final = {Level.OK: 0, Level.UNKNOWN: 0, Level.WARNING: 1, Level.PROBLEM: 2}
"""Exit statuses, for monitoring."""

_MARKS: Final = {
    Level.OK: ("✓", "green"),
    Level.UNKNOWN: ("?", "dim"),
    Level.WARNING: ("!", "yellow"),
    Level.PROBLEM: ("✗", "red"),
}


@click.command(short_help="Check the settings of your Redis, and find runs that are stuck.")
@click.option("--fix", is_flag=True, help="Requeue runs that have lost their ticket or worker.")
@click.option(
    "--user",
    type=click.Choice(sorted(ROLES)),
    help="Check only whether the connected Redis user has the rights of such a process.",
)
@click.option("--all-keys", is_flag=True, help="Look for keys without TTL among more than 100,000.")
@as_json
@common
@click.pass_context
def doctor(
    ctx: click.Context,
    fix: bool,
    user: str | None,
    all_keys: bool,
    as_json: bool,
    redis: str | None,
) -> None:
    """Check the server and the runs; say what each finding means, and the command that fixes it.

    The exit status is 0 if all is well, 1 if there are warnings, and 2 if there are problems or
    Redis does not answer. With --fix, the doctor lists the runs that it has requeued, and counts
    them as fixed. A fact that the connected user may not read is marked `?`, and does not change
    the exit status.
    """
    settings = read_settings(redis=redis)
    fixed: Fixed | None = None
    try:
        if user is not None:
            findings = _check_rights(settings, user)
        else:
            findings, fixed = _examine(settings, all_keys, fix)
    except NoPermissionError as error:
        findings = [refused(error, "Nothing was fixed." if fix else "Nothing could be checked.")]
    except (RedisError, OSError) as error:
        findings = [no_answer(error, settings)]
    for finding in findings:
        emit(finding) if as_json else _print(finding)
    if fixed is not None:
        emit(fixed) if as_json else _print_fixed(fixed)
    ctx.exit(max(STATUS[finding.level] for finding in findings))


def _examine(
    settings: Settings, all_keys: bool, fix: bool
) -> tuple[Sequence[Finding], Fixed | None]:
    """Return the findings, and what was fixed before, if `fix`."""
    with connect(settings.redis) as connection:
        keys = Keys.of(settings, connection)
        reading = read_redis(connection, settings, all_keys=all_keys)
        if not fix or is_cluster(reading.info):
            return examine(reading), None
        fixed = fix_runs(connection, keys, reading.orphans, settings.crashes)
        relisted = relist(connection, keys, settings.codec(), reading.unlisted)
        fixed = replace(fixed, relisted=tuple(relisted))
        return examine(fixed.left(reading)), fixed


def _check_rights(settings: Settings, role: str) -> Sequence[Finding]:
    with connect(settings.redis) as connection:
        keys = Keys.of(settings, connection)
        return [rights(connection, keys, role).finding(redis_cli(connection, settings.redis))]


def _print(finding: Finding) -> None:
    mark, style = _MARKS[finding.level]
    line = Text.assemble((mark, f"bold {style}"), f" {finding.check:<12} ")
    print_line(line.append(finding.message, style="" if finding.level is Level.OK else style))
    for label, text in (("means", finding.means), ("fix", finding.fix)):
        if text:
            print_line(Text.assemble((f"  {'':<12} {label:<6} ", "dim"), text))


def _print_fixed(fixed: Fixed) -> None:
    if fixed.requeued:
        print_line(Text(f"\nrequeued: {', '.join(fixed.requeued)}", style="green"))
    if fixed.given_up:
        text = f"\ngiven up, because their workers kept dying: {', '.join(fixed.given_up)}"
        print_line(Text(text, style="yellow"))
    if fixed.relisted:
        print_line(Text(f"\nlisted again: {', '.join(fixed.relisted)}", style="green"))
    if not fixed.requeued and not fixed.given_up and not fixed.relisted:
        print_line(Text("\nnothing to requeue", style="dim"))
