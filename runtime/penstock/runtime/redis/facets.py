"""The facets of runs, by which they are listed: see `facets.lua`."""

from __future__ import annotations

__all__ = [
    "ALL",
    "cause_facet",
    "check_index",
    "entrypoint_facet",
    "facets_field",
    "queue_facet",
    "tag_facets",
]

from collections.abc import Mapping, Sequence
from typing import Final

from penstock.publisher.codec.codec import Codec
from penstock.runtime.errors import ConfigurationError

ALL: Final = "all"
"""The facet of all runs."""

QUEUE: Final = "queue"
TAG: Final = "tag:"


def entrypoint_facet(name: str) -> str:
    """Return the facet of an entrypoint's runs."""
    return f"entrypoint:{name}"


def cause_facet(digest: str) -> str:
    """Return the facet of the runs that failed of one cause."""
    return f"cause:{digest}"


def queue_facet(name: str, index: Sequence[str]) -> str | None:
    """Return the facet of a queue's runs, if the setting `index` has them listed."""
    return f"queue:{name}" if QUEUE in index else None


def tag_facets(key: str, value: str, index: Sequence[str], codec: Codec) -> tuple[str, ...]:
    """Return the facets of a tag, one for each encryption key; none if it is not listed."""
    if f"{TAG}{key}" not in index:
        return ()
    digests = codec.at("tag").digests(f"{key}\0{value}", 8)
    return tuple(f"{TAG}{digest}" for digest in digests)


def check_index(index: Sequence[str]) -> None:
    """Check the setting `index`.

    Raises:
        ConfigurationError: it names something else than queues and tags.
    """
    for name in index:
        if name != QUEUE and (not name.startswith(TAG) or name == TAG):
            raise ConfigurationError(
                f"the setting index names {name!r}; it lists runs by queue and tag:<key>."
            )


def facets_field(tags: Mapping[str, str], index: Sequence[str], codec: Codec) -> str:
    """Return what a run's hash says of its facets, beyond those that all runs have."""
    facets = [QUEUE] if QUEUE in index else []
    for key, value in tags.items():
        facets += tag_facets(key, value, index, codec)[:1]
    return " ".join(facets)
