"""Random numbers for pauses."""

from __future__ import annotations

__all__ = ["chance"]

import random
from typing import Final

chance: Final = random.SystemRandom()
"""An app that seeds the `random` module gets the numbers of its seed, whatever runs beside it."""
