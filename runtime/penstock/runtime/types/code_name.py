"""The names of code that a run or a remote step needs: `e:<entrypoint>`, `t:<task>`."""

from __future__ import annotations

__all__ = ["describe", "of_entrypoint", "of_task"]


def of_entrypoint(name: str) -> str:
    """Return the name of an entrypoint's code."""
    return f"e:{name}"


def of_task(name: str) -> str:
    """Return the name of a task's code."""
    return f"t:{name}"


def describe(name: str) -> str:
    """Write the name of some code for people: `entrypoint 'report'`."""
    kind, _, bare = name.partition(":")
    return f"{'task' if kind == 't' else 'entrypoint'} {bare!r}"
