"""How long items live."""

from __future__ import annotations

__all__ = ["Lifetime", "TTLConfig"]

import math
from dataclasses import dataclass
from typing import Any, TypedDict, cast

from penstock.publisher.errors import ConfigurationError

SWEEP_INTERVAL = 5.0


class TTLConfig(TypedDict, total=False):
    """How a store treats TTLs; all durations are minutes."""

    refresh_on_read: bool
    """Whether get and search restart an item's TTL (default: yes)."""
    default_ttl: float | None
    """The TTL of items put without one (default: they live forever)."""
    sweep_interval_minutes: float | None
    """Minutes between two sweeps (default 5); writes remove items that expired as long ago."""
    omit_expired: bool
    """Whether items that are over but not yet swept are hidden (default: no)."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A `TTLConfig` that was read."""

    refresh_on_read: bool = True
    default_ttl: float | None = None
    sweep_interval: float = SWEEP_INTERVAL
    omit_expired: bool = False

    @staticmethod
    def of(config: TTLConfig | None) -> Lifetime:
        """Read a config.

        Raises:
            ConfigurationError: it has a key that is not known, or a duration that is none.
        """
        given: dict[str, Any] = {**(config or {})}
        unknown = given.keys() - TTLConfig.__annotations__.keys()
        if unknown:
            known = ", ".join(TTLConfig.__annotations__)
            raise ConfigurationError(f"the ttl config has no {min(unknown)!r}; it has {known}.")
        try:
            interval = given.get("sweep_interval_minutes")
            return Lifetime(
                bool(given.get("refresh_on_read", True)),
                minutes(given.get("default_ttl")),
                SWEEP_INTERVAL if interval is None else cast(float, minutes(interval)),
                bool(given.get("omit_expired", False)),
            )
        except ValueError as error:
            raise ConfigurationError(f"the ttl config cannot be read: {error}") from error


def minutes(ttl: Any) -> float | None:
    """Check a TTL.

    Raises:
        ValueError: it is neither None nor a positive number.
    """
    if ttl is None:
        return None
    if isinstance(ttl, (int, float)) and math.isfinite(ttl) and ttl > 0:
        return ttl
    raise ValueError(f"a ttl is a positive number of minutes or None, not {ttl!r}.")


def milliseconds(ttl: float | None) -> int:
    """Return a TTL in ms, 0 for forever."""
    return 0 if ttl is None else max(1, round(ttl * 60_000))
