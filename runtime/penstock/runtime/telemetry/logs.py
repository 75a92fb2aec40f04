"""How a worker logs: lines for people, or one JSON object per line."""

from __future__ import annotations

__all__ = ["set_up_logging"]

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

from penstock.runtime.telemetry.log_filter import RUN_FIELDS, RunLogFilter

_STANDARD: Final = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "color_message"}
)
"""Attributes that every record has; the others were given as `extra`."""

_COLOURS: Final = {"WARNING": "\033[33m", "ERROR": "\033[31m", "CRITICAL": "\033[31m"}


def set_up_logging(*, as_json: bool = False, verbose: bool = False) -> None:
    """Log to stderr: Penstock from INFO on (DEBUG if verbose), everything else from WARNING on."""
    handler = logging.StreamHandler()
    handler.addFilter(RunLogFilter())
    handler.setFormatter(_JsonFormatter() if as_json else _LineFormatter(sys.stderr.isatty()))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("penstock").setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.getLogger("rq.worker").setLevel(logging.INFO if verbose else logging.WARNING)
    logging.captureWarnings(True)


class _LineFormatter(logging.Formatter):
    """`13:05:01 run 4f1c... of report completed in 1.2 s`; a level only if it is not INFO.

    A record of a run begins with the run's id.
    """

    def __init__(self, colours: bool) -> None:
        super().__init__()
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        colour = _COLOURS.get(record.levelname, "") if self._colours else ""
        if self._colours:
            time, level = f"\033[2m{time}\033[0m", f"{colour}{level}\033[0m" if level else ""
        message, run_id = record.getMessage(), getattr(record, "run_id", "")
        if run_id and run_id not in message:
            message = f"[{run_id}] {message}"
        text = f"{time} {level}{message}"
        if record.exc_info:
            text += f"\n{self.formatException(record.exc_info)}"
        return text


class _JsonFormatter(logging.Formatter):
    """One object: time, level, logger, message, the members of `extra`, the traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if _is_extra(name, value)},
        }
        if record.exc_info:
            found["traceback"] = self.formatException(record.exc_info)
        return json.dumps(found, default=str)


def _is_extra(name: str, value: Any) -> bool:
    return name not in _STANDARD and not (name in RUN_FIELDS and value == "")
