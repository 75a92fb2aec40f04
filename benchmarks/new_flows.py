"""The workflows that are measured, and one that their next release adds."""

from __future__ import annotations

from benchmarks.flows import noop, one
from penstock.runtime import entrypoint

__all__ = ["added", "noop"]


@entrypoint()
def added(x: int) -> int:
    return one(x).result()
