"""The names of checkpoints that are no steps: each kind begins with a sign of its own."""

from __future__ import annotations

__all__ = ["ACCEPTED_STEP", "PATCH", "QUESTION", "TAKEN", "TIMER", "VOID"]

from typing import Final

ACCEPTED_STEP: Final = "=="
"""First characters of the checkpoints that say of which steps the records stand.

They do whether the code calls the step with other arguments, or not at all.
"""

PATCH: Final = "="
"""First character of the checkpoints that say where a run goes by changed code."""

VOID: Final = "-"
"""The text of such a checkpoint that code without the change has gone past."""

QUESTION: Final = "?"
"""First character of the checkpoints that say which step asks a question."""

TAKEN: Final = "!!"
"""First characters of the checkpoints that hold answers as the code has got them."""

TIMER: Final = ":"
"""First character of the checkpoints that say when a timer is due, in ms by Redis's clock.

No step's id begins so, but for a task without a name.
"""
