"""One worker process, from its start to its end."""

from __future__ import annotations

__all__ = ["OF_SUPERVISOR", "run_worker", "set_environment"]

import gc
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Final

from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.client.bulk_run import bulk_entrypoint
from penstock.runtime.executor.app import AnyExecutable, App
from penstock.runtime.executor.observer import Observer, Observers
from penstock.runtime.journal.trace_context import open_tracer
from penstock.runtime.settings import Settings
from penstock.runtime.telemetry.log_filter import add_to_all_handlers
from penstock.runtime.types.bulk import BULK
from penstock.worker.health.exposition import new_metrics, process_metrics
from penstock.worker.process.app_loader import load_app
from penstock.worker.process.deadline import Deadline
from penstock.worker.process.options import WorkerOptions
from penstock.worker.process.readiness import require_redis
from penstock.worker.process.signals import leaving_at_signals
from penstock.worker.process.supervisor_pipe import WorkerEnd

if TYPE_CHECKING:  # imported only if somebody asks for it
    from penstock.runtime.telemetry.metrics import RunMetrics
    from penstock.worker.health.monitor import Monitor
    from penstock.worker.health.report import Report
    from penstock.worker.process.worker import Worker

OF_SUPERVISOR: Final = 3.0
"""As `ONE_SIGNAL`, for a worker process: a terminal and its supervisor signal to it."""

STUCK: Final = 1.0
"""Seconds that threads of runs get to end, after their runs have."""


def run_worker(
    options: WorkerOptions,
    *,
    alone: bool = True,
    deadline: Deadline | None = None,
    pipe: WorkerEnd | None = None,
    report: Report | None = None,
) -> int:
    """Load the app and work in this process; returns the exit status.

    A process that is `alone` warns of a server that may lose runs; else its supervisor has done so.
    A given `deadline` stays set after a signal, until the process has ended. `report` is where the
    supervisor reads how the process is.

    Raises:
        ConfigurationError: the app cannot be loaded, a live worker has the same name, or another
            program listens where the health is to be served.
        RedisUnavailableError: Redis cannot be reached at the start, or cannot be worked with.
    """
    with leaving_at_signals():
        limit = deadline or Deadline()
        monitor = _monitor(options, report)
        try:
            return _run_worker(options, alone, limit, pipe, monitor)
        finally:
            if monitor is not None:
                monitor.close()
            if deadline is None:
                limit.close()


def _monitor(options: WorkerOptions, report: Report | None) -> Monitor | None:
    """Start to tell how the process is, if anybody wants to know."""
    if not options.is_monitored:
        return None
    from penstock.worker.health.monitor import Monitor

    if report is None:
        monitor = Monitor(address=options.health, file=options.health_file)
    else:  # the supervisor has the address and the file
        monitor = Monitor(report=report)
    monitor.start()
    return monitor


def _run_worker(
    options: WorkerOptions,
    alone: bool,
    deadline: Deadline,
    pipe: WorkerEnd | None,
    monitor: Monitor | None,
) -> int:
    set_environment(options)
    app = load_app(options.app)
    add_to_all_handlers()  # also to those that the app has set up
    require_redis(options.settings, warn=alone)
    worker = _worker(options, app, monitor)
    deadline.start()
    worker.shutdown.on_deadline = deadline.set
    if pipe is not None:
        worker.shutdown.one_signal = OF_SUPERVISOR
        pipe.set_callbacks(worker.drain, worker.cut_off)
    gc.collect()
    gc.freeze()  # loaded modules stay: collections need not check them again
    worker.work(burst=options.burst)
    if worker.is_cut or not worker.join(STUCK):  # threads that run on would be waited for
        if monitor is not None:
            monitor.close()
        logging.shutdown()
        os._exit(0)
    return 0


def _bulk(settings: Settings) -> AnyExecutable:
    return bulk_entrypoint(lambda: AsyncClient(settings=settings))


def _worker(options: WorkerOptions, app: App, monitor: Monitor | None) -> Worker:
    from penstock.worker.process.worker import Worker  # RQ takes its time to import

    metrics = new_metrics() if options.health else None  # else nobody can ask
    worker = Worker(
        options.queues,
        entrypoints={BULK: _bulk(options.settings), **app.entrypoints},
        tasks=app.tasks,
        settings=options.settings,
        concurrency=options.concurrency,
        grace=options.grace,
        name=options.name or None,
        observer=_observer(options, metrics),
    )
    if monitor is not None:
        monitor.vitals = worker.vitals
    if monitor is not None and metrics is not None:
        metrics.watch(lambda: worker.busy, options.concurrency, lambda: worker.loop_lag)
        monitor.metrics = partial(process_metrics, metrics.registry)
    return worker


def _observer(options: WorkerOptions, metrics: RunMetrics | None) -> Observer | None:
    observers: list[Observer] = [] if metrics is None else [metrics]
    if options.settings.traces:
        open_tracer()  # or an error that says what to install
        from penstock.runtime.telemetry.traces import RunTraces

        observers.append(RunTraces())
    return Observers(observers) if observers else None


def set_environment(options: WorkerOptions) -> None:
    """Let stores and caches that the app declares without a URL use the worker's Redis."""
    for name in ("PENSTOCK_REDIS", "PENSTOCK_REDIS_URL"):
        os.environ[name] = options.settings.redis
    if not os.environ.get("RQ_KEY_PREFIX", "unset"):
        del os.environ["RQ_KEY_PREFIX"]  # RQ refuses an empty one
