"""Reads what workers say of entrypoints."""

from __future__ import annotations

__all__ = ["read_descriptions"]

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from penstock.runtime.redis.plans.requests import Plan, Reads, RequestPlans
from penstock.runtime.types.description import Description


def read_descriptions(plans: RequestPlans, names: Sequence[str]) -> Plan[list[Description]]:
    """Read the descriptions of entrypoints; bare ones of those that nobody has described."""
    if not names:
        return []
    texts = yield Reads([("GET", plans.keys.entrypoint(name)) for name in names])
    return [
        Description(name) if text is None else _description(name, text)
        for name, text in zip(names, texts, strict=True)
    ]


def _description(name: str, text: bytes) -> Description:
    told: dict[str, Any] = json.loads(text)
    return Description(
        name,
        datetime.fromtimestamp(told["since"], UTC),
        told.get("about") or "",
        bool(told.get("is_graph")),
        bool(told.get("takes_any_type")),
        told.get("schemas") or {},
        told.get("drawing") or {},
        told.get("deep_drawing") or {},
        told.get("subgraphs") or {},
    )
