"""Durable workflows: the authoring API, in process and on workers."""

from penstock.runtime.context import (
    get_config,
    get_runtime,
    get_store,
    get_stream_writer,
    interrupt,
)
from penstock.runtime.entrypoint import entrypoint
from penstock.runtime.interrupt import Command, Interrupt
from penstock.runtime.retry import RetryPolicy
from penstock.runtime.task import task

__all__ = [
    "Command",
    "Interrupt",
    "RetryPolicy",
    "entrypoint",
    "get_config",
    "get_runtime",
    "get_store",
    "get_stream_writer",
    "interrupt",
    "task",
]
