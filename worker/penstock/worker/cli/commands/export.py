"""`penstock export`: runs as JSON lines."""

from __future__ import annotations

__all__ = ["export"]

from typing import Any, Final

import click

from penstock.publisher.event import parse
from penstock.publisher.stored import read_all
from penstock.runtime.client.client import Client
from penstock.runtime.diagnostics.plain import plain
from penstock.worker.cli.filters import filters, query_of
from penstock.worker.cli.options import common, open_client
from penstock.worker.cli.output import emit

PAGE: Final = 100


@click.command(short_help="Write runs as JSON lines.")
@filters
@click.option("--events", "has_events", is_flag=True, help="With the stored events of each run.")
@click.option("--after", metavar="CURSOR", help="Go on after the last line of an earlier call.")
@click.option("--limit", "-n", type=click.IntRange(min=1), metavar="N", help="How many at most.")
@common
def export(
    has_events: bool, after: str | None, limit: int | None, redis: str | None, **options: Any
) -> None:
    """Write the runs that pass all filters as JSON, one a line.

    The last line is {"after": CURSOR}, from which another call goes on, or null at the end.
    """
    query = query_of(options)
    with open_client(redis) as client:
        left = limit
        while True:
            size = PAGE if left is None else min(PAGE, left)
            page = client.runs(limit=size, after=after, **query)
            for run in page:
                events = {"events": _events(client, run.run_id)} if has_events else {}
                emit(plain(run) | events)
            after = page.after
            left = None if left is None else left - len(page)
            if after is None or left == 0:
                break
    emit({"after": after})


def _events(client: Client, run_id: str) -> list[Any]:
    found: list[Any] = []
    codec = client.plans.codec.at("run", run_id)

    def take(seq: int, text: bytes) -> None:
        event = parse(text, seq, run_id)
        data = codec.fact(event["mode"], event["data"])
        found.append({"seq": seq, **plain(event), "data": plain(data)})

    client.do(read_all(client.plans.keys.events(run_id), take))
    return found
