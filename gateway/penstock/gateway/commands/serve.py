"""`penstock serve`: the HTTP API and the dashboard."""

from __future__ import annotations

__all__ = ["serve"]

import importlib.util

import click

from penstock.gateway.commands.options import common
from penstock.publisher.errors import ConfigurationError


@click.command(short_help="Serve the HTTP API and the dashboard.")
@click.option("--host", metavar="ADDRESS", help="The address to listen on; 127.0.0.1 by default.")
@click.option("--port", "-p", type=click.IntRange(0, 65535), help="The port; 2024 by default.")
@click.option("--name", "hosts", multiple=True, help="A name that it is asked for by; repeatable.")
@click.option("--origin", "origins", multiple=True, help="An origin whose pages may use it.")
@click.option("--insecure", is_flag=True, default=None, help="Ask for no API key at any address.")
@click.option("--auth", metavar="FILE:OBJECT", help="An Auth object, instead of API keys.")
@click.option("--json-logs", is_flag=True, help="Log one JSON object per line.")
@common
def serve(
    host: str | None,
    port: int | None,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    insecure: bool | None,
    auth: str | None,
    json_logs: bool,
    redis: str | None,
) -> None:
    """Serve the HTTP API and the dashboard, on 127.0.0.1:2024 unless told otherwise.

    Start as many as you like behind any load balancer: they keep nothing. At an address that
    others can reach, each request needs an API key: `penstock key new NAME` makes one.
    """
    if any(importlib.util.find_spec(each) is None for each in ("jinja2", "starlette", "uvicorn")):
        raise ConfigurationError("this needs more packages: pip install 'penstock[gateway]'.")
    from penstock.gateway.server import run_server
    from penstock.gateway.settings import load_gateway_settings
    from penstock.runtime.client.async_client import AsyncClient
    from penstock.runtime.telemetry.logs import set_up_logging

    set_up_logging(as_json=json_logs)
    given = {"host": host, "port": port, "insecure": insecure, "auth": auth}
    lists = {"hosts": hosts or None, "origins": origins or None}
    run_server(AsyncClient(redis), load_gateway_settings(given | lists))
