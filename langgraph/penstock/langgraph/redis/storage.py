"""What all plans of a saver share: how values are written, and where."""

from __future__ import annotations

__all__ = ["Storage"]

from dataclasses import dataclass
from typing import Self

from penstock.langgraph.redis.calls import GraphCalls
from penstock.langgraph.redis.growing import KnownLists
from penstock.langgraph.redis.keys import GraphKeys
from penstock.langgraph.redis.record import Records
from penstock.langgraph.redis.refusals import Refusals
from penstock.langgraph.redis.values import Serializer, Values
from penstock.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Storage:
    """Script calls, the forms of records and values, and what a saver remembers."""

    calls: GraphCalls
    records: Records
    values: Values
    lists: KnownLists
    refusals: Refusals
    grows: bool = True
    """Whether lists are stored by their new items: values of a serializer whose form is known."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        serializer: Serializer,
        *,
        calls: GraphCalls | None = None,
        ttl: float | None = None,
        lists: KnownLists | None = None,
        refusals: Refusals | None = None,
        grows: bool = False,
    ) -> Self:
        """Return that of some settings and a serializer; lists and refusals may be shared.

        `ttl` are the seconds that a thread is kept after its last write, None for ever.
        """
        return cls(
            calls or GraphCalls(GraphKeys(settings.prefix), ttl),
            Records.of(settings),
            Values(serializer, settings.value_limit),
            lists or KnownLists(),
            refusals or Refusals(),
            grows,
        )
