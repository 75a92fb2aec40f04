"""Settings as a page may show them: without secrets."""

from __future__ import annotations

__all__ = ["HIDDEN", "ShownSetting", "shown_settings"]

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from penstock.gateway.settings import GatewaySettings
from penstock.publisher.redis.url import redacted
from penstock.runtime.settings import Settings

HIDDEN: Final = "***"

_SECRET: Final = re.compile(r"secret|password|token|credential|(^|_)keys?(_|$)")
"""Names of settings that are not shown."""


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One setting."""

    name: str
    value: str
    is_default: bool


def shown_settings(settings: Settings | GatewaySettings) -> Iterator[ShownSetting]:
    """Give settings by name, each secret only as whether it is set."""
    for each in sorted(dataclasses.fields(settings), key=lambda field: field.name):
        value: Any = getattr(settings, each.name)
        is_default = value == each.default
        yield ShownSetting(each.name, _shown(each.name, value), is_default)


def _shown(name: str, value: Any) -> str:
    if not value and not isinstance(value, int | float):
        return ""
    if _SECRET.search(name):
        return HIDDEN
    if isinstance(value, tuple | list):
        return ", ".join(redacted(str(each)) for each in value)  # pyright: ignore
    return redacted(str(value))
