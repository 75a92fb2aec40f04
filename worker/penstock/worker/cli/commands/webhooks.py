"""`penstock webhooks`: URLs that are told of changes of runs."""

from __future__ import annotations

__all__ = ["webhooks"]

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click
from rich.text import Text

from penstock.runtime.client.client import Client
from penstock.runtime.types.webhook import (
    DEFAULT_EVENTS,
    EVENTS,
    Webhook,
    WebhookDelivery,
    webhook_fields,
)
from penstock.worker.cli.errors import FAILED, Refusal, note
from penstock.worker.cli.filters import feed_filters, query_of
from penstock.worker.cli.options import as_json, common, open_client
from penstock.worker.cli.output import Grid, age, emit, one_line, print_line

SHOWN: Final = 5
"""Tries that `show` lists."""


@click.group(short_help="List, make and test webhooks: URLs that are told of runs.")
def webhooks() -> None:
    """List, make, test and delete webhooks: URLs that are told of changes of runs."""


@webhooks.command("list")
@as_json
@common
def listing(as_json: bool, redis: str | None) -> None:
    """List the webhooks, and how their deliveries go."""
    with open_client(redis) as client:
        found = client.webhooks.list()
    if as_json:
        for webhook in found:
            emit(webhook_fields(webhook))
    elif found:
        _print_all(found)
    else:
        note("there is no webhook: penstock webhooks put ID URL.")


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.argument("url")
@click.option(
    "--event",
    "events",
    type=click.Choice(EVENTS),
    multiple=True,
    default=DEFAULT_EVENTS,
    show_default=True,
    help="A change that it is told of; may be repeated.",
)
@feed_filters
@click.option(
    "--secret",
    metavar="TEXT|-",
    help="Sign with this, 'whsec_' and base64; - reads it from standard input.",
)
@as_json
@common
def put(
    webhook_id: str,
    url: str,
    events: tuple[str, ...],
    secret: str | None,
    as_json: bool,
    redis: str | None,
    **options: Any,
) -> None:
    """Have URL told of changes of runs, from now on, as webhook ID; replaces the one of this ID.

    A new webhook gets a secret, which is printed once; one that is replaced keeps its own. With
    filters, it is told only of runs that pass them.
    """
    given = sys.stdin.readline().strip() if secret == "-" else secret
    where: Any = query_of(options)
    with open_client(redis) as client:
        made = client.webhooks.put(webhook_id, url, events=events, where=where, secret=given)
    if as_json:
        emit(webhook_fields(made))
        return
    click.echo(f"webhook {webhook_id} is told of {', '.join(made.events)}")
    if made.secret and secret is None:
        click.echo(made.secret)
        note("this is its secret: give it to the receiver, it is not shown again")


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@as_json
@common
def show(webhook_id: str, as_json: bool, redis: str | None) -> None:
    """Show webhook ID: what it is told of, how that goes, and the last tries to deliver."""
    with open_client(redis) as client:
        webhook = client.webhooks.get(webhook_id)
        tries = client.webhooks.deliveries(webhook_id, SHOWN)
    if as_json:
        emit({**webhook_fields(webhook), "deliveries": tries})
        return
    _print_one(webhook)
    if tries:
        _print_tries(tries)


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(min=1),
    metavar="N",
    default=20,
    show_default=True,
    help="How many tries at most; 100 are remembered.",
)
@as_json
@common
def deliveries(webhook_id: str, limit: int, as_json: bool, redis: str | None) -> None:
    """Show the last tries to deliver to webhook ID, the newest first."""
    with open_client(redis) as client:
        found = client.webhooks.deliveries(webhook_id, limit)
    if as_json:
        for each in found:
            emit(each)
    elif found:
        _print_tries(found)
    else:
        note(f"nothing was sent to webhook {webhook_id} yet: penstock webhooks test {webhook_id}.")


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=15.0,
    show_default=True,
    help="How long to wait for a worker that sends it; 0 does not wait.",
)
@as_json
@common
def test(webhook_id: str, timeout: float, as_json: bool, redis: str | None) -> None:
    """Have a worker send a `webhook.test` to webhook ID, and say what came of it."""
    with open_client(redis) as client:
        delivery = client.webhooks.test(webhook_id)
        sent = _wait(client, webhook_id, delivery, timeout)
    if as_json:
        emit(sent or {"id": delivery})
    elif sent is None:
        click.echo(f"delivery {delivery} waits for a worker")
    elif not sent.error:
        click.echo(f"delivered in {sent.seconds:.1f} s: the receiver answered {sent.status}")
    if sent is not None and sent.error:
        if not as_json:
            raise Refusal(f"webhook {webhook_id!r} did not take it: {sent.error}.")
        click.get_current_context().exit(FAILED)
    if sent is None and timeout:
        raise Refusal(f"no worker has sent it within {timeout:g} s: is a `penstock worker` alive?")


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@common
def enable(webhook_id: str, redis: str | None) -> None:
    """Send to webhook ID again, at once also what waits."""
    with open_client(redis) as client:
        client.webhooks.enable(webhook_id)
    click.echo(f"webhook {webhook_id} is enabled")


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.option("--reason", metavar="TEXT", default="", help="What `show` says of it.")
@common
def disable(webhook_id: str, reason: str, redis: str | None) -> None:
    """Send nothing to webhook ID; what waits is kept for five days."""
    with open_client(redis) as client:
        client.webhooks.disable(webhook_id, reason)
    click.echo(f"webhook {webhook_id} is disabled")


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@common
def delete(webhook_id: str, redis: str | None) -> None:
    """Delete webhook ID, with the deliveries that wait."""
    with open_client(redis) as client:
        if not client.webhooks.delete(webhook_id):
            raise Refusal(f"there is no webhook {webhook_id!r}: `penstock webhooks list`.")
    click.echo(f"webhook {webhook_id} is deleted")


