"""The health of a process at one moment."""

from __future__ import annotations

__all__ = ["Status", "status_of_all"]

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Status:
    """What works and what does not: each part with its problem, "" if it has none."""

    parts: Mapping[str, str]
    not_ready: str = ""
    """Why the process takes no runs for now; "" if it does."""

    @property
    def is_live(self) -> bool:
        """Whether every part works; a process that is not live needs a restart."""
        return not any(self.parts.values())

    @property
    def is_ready(self) -> bool:
        """Whether the process is live and takes runs."""
        return self.is_live and not self.not_ready

    @property
    def problems(self) -> Mapping[str, str]:
        """The parts that do not work."""
        return {name: problem for name, problem in self.parts.items() if problem}

    def live_json(self) -> str:
        """Write what `/live` answers."""
        parts = {name: problem or "ok" for name, problem in self.parts.items()}
        return json.dumps({"live": self.is_live, "parts": parts})

    def ready_json(self) -> str:
        """Write what `/ready` answers."""
        reasons = [f"{name}: {problem}" for name, problem in self.problems.items()]
        reason = "; ".join([*reasons, *([self.not_ready] if self.not_ready else [])])
        return json.dumps({"ready": self.is_ready, "reason": reason})

    def dump(self) -> str:
        """Write it for another process of the same version."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def load(cls, text: str) -> Self:
        """Read what `dump` has written."""
        return cls(**json.loads(text))


def status_of_all(processes: Mapping[int, Status]) -> Status:
    """Return the status of a supervisor with these processes, by their numbers."""
    parts = {
        f"process {number}: {name}": problem
        for number, status in processes.items()
        for name, problem in status.parts.items()
    }
    reasons = [
        f"process {number}: {status.not_ready}"
        for number, status in processes.items()
        if status.not_ready
    ]
    return Status(parts, "; ".join(reasons))
