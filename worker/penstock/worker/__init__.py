"""The worker process: takes runs off RQ queues and executes them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.worker.process.worker import Worker

__all__ = ["Worker"]


def __getattr__(name: str) -> Any:
    """Import the worker when it is asked for: RQ takes its time, and the CLI mostly needs none."""
    if name != "Worker":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from penstock.worker.process.worker import Worker

    return Worker
