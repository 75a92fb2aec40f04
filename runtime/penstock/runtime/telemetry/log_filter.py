"""Which run a log record belongs to."""

from __future__ import annotations

__all__ = ["RUN_FIELDS", "RunLogFilter", "add_to_all_handlers"]

import logging
from typing import Final

from penstock.runtime.engine.step import current

RUN_FIELDS: Final = ("run_id", "entrypoint", "thread_id", "step_id")
"""The attributes that the filter adds to each record: "" if no run is active."""


class RunLogFilter(logging.Filter):
    """Adds `run_id`, `entrypoint`, `thread_id` and `step_id` to records logged inside a run.

    Add it to a handler, `handler.addFilter(RunLogFilter())`; the formatter may then name them.
    Members of `extra` are not changed. `penstock worker` adds a filter to each handler by itself.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Complete a record, and let it pass."""
        for name, value in _run_fields().items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


def add_to_all_handlers() -> None:
    """Add a filter to each handler of this process that has none."""
    found = [logging.getLogger(name) for name in tuple(logging.root.manager.loggerDict)]
    for logger in (logging.getLogger(), *found):
        for handler in logger.handlers:
            if not any(isinstance(each, RunLogFilter) for each in handler.filters):
                handler.addFilter(RunLogFilter())


def _run_fields() -> dict[str, str]:
    branch = current.get(None)
    if branch is None:
        return dict.fromkeys(RUN_FIELDS, "")
    run = branch.scope.attempt.assignment
    values = (run.run_id, run.entrypoint, run.thread_id, branch.scope.step_id)
    return dict(zip(RUN_FIELDS, values, strict=True))
