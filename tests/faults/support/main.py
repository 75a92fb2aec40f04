"""A worker process of these tests: `python -m tests.faults.support.main '<options as JSON>'`.

Logs one JSON object a line, extras included.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

from penstock.runtime.settings import load_settings
from penstock.worker.process.options import WorkerOptions
from penstock.worker.process.supervisor import supervise
from penstock.worker.process.worker_process import run_worker
from tests.faults.support.oddities import make_odd
from tests.faults.support.sabotage import Sabotage

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": record.created,
            "pid": record.process,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        told |= {key: value for key, value in vars(record).items() if key not in STANDARD}
        return json.dumps(told, default=str)


def main(options: dict[str, Any]) -> int:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    make_odd(os.environ)
    if "PENSTOCK_TEST_FAULT" in os.environ:
        Sabotage(os.environ["PENSTOCK_TEST_FAULT"]).install()
    processes = options.pop("processes", 0)
    worker = WorkerOptions(
        app=tuple(options.pop("app")),
        queues=tuple(options.pop("queues")),
        settings=load_settings(),
        **options,
    )
    return supervise(worker, processes) if processes else run_worker(worker)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
