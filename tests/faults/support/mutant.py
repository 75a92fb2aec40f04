"""A change that breaks a script on purpose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One text in one file put in place of another."""

    name: str
    file: str
    old: str
    new: str
