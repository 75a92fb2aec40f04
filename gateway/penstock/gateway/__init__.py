"""The HTTP API: what services and pages ask, over any number of processes that keep nothing."""

from penstock.gateway.app import create_app
from penstock.gateway.settings import GatewaySettings

__all__ = ["GatewaySettings", "create_app"]
