"""What can be set of a gateway: arguments, then PENSTOCK_GATEWAY_*, then pyproject.toml."""

from __future__ import annotations

__all__ = ["GatewaySettings", "load_gateway_settings"]

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from penstock.gateway.auth.role import Role
from penstock.runtime.setting_sources import Kind
from penstock.runtime.table_settings import table_settings

PREFIX: Final = "PENSTOCK_GATEWAY_"


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """All settings of a gateway with their defaults; durations are seconds, sizes bytes."""

    host: str = "127.0.0.1"
    """The address to listen on; one that others can reach needs API keys, or `insecure`."""
    port: int = 2024
    hosts: tuple[str, ...] = ()
    """Names by which the gateway is asked for, beside loopback and `host`."""
    origins: tuple[str, ...] = ()
    """Origins of the pages that may use it, beside those of loopback; `*` for all."""
    insecure: bool = False
    """Whether requests need no key although others can reach the address."""
    body_limit: int = 8 * 1024 * 1024
    """How large the body of a request may be."""
    streams: int = 5000
    """How many streams a process has open at most."""
    streams_each: int = 100
    """How many streams one API key has open at most, in a process."""
    send_timeout: float = 30.0
    """How long a client may leave what it is sent; then its stream is cut."""
    pulse: float = 5.0
    """How long a stream is silent before a comment is sent."""
    values: bool = True
    """Whether viewers see inputs, results, questions and words; other roles always do."""
    drain: float = 5.0
    """How long a process that is to end takes to cut its streams, one after the other."""
    auth: str = ""
    """An Auth object, as `auth.py:auth`, that decides instead of API keys."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def shows_values(self, role: Role) -> bool:
        """Tell whether inputs, results and words are for this role."""
        return self.values or role is not Role.VIEWER


_POSITIVE: Final = ("body_limit", "streams", "streams_each", "send_timeout", "pulse")


def load_gateway_settings(
    given: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> GatewaySettings:
    """Return the settings of a gateway, from [tool.penstock.gateway] in pyproject.toml at last.

    Raises:
        ConfigurationError: a setting has a value that cannot be read, or is not known.
    """
    kind = Kind.of(GatewaySettings, _POSITIVE)
    return GatewaySettings(**table_settings("gateway", kind, given, environ=environ, folder=folder))
