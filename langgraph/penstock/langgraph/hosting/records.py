"""The checkpoints of a run that say how far its graph is."""

from __future__ import annotations

__all__ = ["LEG", "NULL_WRITES", "POINT", "TOLD"]

from typing import Final

POINT: Final = "point"
"""Id of the newest point that the run has stored of its graph."""

LEG: Final = "leg"
"""How far the run is since its start, its last answer or failure: which of these parts it is, the
superstep that it began at, the newest one. Of runs with a limit of supersteps."""

NULL_WRITES: Final = "null"
"""Id of the point, of a run before, that the update is stored for which the run was given."""

TOLD: Final = "told"
"""Id of the point, of a run before, whose chunks the run has told as it went on from there."""
