"""Which graph workers execute on a thread, as the state of the thread says it."""

from __future__ import annotations

__all__ = ["GraphHost"]

import json
from typing import NamedTuple, Self


class GraphHost(NamedTuple):
    """The entrypoint that a graph is, and the queue of its newest run."""

    entrypoint: str
    queue: str

    @property
    def text(self) -> str:
        """As it is stored."""
        return json.dumps(self, ensure_ascii=False)

    @classmethod
    def parse(cls, text: bytes | str) -> Self:
        """Read what is stored."""
        return cls(*json.loads(text))
