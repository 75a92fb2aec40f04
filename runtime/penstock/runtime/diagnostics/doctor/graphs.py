"""Check of LangGraph graphs: whether what is stored of them can run code of others."""

from __future__ import annotations

__all__ = ["CHECKS", "read_trusting"]

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast

from redis import Redis

from penstock.runtime.diagnostics.doctor.finding import Finding, Level, Reading
from penstock.runtime.redis.keys import Keys


def read_trusting(connection: Redis, keys: Keys) -> list[str]:
    """Name the graphs of live workers that read objects of any type.

    Raises:
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    now = connection.time()[0] * 1000
    members = cast("list[bytes]", connection.zrangebyscore(keys.entrypoints, f"({now}", "+inf"))
    texts = [member.decode("utf-8", "replace") for member in members]
    names = [text for text in texts if not text.startswith(("t:", "p:"))]
    if not names:
        return []
    found = cast("list[bytes | None]", connection.mget([keys.entrypoint(name) for name in names]))
    described: dict[str, Any] = {
        name: json.loads(text) for name, text in zip(names, found, strict=True) if text is not None
    }
    return sorted(name for name, about in described.items() if about.get("takes_any_type"))


def _types(reading: Reading) -> Iterator[Finding]:
    if reading.unread("graphs", trusting="what workers say of their graphs"):
        return  # there may be none
    if reading.trusting:
        yield Finding(
            "graphs",
            Level.WARNING,
            f'types="any": {", ".join(reading.trusting)}',
            "Whoever can write to this Redis can let their workers import and call anything.",
            "name the classes that the state holds: types = [...] of host(...), of "
            "[tool.penstock.langgraph], or of langgraph.json",
        )


CHECKS: Final[Sequence[Callable[[Reading], Iterator[Finding]]]] = (_types,)
