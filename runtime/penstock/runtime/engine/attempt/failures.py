"""The steps of an attempt that failed, and which of them count."""

from __future__ import annotations

__all__ = ["Failures"]

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from penstock.runtime.engine.waiting.future import OutcomeUse

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Failure:
    step_id: str
    error: BaseException
    use: OutcomeUse | None


class Failures:
    """Remembers failures, now or on the record, until it is clear what became of them."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._found: list[_Failure] = []

    def add(self, step_id: str, error: BaseException, use: OutcomeUse | None) -> None:
        """Remember one, with what tells whether its caller survived it."""
        self._found.append(_Failure(step_id, error, use))

    def reopened(self, error: BaseException) -> tuple[str, ...]:
        """Name the failed steps to do again: those that ended the run, or that nobody survived."""
        chain = set(map(id, _chain(error)))
        return tuple(
            failure.step_id
            for failure in self._found
            if id(failure.error) in chain or failure.use is None or not failure.use.is_survived
        )

    def of(self, error: BaseException) -> list[str]:
        """Name the failed steps that an error comes from."""
        chain = set(map(id, _chain(error)))
        return [failure.step_id for failure in self._found if id(failure.error) in chain]

    def report_unseen(self) -> None:
        """Log the failures of steps whose futures nobody looked at."""
        for failure in self._found:
            if failure.use is not None and not failure.use.is_seen:
                logger.error(
                    "step %s failed with %s, and nothing looked at its future",
                    failure.step_id,
                    type(failure.error).__name__,
                    extra={"run_id": self._run_id, "event": "step.unseen"},
                )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Give an error with all that it came from, or that is in its group."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        current = todo.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        todo += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            todo += current.exceptions
