"""Tags of a run: short words by which it is found again."""

from __future__ import annotations

__all__ = ["Tags", "checked_tags"]

from collections.abc import Mapping
from typing import Final, TypeAlias, cast

from penstock.runtime.errors import ConfigurationError

Tags: TypeAlias = Mapping[str, str]

MOST: Final = 16
KEY_LIMIT: Final = 64
VALUE_LIMIT: Final = 256


def checked_tags(tags: object) -> dict[str, str]:
    """Return the tags of a run; None stands for none.

    Raises:
        ConfigurationError: there are more than 16, or one is no text, or too long.
    """
    if not isinstance(tags, Mapping | None):
        raise ConfigurationError(f"tags are a mapping of texts to texts, not {_shown(tags)}.")
    found = dict(cast("Mapping[object, object]", tags or {}))
    if len(found) > MOST:
        raise ConfigurationError(f"a run has at most {MOST} tags, not {len(found)}.")
    return {
        _checked(key, KEY_LIMIT, "the key of a tag"): _checked(
            value, VALUE_LIMIT, f"the value of tag {_shown(key)}"
        )
        for key, value in found.items()
    }


def _checked(text: object, limit: int, what: str) -> str:
    if not isinstance(text, str) or not 1 <= len(text) <= limit:
        raise ConfigurationError(f"{what} is a text of 1 to {limit} characters: {_shown(text)}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"{what} is no text that can be written: {_shown(text)}: {error.reason}."
        ) from error
    return text


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
