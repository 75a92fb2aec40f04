"""The hash of a run. Fields with the value that most runs have are not written.

A hash with fewer fields takes less memory, and Redis finds each field faster, as it looks at those
before it. The scripts know the same values, in `names.lua`.
"""

from __future__ import annotations

__all__ = [
    "CONFIG",
    "DEFAULTS",
    "LONE",
    "read_run",
    "read_tags",
    "shortened",
    "texts",
    "whole",
]

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast

from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import EncryptionError
from penstock.runtime.journal.failure_reason import read_reason
from penstock.runtime.types.run import Run

CONFIG: Final = "{}"

DEFAULTS: Final[Mapping[str, str]] = {
    "attempt": "1",
    "batch": "0",
    "crashes": "0",
    "config": CONFIG,
    "delay": "0",
    "durability": "async",
    "facets": "",
    "feed": "0",
    "history": "1000",
    "hooks": "",
    "keep": "0",
    "metadata": "",
    "request": "",
    "retention": "86400000",
    "retention_failed": "2592000000",
    "tags": "",
    "thread_retention": "0",
}
"""What a field says that a run's hash does not have."""

LONE: Final[Mapping[str, str]] = {"checkpoint": "1", "step": "-1"}
"""What else is said of a run whose own thread has no keys: it stands at the first checkpoint."""


def shortened(fields: Mapping[str, str | int]) -> dict[str, str | int]:
    """Leave out the fields that say what is said without them."""
    return {name: value for name, value in fields.items() if DEFAULTS.get(name) != str(value)}


def whole(run_id: str, fields: Mapping[str, str]) -> dict[str, str]:
    """Add the fields that a run's hash does not have, to those read from it; none to none."""
    if "status" not in fields:
        return dict(fields)
    own = {"own_thread": "0"} if "thread" in fields else {"own_thread": "1", "thread": run_id}
    lone = LONE if fields.get("lone") == "1" else {}
    updated = {"updated": fields["created"]} if "created" in fields else {}
    return {**DEFAULTS, **own, **lone, **updated, **fields}


def texts(reply: Mapping[bytes, bytes]) -> dict[str, str]:
    """Read a hash."""
    return {name.decode(): value.decode("utf-8", "surrogatepass") for name, value in reply.items()}


def read_run(run_id: str, fields: Mapping[str, str], codec: Codec) -> Run:
    """Read a run from its whole hash."""
    run, codec = Run.from_fields(run_id, fields), codec.at("run", run_id)
    tags = read_tags(fields["tags"], codec)
    return replace(run, reason=read_reason(run.reason, codec), tags=tags)


def read_tags(text: str, codec: Codec) -> Mapping[str, str]:
    """Read the tags of a run by its codec: none where there is no key for them."""
    try:
        return {} if not text else cast("Mapping[str, str]", codec.at("tags").loads(text))
    except EncryptionError:
        return {}
