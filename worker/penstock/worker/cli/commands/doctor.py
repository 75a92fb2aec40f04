"""`penstock doctor`: what your Redis promises, and what is stuck."""

from __future__ import annotations

__all__ = ["doctor"]

from collections.abc import Sequence
from typing import Any, Final, cast

import click
from redis import Redis
from redis.exceptions import NoPermissionError, RedisError
from redis.sentinel import SentinelConnectionPool
from rich.text import Text

from penstock.publisher.redis.cause import fix_for
from penstock.publisher.redis.connection import connect
from penstock.publisher.redis.url import redacted
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import Settings
from penstock.worker.cli.options import as_json, common, read_settings
from penstock.worker.cli.output import emit, say
from penstock.worker.doctor import Finding, Level, examine
from penstock.worker.doctor.cluster import is_cluster
from penstock.worker.doctor.facts import read
from penstock.worker.doctor.fix import Mended, mend
from penstock.worker.doctor.permissions import ROLES, rights

STATUS: Final = {Level.OK: 0, Level.UNKNOWN: 0, Level.WARNING: 1, Level.PROBLEM: 2}
"""Exit statuses, for monitoring."""

_MARKS: Final = {
    Level.OK: ("✓", "green"),
    Level.UNKNOWN: ("?", "dim"),
    Level.WARNING: ("!", "yellow"),
    Level.PROBLEM: ("✗", "red"),
}


@click.command(short_help="Check what your Redis promises, and what is stuck.")
@click.option("--fix", is_flag=True, help="Queue again what has lost its ticket or its worker.")
@click.option(
    "--user",
    type=click.Choice(sorted(ROLES)),
    help="Check only whether the connected Redis user may do what such a process does.",
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
    Redis does not answer. With --fix it names what it has queued again, and counts that as fixed.
    What the connected user is not allowed to read is marked `?`, and changes no exit status.
    """
    settings = read_settings(redis=redis)
    mended: Mended | None = None
    try:
        if user is not None:
            findings = _look_at_rights(settings, user)
        else:
            findings, mended = _look(settings, all_keys, fix)
    except NoPermissionError as error:
        findings = [_refused(error, fix)]
    except (RedisError, OSError) as error:
        findings = [_no_answer(error, settings)]
    for finding in findings:
        emit(finding) if as_json else _print(finding)
    if mended is not None:
        emit(mended) if as_json else _print_mended(mended)
    ctx.exit(max(STATUS[finding.level] for finding in findings))


def _look(settings: Settings, all_keys: bool, fix: bool) -> tuple[Sequence[Finding], Mended | None]:
    """Find what is not well, after what can be mended was, if wanted; tell what that is."""
    with connect(settings.redis) as connection:
        keys = Keys.of(settings, connection)
        cli = _cli(connection, settings.redis)
        reading = read(connection, keys, settings.codec(), cli=cli, all_keys=all_keys)
        if not fix or is_cluster(reading.info):
            return examine(reading), None
        mended = mend(connection, keys, reading.orphans, settings.crashes)
        return examine(mended.left(reading)), mended


def _look_at_rights(settings: Settings, role: str) -> Sequence[Finding]:
    with connect(settings.redis) as connection:
        keys = Keys.of(settings, connection)
        return [rights(connection, keys, role).finding(_cli(connection, settings.redis))]


def _no_answer(error: Exception, settings: Settings) -> Finding:
    return Finding(
        "server",
        Level.PROBLEM,
        f"it cannot be used: {error}",
        "Nothing can be enqueued or executed; workers wait until it answers.",
        fix_for(error, connect(settings.redis)),
    )


def _refused(error: Exception, fix: bool) -> Finding:
    return Finding(
        "rights",
        Level.PROBLEM,
        f"the Redis user may not do this: {error}",
        "Nothing was mended." if fix else "Nothing can be told.",
        "ask as a user with the rights of a worker: penstock doctor --user worker",
    )


def _cli(connection: Redis, url: str) -> str:
    """Begin a redis-cli command for a URL, without showing its password."""
    pool: Any = connection.connection_pool
    if isinstance(pool, SentinelConnectionPool):
        host, port = cast("tuple[str, int]", pool.get_master_address())
        return f"redis-cli -h {host} -p {port}"
    if redacted(url) != url:
        return 'redis-cli -u "$PENSTOCK_REDIS_URL"'
    return f"redis-cli -u {url}"


def _print(finding: Finding) -> None:
    mark, style = _MARKS[finding.level]
    line = Text.assemble((mark, f"bold {style}"), f" {finding.check:<12} ")
    say(line.append(finding.says, style="" if finding.level is Level.OK else style))
    for label, text in (("means", finding.means), ("fix", finding.fix)):
        if text:
            say(Text.assemble((f"  {'':<12} {label:<6} ", "dim"), text))


def _print_mended(mended: Mended) -> None:
    if mended.fixed:
        say(Text(f"\nqueued again: {', '.join(mended.fixed)}", style="green"))
    if mended.given_up:
        text = f"\ngiven up, their workers kept dying: {', '.join(mended.given_up)}"
        say(Text(text, style="yellow"))
    if not mended.fixed and not mended.given_up:
        say(Text("\nnothing to queue again", style="dim"))
