"""The return value of `invoke(..., version="v2")`."""

from __future__ import annotations

__all__ = ["GraphOutput"]

from dataclasses import dataclass
from typing import Generic, TypeVar

from penstock.publisher.codec.registry import register_type
from penstock.runtime.types.interrupt import Interrupt

R = TypeVar("R")


@register_type
@dataclass(frozen=True, slots=True)
class GraphOutput(Generic[R]):
    """A run's value, or its open questions: with questions there is no value yet."""

    __stored_name__ = "penstock.runtime.GraphOutput"

    value: R
    interrupts: tuple[Interrupt, ...] = ()
