"""A run as it was read, before it is changed."""

from __future__ import annotations

__all__ = ["AsRead"]

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AsRead:
    """The status of a run, and the number of its last attempt: with both it is still as it was."""

    run_id: str
    status: str
    epoch: str

    def is_still(self, fields: Mapping[str, str]) -> bool:
        """Tell whether the run is as it was read; `fields` is its whole hash."""
        return (fields["status"], fields.get("epoch", "")) == (self.status, self.epoch)

    def name_of_new(self, purpose: str) -> str:
        """Return the id of the run that is made of this attempt for a purpose, always the same."""
        text = f"{self.run_id} {self.epoch} {purpose}".rstrip()
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
