"""`penstock dev`: a Redis and a worker that reloads on change, to develop workflows."""

from __future__ import annotations

__all__ = ["dev"]

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from penstock.worker.cli.errors import Refusal, note
from penstock.worker.cli.options import common, read_settings
from penstock.worker.process.app_source import file_of
from penstock.worker.process.signals import handled, how_ended

if TYPE_CHECKING:
    from penstock.worker.embedded import EmbeddedServer

USUAL_PORT = 6379
"""Taken if it is free, so that `penstock run` in another terminal needs no --redis."""

USUAL_HTTP = 2024
"""Taken if it is free."""


@click.command(short_help="Start a Redis and a worker that reloads on change.")
@click.argument("app", nargs=-1)
@click.option(
    "--queue",
    "-q",
    "queues",
    multiple=True,
    metavar="NAME",
    help="A queue to serve.  [default: default]",
)
@click.option(
    "--concurrency",
    "-c",
    type=click.IntRange(min=1),
    metavar="N",
    default=50,
    show_default=True,
    help="Runs at once.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=5.0,
    show_default=True,
    help="How long running steps may take to end at a reload.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    metavar="PORT",
    help="The port of the Redis.  [default: 6379 if it is free, else any]",
)
@click.option(
    "--http",
    type=click.IntRange(0, 65_535),
    metavar="PORT",
    help="The port of the HTTP API and the dashboard, 0 for none.  "
    "[default: 2024 if it is free, else any]",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Keep the data of the Redis here, for the next time.",
)
@common
def dev(
    app: tuple[str, ...],
    queues: tuple[str, ...],
    concurrency: int,
    grace: float,
    port: int | None,
    http: int | None,
    data: Path | None,
    redis: str | None,
) -> None:
    """Start a Redis and a worker for APP, and reload APP when a file beside it changes.

    APP is one or more files (flows.py), modules (shop.flows), LangGraph graphs (agent.py:graph) or
    a langgraph.json. A run that is executing at a reload continues with the new code from its last
    recorded step. With the extra `gateway`, the HTTP API and the dashboard are served too. With
    --redis, no Redis is started. Ctrl-C ends all of it.
    """
    from penstock.publisher.redis.url import redacted

    settings = read_settings(redis=redis, app=app or None)
    _require_files(settings.app)
    arguments = ["--concurrency", str(concurrency), "--grace", str(grace)]
    for queue in queues:
        arguments += ["--queue", queue]
    with _ended_by_signals():
        if redis is not None:
            click.echo(f"Redis   {redacted(redis)}")
            _work(settings.app, redis, arguments, grace, http)
            return
        with _embedded(data, port) as server:
            kept = f"data in {data}" if data else "its data goes when you stop it, or use --data"
            click.echo(f"Redis   {server.url}  ({server.kind} {server.version()}, {kept})")
            _work(settings.app, server.url, arguments, grace, http)


def _require_files(app: Sequence[str]) -> None:
    if not app:
        raise Refusal(
            "no app given: name the file that defines the entrypoints, as in penstock dev flows.py."
        )
    for source in app:
        if (file := file_of(source)) and not Path(file).is_file():
            raise Refusal(f"there is no file {file!r} in {Path.cwd()}; check the path.")


def _embedded(data: Path | None, port: int | None) -> EmbeddedServer:
    from penstock.worker.embedded import EmbeddedServer

    if port is None and _is_free(USUAL_PORT):
        port = USUAL_PORT
    return EmbeddedServer(data, port)


def _is_free(port: int) -> bool:
    import socket

    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _work(
    app: Sequence[str], url: str, arguments: Sequence[str], grace: float, http: int | None
) -> None:
    from penstock.publisher.redis.url import redacted
    from penstock.worker.process.reload import Reloader, Watch, source_folders

    folders = source_folders(app)
    click.echo(f"Watch   {', '.join(map(str, folders))}  (*.py)")
    command = [sys.executable, "-m", "penstock.worker.cli", "worker", *app]
    if redacted(url) == url:
        command += ["--redis", url]
    else:  # a command line is seen by all users of a machine
        os.environ["PENSTOCK_REDIS"] = url
    command += [*arguments, "--greet"]
    reloader = Reloader([*command, "first"], [*command, "again"], Watch(folders), grace + 5)
    try:
        with _gateway(url, http):
            reloader.run(_note_change, _note_end)
    except KeyboardInterrupt:
        click.echo("\nStopped.")


def _gateway(url: str, port: int | None) -> AbstractContextManager[None]:
    from penstock.worker.process.dev_gateway import dev_gateway, is_installed
    from penstock.worker.redis_server import free_port

    if port == 0 or (port is None and not is_installed()):
        click.echo()
        return nullcontext()
    chosen = port or (USUAL_HTTP if _is_free(USUAL_HTTP) else free_port())
    click.echo(f"Pages   http://127.0.0.1:{chosen}/dashboard/\n")
    return dev_gateway(url, chosen)


def _note_change(changed: Sequence[Path]) -> None:
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    note(f"\n{changed[0].name}{more} changed, reloading\n")


def _note_end(status: int, is_again: bool) -> None:
    when = "now" if is_again else "when a file changes"
    note(f"the worker has ended ({how_ended(status)}); it starts again {when}")


@contextmanager
def _ended_by_signals() -> Generator[None]:
    """Let SIGTERM and SIGHUP end the command as Ctrl-C does."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with handled(interrupt):
        yield
