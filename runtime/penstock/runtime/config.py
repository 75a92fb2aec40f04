"""What a run is configured with by those who ask for it."""

from __future__ import annotations

__all__ = ["Config", "RunnableConfig", "merged"]

from collections.abc import Mapping
from typing import Any, Required, TypeAlias, TypedDict, cast

Config: TypeAlias = Mapping[str, Any]


class RunnableConfig(TypedDict, total=False):
    """The config of a run, as its code sees it; for annotations."""

    configurable: Required[dict[str, Any]]
    """`thread_id` and `run_id`, and whatever the workflow's own code looks for."""
    metadata: dict[str, Any]
    tags: list[str]
    run_name: str
    max_concurrency: int | None
    """How many bodies run at once."""
    recursion_limit: int
    """Has no meaning here; must be at least 1."""


def merged(config: Config, other: Config | None) -> Config:
    """Return a config with another one on top of it: mappings are merged, tags are added."""
    if not other:
        return config
    result = {**config, **other}
    for key in ("configurable", "metadata"):
        if key in config and key in other:
            result[key] = {**config[key], **other[key]}
    if "tags" in config and "tags" in other:
        tags = cast("list[str]", config["tags"]), cast("list[str]", other["tags"])
        result["tags"] = list(dict.fromkeys([*tags[0], *tags[1]]))
    return result
