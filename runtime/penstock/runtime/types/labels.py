"""The names that make up a namespace."""

from __future__ import annotations

__all__ = ["Labels"]

from typing import TypeAlias

Labels: TypeAlias = tuple[str, ...] | list[str]
