"""What can be set: arguments first, then the environment, then pyproject.toml."""

from __future__ import annotations

__all__ = ["Settings", "load_settings"]

import dataclasses
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.encrypted import codec_for
from penstock.publisher.redis.url import redacted
from penstock.runtime.misspelt import PREFIX, UnknownSettingWarning, misspelt
from penstock.runtime.setting_sources import Kind, chosen, environment, project

DEFAULT_URL = "redis://localhost:6379"

_POSITIVE = ("lease", "renew", "retention", "retention_failed", "value_limit", "crashes")

TABLES = ("gateway", "langgraph")
"""Tables in [tool.penstock] that hold the settings of other rooms."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings with their defaults; durations are seconds, sizes bytes."""

    redis: str = DEFAULT_URL
    prefix: str = "penstock"
    rq_prefix: str = "rq"
    lease: float = 8.0
    """How long an attempt owns its run without renewing."""
    renew: float = 2.0
    """How often a process renews the leases of its runs."""
    retention: float = 24 * 3600.0
    """How long a run that is over is kept, with its events."""
    retention_failed: float = 30 * 24 * 3600.0
    """How long a run that failed is kept: it can be looked at, and resumed."""
    thread_retention: float = 0.0
    """How long a thread with a name is kept after its last run; 0 for ever."""
    history: int = 1000
    """How many checkpoints of a thread are kept, the newest; 0 for all."""
    keep: int = 0
    """How many events of a run are kept at least; 0 for all."""
    value_limit: int = 8 * 1024 * 1024
    """How large one encoded value may be."""
    patience: float = 30.0
    """How long a retry's wait or a sleep may hold the process; a longer one leaves it."""
    crashes: int = 3
    """Deaths of its process, while it was alone there, after which a run is given up."""
    queue: str = "default"
    index: tuple[str, ...] = ()
    """What runs are also listed by: `queue`, `tag:<key>`; all processes need the same."""
    feed: int = 0
    """Changes of runs that are kept for `follow`, 0 for none; all who enqueue need the same."""
    webhook_hosts: tuple[str, ...] = ()
    """Hosts and networks that webhooks may be sent to though they are not on the internet."""
    webhook_secret: str = ""
    """What deliveries to the `webhook` of a run are signed with; never from pyproject.toml."""
    app: tuple[str, ...] = ()
    """Modules or files that define the entrypoints."""
    version: str = ""
    """The version of the code that a worker has, of letters, digits and `._+-`; "" for none."""
    encryption_keys: str = ""
    """`id:base64` of each key, the one that writes first; never from pyproject.toml."""
    traces: bool = False
    """Whether enqueues, attempts and steps are OpenTelemetry spans."""

    def __repr__(self) -> str:
        """Show all but what is secret, as a repr comes to logs and tracebacks."""
        hidden = {
            "redis": redacted(self.redis),
            "encryption_keys": "***" * bool(self.encryption_keys),
            "webhook_secret": "***" * bool(self.webhook_secret),
        }
        shown = [
            f"{field.name}={hidden.get(field.name, getattr(self, field.name))!r}"
            for field in dataclasses.fields(self)
        ]
        return f"Settings({', '.join(shown)})"

    def codec(self) -> Codec:
        """Return the codec of a process with these settings: encrypted, if there are keys.

        Raises:
            ConfigurationError: the keys have a wrong form.
        """
        return codec_for(self.encryption_keys, self.value_limit)


def load_settings(
    given: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """Return the settings of a process: those given, then PENSTOCK_*, then [tool.penstock].

    A variable of the environment that is empty is not set. One that looks like a setting and is
    none is warned of (`UnknownSettingWarning`).

    Raises:
        ConfigurationError: a setting has a value that cannot be read, or is not known.
    """
    environ = os.environ if environ is None else environ
    for said in misspelt(environ, _NAMES):
        warnings.warn(said, UnknownSettingWarning, stacklevel=1)  # once a process, whoever asks
    table = project(folder or Path.cwd())
    sources = (
        ("pyproject.toml", {name: table[name] for name in table if name not in TABLES}),
        ("the environment", environment(environ, _VARIABLES)),
        ("arguments", {key: value for key, value in (given or {}).items() if value is not None}),
    )
    return Settings(**chosen(Kind.of(Settings, _POSITIVE), sources))


_OWN = tuple((f"{PREFIX}{name.upper()}", name) for name in Settings.__dataclass_fields__)
_VARIABLES = (*_OWN, ("PENSTOCK_REDIS_URL", "redis"), ("RQ_KEY_PREFIX", "rq_prefix"))
"""Variables of the environment, and what they set."""

_NAMES = ("PENSTOCK_REDIS_URL", *(variable for variable, _ in _OWN))
