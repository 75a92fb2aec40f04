"""How long a run is kept that is over."""

from __future__ import annotations

__all__ = ["checked_retention"]

import math

from penstock.runtime.errors import ConfigurationError


def checked_retention(name: str, seconds: float | None) -> float | None:
    """Return for how many seconds a run is kept; None stands for the setting.

    Raises:
        ConfigurationError: it is no number above 0.
    """
    if seconds is not None and not 0 < seconds < math.inf:
        raise ConfigurationError(f"{name} is a number of seconds above 0, not {seconds!r}.")
    return seconds
