"""The entrypoints that live workers have."""

from __future__ import annotations

__all__ = ["read_entrypoints"]

import time
from typing import Any

from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.types.bulk import BULK


def read_entrypoints(plans: RequestPlans) -> Plan[list[str]]:
    """Read the names of the entrypoints and graphs that live workers announce, sorted.

    Penstock's own is not among them.
    """
    now = round(time.time() * 1000)
    names: Any = yield ("ZRANGEBYSCORE", plans.keys.entrypoints, f"({now}", "+inf")
    texts = [name.decode("utf-8", "replace") for name in names]
    return sorted(text for text in texts if text != BULK and not text.startswith(("t:", "p:")))
