"""The config that the caller of a run gives it."""

from __future__ import annotations

__all__ = ["Config", "RunnableConfig", "merged"]

from collections.abc import Mapping
from typing import Any, Required, TypeAlias, TypedDict, cast

from penstock.runtime.errors import ConfigurationError, WrongKindError

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
    """Return a config with another one on top of it: mappings are merged, tags are added.

    Members that are None there have no effect.

    Raises:
        WrongKindError: the other one is not a config.
        ConfigurationError: it has an invalid number.
    """
    if not other:
        return config
    _check(other)
    other = {key: value for key, value in other.items() if value is not None}
    result = {**config, **other}
    for key in ("configurable", "metadata"):
        if key in config and key in other:
            result[key] = {**config[key], **other[key]}
    if "tags" in config and "tags" in other:
        tags = cast("list[str]", config["tags"]), cast("list[str]", other["tags"])
        result["tags"] = list(dict.fromkeys([*tags[0], *tags[1]]))
    return result


def _check(config: object) -> None:
    example = '{"configurable": {"thread_id": "..."}}'
    if not isinstance(config, Mapping):
        raise WrongKindError(f"a config is a dict such as {example}, not {config!r}.")
    given = cast(Config, config)
    for key in ("configurable", "metadata"):
        if not isinstance(given.get(key) or {}, Mapping):
            raise WrongKindError(f"{key!r} of a config is a dict, not {given[key]!r}.")
    for key in ("max_concurrency", "recursion_limit"):
        number = given.get(key)
        if number is not None and (not isinstance(number, int) or number < 1):
            raise ConfigurationError(f"{key} must be a number, at least 1, not {number!r}.")
