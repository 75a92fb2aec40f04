"""The base of the queries and bodies of this API: a field that is not known is ignored."""

from __future__ import annotations

__all__ = ["Config", "Listed", "NoFields", "PathId", "RequestModel", "SelectedFields", "SoughtPart"]

import json
from collections.abc import Sequence
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from penstock.publisher.errors import ConfigurationError
from penstock.runtime.types.config import merged


class RequestModel(BaseModel):
    """A query or a body; clients of other releases send fields that this one does not know."""

    model_config = ConfigDict(extra="ignore")


class NoFields(RequestModel):
    """A query or a body of which nothing is read."""


def _for_paths(name: str) -> str:
    if "/" in name or name in (".", ".."):
        raise ValueError(f"{name!r} could not be asked for: leave out '/', and more than dots")
    return name


PathId = Annotated[str, Field(min_length=1), AfterValidator(_for_paths)]
"""An id that something is given; paths are made of it."""


def _are_texts(given: object) -> bool:
    return isinstance(given, list) and all(
        isinstance(each, str) for each in cast("list[object]", given)
    )


def _checked_config(config: dict[str, Any]) -> dict[str, Any]:
    tags: Any = config.get("tags")
    if tags is not None and not _are_texts(tags):
        raise ValueError(f"'tags' of a config is a list of texts, not {tags!r}")
    try:
        merged({}, config)
    except ConfigurationError as error:
        raise ValueError(str(error).rstrip(".")) from error
    return config


Config = Annotated[dict[str, Any], AfterValidator(_checked_config)]
"""The config of a run or of an assistant."""


MOST_LISTED: Final = 100
"""Elements of all lists of what is looked for; each may be compared with all of a list."""

MOST_NESTED: Final = 10
"""Those of them that are objects or lists, and so slow to compare."""


def _short_lists(part: dict[str, Any]) -> dict[str, Any]:
    listed, nested = 0, 0
    rest: list[Any] = [part]
    while rest:
        each = rest.pop()
        if isinstance(each, dict):
            rest += cast("dict[str, Any]", each).values()
        elif isinstance(each, list):
            elements = cast("Sequence[Any]", each)
            listed += len(elements)
            nested += sum(isinstance(one, dict | list) for one in elements)
            rest += elements
    if listed > MOST_LISTED or nested > MOST_NESTED:
        raise ValueError(
            f"its lists have {listed} elements, and {nested} of them are objects or lists: look "
            f"for at most {MOST_LISTED} and {MOST_NESTED}"
        )
    return part


SoughtPart = Annotated[dict[str, Any], AfterValidator(_short_lists)]
"""What a JSON object is to contain; so short that a search is no burden for other requests."""

SelectedFields = Annotated[list[str], Field(max_length=100)]
"""The names of fields that are shown of each of many things."""


def _members(given: object) -> list[object]:
    found: list[object] = []
    for each in cast("list[object]", given) if isinstance(given, list) else [given]:
        if isinstance(each, str) and each.startswith("["):
            found += _of_json(each)
        elif each != "":
            found.append(each)
    return found


def _of_json(text: str) -> list[object]:
    try:
        found: list[object] = json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    return found


Listed: Final = BeforeValidator(_members)
"""For a list in a query: older clients send it as one JSON text, and nothing as an empty one."""
