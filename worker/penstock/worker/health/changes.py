"""Logs when a part of a process stops working, and when it works again."""

from __future__ import annotations

__all__ = ["Changes"]

import logging
from collections.abc import Mapping

from penstock.worker.health.status import Status

logger = logging.getLogger(__name__)


class Changes:
    """Remembers what was wrong at the last look, so that each problem is logged once."""

    def __init__(self) -> None:
        self._problems: Mapping[str, str] = {}
        self._is_silent = False

    def fails(self) -> None:
        """Log the exception that keeps the process from telling how it is, once until `works`."""
        if not self._is_silent:
            self._is_silent = True
            logger.exception("the health of this process cannot be told")

    def works(self) -> None:
        """Note that the process tells how it is."""
        self._is_silent = False

    def log(self, status: Status) -> None:
        """Log what has changed since the last look.

        A part that is not there any more has ended with its process, or is not looked at while the
        process drains: nothing is known of it.
        """
        for part, problem in status.problems.items():
            if part not in self._problems:
                extra = {"event": "health.failed", "part": part}
                logger.error("%s: %s", part, problem, extra=extra)
        for part in self._problems:
            if part in status.parts and part not in status.problems:
                logger.info("%s works again", part, extra={"event": "health.ok", "part": part})
        self._problems = status.problems
