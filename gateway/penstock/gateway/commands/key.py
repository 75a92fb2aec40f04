"""`penstock key`: the API keys of the gateway."""

from __future__ import annotations

__all__ = ["key"]

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from penstock.gateway.auth.api_key import ApiKey, new_key
from penstock.gateway.auth.api_keys import add_key, list_keys, remove_key
from penstock.gateway.auth.role import Role
from penstock.gateway.commands.options import common
from penstock.gateway.keys import GatewayKeys
from penstock.publisher.errors import ConfigurationError
from penstock.runtime.client.client import Client

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.group(short_help="Make, list and remove API keys.")
def key() -> None:
    """Make, list and remove the API keys of `penstock serve`."""


@key.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([str(each) for each in Role]),
    default=str(Role.CLIENT),
    show_default=True,
    help="What it may do; each role may do what the ones before it may.",
)
@click.option("--expires", metavar="TIME", help="When it ends, as in 90d or 12h; never by default.")
@common
def new(name: str, role: str, expires: str | None, redis: str | None) -> None:
    """Make a key for NAME, and print it: it is not shown again."""
    record, text = new_key(name, Role(role), None if expires is None else _seconds(expires))
    with Client(redis) as client:
        client.do(add_key(GatewayKeys(client.settings.prefix), record))
    click.echo(text)


@key.command("list")
@common
def listing(redis: str | None) -> None:
    """List the keys, without their secrets."""
    with Client(redis) as client:
        for record in client.do(list_keys(GatewayKeys(client.settings.prefix))):
            click.echo(_line(record))


@key.command()
@click.argument("key_id", metavar="ID")
@common
def remove(key_id: str, redis: str | None) -> None:
    """Make the key with this ID worthless, at once."""
    with Client(redis) as client:
        keys = GatewayKeys(client.settings.prefix)
        if not client.do(remove_key(keys, key_id)):
            raise ConfigurationError(f"there is no key {key_id!r}; `penstock key list` shows all.")
    click.echo(f"key {key_id} is removed")


def _line(record: ApiKey) -> str:
    ends = "never ends"
    if record.expires_at is not None:
        is_over = record.expires_at <= datetime.now(UTC)
        ends = f"{'ended' if is_over else 'ends'} {record.expires_at:%Y-%m-%d %H:%M} UTC"
    return f"{record.key_id}  {record.role:<8}  {record.name}  ({ends})"


def _seconds(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text)
    if found is None:
        raise ConfigurationError(
            f"{text!r} is no time: write a number and s, m, h or d, as in 90d."
        )
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