def _wait(client: Client, webhook_id: str, delivery: str, timeout: float) -> WebhookDelivery | None:
    """Wait for the first try of a delivery."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        for each in client.webhooks.deliveries(webhook_id, 100):
            if each.id == delivery:
                return each
        time.sleep(0.1)
    return None


def _print_all(found: Sequence[Webhook]) -> None:
    grid = Grid(
        *("webhook", "url", "state", "waiting", "delivered", "failed", "last", "error"),
        may_shrink=("url", "error"),
    )
    for webhook in found:
        grid.add(
            Text(webhook.id),
            Text(one_line(webhook.url)),
            _state(webhook),
            Text(str(webhook.waiting)),
            Text(str(webhook.delivered)),
            Text(str(webhook.failed)),
            Text(age(webhook.last_delivered) if webhook.last_delivered else ""),
            Text(one_line(webhook.unreadable or webhook.error, 200), style="dim"),
        )
    grid.print()


def _state(webhook: Webhook) -> Text:
    if webhook.disabled:
        return Text("disabled", style="red")
    if webhook.unreadable:
        return Text("unreadable", style="red")
    if webhook.failing_since:
        return Text("failing", style="yellow")
    return Text("enabled", style="green")


def _print_one(webhook: Webhook) -> None:
    print_line(Text.assemble(f"webhook {webhook.id}  ", _state(webhook)))
    where = [f"{name}={one_line(value)}" for name, value in webhook.where.items() if name != "tag"]
    tags: Mapping[str, str] = webhook.where.get("tag") or {}
    where += [f"{key}={one_line(value)}" for key, value in tags.items()]
    lines = {
        "url": webhook.url,
        "told of": ", ".join(webhook.events),
        "where": "  ".join(where),
        "disabled": webhook.disabled,
        "waiting": str(webhook.waiting),
        "delivered": _times(webhook.delivered, webhook.last_delivered),
        "failed": _times(webhook.failed, webhook.last_failed),
        "dropped": str(webhook.dropped or ""),
        "skipped": str(webhook.skipped or ""),
        "failing": age(webhook.failing_since) if webhook.failing_since else "",
        "error": webhook.error,
    }
    for name, text in lines.items():
        if text:
            print_line(Text.assemble((f"{name:<9}  ", "dim"), one_line(text)))


def _times(count: int, last: Any) -> str:
    return f"{count}, last {age(last)}" if last else str(count)


def _print_tries(found: Sequence[WebhookDelivery]) -> None:
    grid = Grid("delivery", "event", "try", "status", "seconds", "sent", "error")
    for each in found:
        grid.add(
            Text(each.id),
            Text(each.event),
            Text(str(each.number)),
            Text(str(each.status or ""), style="red" if each.error else "green"),
            Text(f"{each.seconds:.2f}"),
            Text(age(each.at)),
            Text(one_line(each.error, 200), style="dim"),
        )
    grid.print()
