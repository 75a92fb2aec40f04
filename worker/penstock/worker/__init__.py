"""The worker process: takes runs off RQ queues and executes them."""

from penstock.worker.worker import Worker

__all__ = ["Worker"]
