"""The app of a newer version: all the flows of the older one, and programs with branches."""

from __future__ import annotations

from tests.faults.support.journeys import awalk, far_nested, far_shaky, far_square, roam, walk
from tests.support.branching.program import branching
from tests.support.branching.steps import remote

__all__ = ["awalk", "branching", "far_nested", "far_shaky", "far_square", "remote", "roam", "walk"]
