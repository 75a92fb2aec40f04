"""The HTTP API: what services and pages ask, over any number of processes that keep nothing."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.gateway.app import create_app
    from penstock.gateway.auth.auth import Auth
    from penstock.gateway.settings import GatewaySettings

__all__ = ["Auth", "GatewaySettings", "create_app"]


def __getattr__(name: str) -> Any:
    """Import the app when it is asked for: the command line looks here for its commands."""
    if name == "create_app":
        from penstock.gateway.app import create_app

        return create_app
    if name == "Auth":
        from penstock.gateway.auth.auth import Auth

        return Auth
    if name == "GatewaySettings":
        from penstock.gateway.settings import GatewaySettings

        return GatewaySettings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
