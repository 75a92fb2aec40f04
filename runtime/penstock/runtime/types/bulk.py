"""One action on many runs: which one, on which runs, and how far it is."""

from __future__ import annotations

__all__ = [
    "ACTIONS",
    "BULK",
    "BulkAction",
    "BulkOptions",
    "BulkOrder",
    "BulkProgress",
    "bulk_order",
]

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict, Unpack, cast

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.types.run import OPEN, RunStatus
from penstock.runtime.types.run_filter import RunFilter, StatusQuery

BulkAction = Literal["cancel", "resume", "rerun", "fork", "delete", "unpin"]

BULK: Final = "penstock.bulk"
"""The entrypoint by which a worker takes one action on many runs."""

_OVER: Final = frozenset(RunStatus) - OPEN

ACTIONS: Final[Mapping[str, frozenset[RunStatus]]] = {
    "cancel": OPEN,
    "resume": frozenset({RunStatus.FAILED}),
    "rerun": _OVER,
    "fork": _OVER,
    "delete": _OVER,
    "unpin": OPEN,
}
"""What can be done to many runs, and the statuses of those that it can be done to."""


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """How far it is."""

    done: int
    """Runs that it was done to."""
    skipped: int
    """Runs that had changed since they were read, or that it was done to before."""
    run_ids: tuple[str, ...]
    """The runs that it was done to since the last progress, for rerun and fork the new ones; of a
    dry run, those that it would be done to."""


class BulkOptions(TypedDict, total=False):
    """What is done to many runs beyond the action itself."""

    rate: float
    """How many runs a second are changed at most; by default 100."""
    all: bool
    """Whether all runs are meant, where no filter is given."""
    accept: str | Iterable[str]
    """Of runs that are resumed: the steps whose records stand."""
    forget: str | Iterable[str]
    """Of runs that are resumed: the steps that are executed again."""
    after_step: str | None
    """Of runs that are forked: the last step that is not executed again."""


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """What is done to which runs."""

    action: str
    wanted: RunFilter
    rate: float = 100.0
    accept: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()
    after_step: str | None = None

    def written(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        fields: dict[str, Any] = {
            each.name: getattr(self, each.name) for each in dataclasses.fields(self)
        }
        return {**fields, "wanted": self.wanted.written()}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> BulkOrder:
        """Read what `written` returned.

        Raises:
            ConfigurationError: it is something else.
        """
        try:
            fields: dict[str, Any] = {**written, "wanted": RunFilter.read(written["wanted"])}
            fields |= {name: _listed(written[name]) for name in ("accept", "forget")}
            order = cls(**fields)
            _check(order)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"this is no bulk as client.start_bulk writes it: {error!r}."
            ) from error
        return order


def bulk_order(action: str, query: StatusQuery, **options: Unpack[BulkOptions]) -> BulkOrder:
    """Check what is to be done to which runs.

    Raises:
        ConfigurationError: there is no such action, it can be done to none of these runs or has no
            such option, or neither a filter nor `all` says which are meant.
    """
    wanted = RunFilter.of(**query)
    if wanted.is_empty and not options.get("all"):
        raise ConfigurationError(
            f"{action} all runs? Give a filter, such as entrypoint or tag, or all=True (--all)."
        )
    accept, forget = (_listed(options.get(name, ())) for name in ("accept", "forget"))
    rate, after_step = options.get("rate", 100.0), options.get("after_step")
    statuses = wanted.statuses & ACTIONS.get(action, frozenset())
    wanted = dataclasses.replace(wanted, statuses=statuses)
    order = BulkOrder(action, wanted, rate, accept, forget, after_step)
    _check(order)
    return order


def _check(order: BulkOrder) -> None:
    """Check that an order can be carried out.

    Raises:
        ConfigurationError: there is no such action, it can be done to none of these runs or has no
            such option, or the rate is none.
    """
    action = order.action
    if action not in ACTIONS:
        raise ConfigurationError(f"there is no action {action!r}; there are {', '.join(ACTIONS)}.")
    if not order.wanted.statuses or not order.wanted.statuses <= ACTIONS[action]:
        raise ConfigurationError(
            f"{action} is for runs that are {', '.join(sorted(ACTIONS[action]))}."
        )
    if (order.accept or order.forget) and action != "resume":
        raise ConfigurationError(f"accept and forget are of resume, not of {action}.")
    if order.after_step is not None and action != "fork":
        raise ConfigurationError(f"after_step is of fork, not of {action}.")
    if not order.rate > 0:
        raise ConfigurationError(f"rate is a number of runs a second, above 0, not {order.rate!r}.")


def _listed(steps: object) -> tuple[str, ...]:
    return (steps,) if isinstance(steps, str) else tuple(cast("Iterable[str]", steps))
