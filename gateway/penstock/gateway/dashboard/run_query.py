"""Which runs the address of a list asks for."""

from __future__ import annotations

__all__ = ["SLOW", "SLOW_AFTER", "RunQuery", "read_query", "read_tags"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from penstock.gateway.errors import RequestError
from penstock.runtime.types.run import RunStatus
from penstock.runtime.types.run_filter import StatusQuery

SLOW: Final = "slow"
"""What stands for a status: queued or at work, long after the enqueue."""

SLOW_AFTER: Final = timedelta(minutes=5)
"""How long after it."""

_AT_WORK: Final = (RunStatus.QUEUED, RunStatus.RUNNING)

_TEXTS: Final = ("entrypoint", "queue", "thread", "error", "version")


@dataclass(frozen=True, slots=True)
class RunQuery:
    """The filters of a list, as its forms and links have them."""

    statuses: Sequence[str] = ()
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    """The other filters of one value, by name."""
    tags: Sequence[str] = ()
    """Each `KEY=VALUE`."""

    def __bool__(self) -> bool:
        return bool(self.statuses or self.texts or self.tags)

    def filters(self) -> StatusQuery:
        """Return the filters as a client takes them."""
        return {
            "status": (_AT_WORK if self.is_slow else self.statuses) or None,
            "until": datetime.now(UTC) - SLOW_AFTER if self.is_slow else None,
            "tag": read_tags(self.tags),
            "entrypoint": self.texts.get("entrypoint"),
            "queue": self.texts.get("queue"),
            "thread": self.texts.get("thread"),
            "error": self.texts.get("error"),
            "version": self.texts.get("version"),
        }

    @property
    def is_slow(self) -> bool:
        """Whether runs are meant that workers have not brought on for long."""
        return SLOW in self.statuses

    def address(self, statuses: Sequence[str] | None = None, after: str | None = None) -> str:
        """Return the address of this list, or of that of other statuses, or of a later page."""
        pairs = [
            *(("status", str(each)) for each in (self.statuses if statuses is None else statuses)),
            *self.texts.items(),
            *(("tag", each) for each in self.tags),
            *([] if after is None else [("after", after)]),
        ]
        return f"/runs?{urlencode(pairs)}" if pairs else "/runs"


def read_query(given: QueryParams) -> RunQuery:
    """Read the filters of an address; a field that a form left empty is none.

    Raises:
        RequestError: a tag is no `KEY=VALUE`.
    """
    tags = [each for each in given.getlist("tag") if each]
    read_tags(tags)
    texts = {name: given[name] for name in _TEXTS if given.get(name)}
    return RunQuery([each for each in given.getlist("status") if each], texts, tags)


def read_tags(given: Sequence[str]) -> dict[str, str]:
    """Read tags that are written as `KEY=VALUE`.

    Raises:
        RequestError: one is not.
    """
    wrong = next((each for each in given if "=" not in each), None)
    if wrong is not None:
        raise RequestError(422, f"a tag is given as KEY=VALUE, not {wrong!r}.")
    return dict(each.split("=", 1) for each in given)
