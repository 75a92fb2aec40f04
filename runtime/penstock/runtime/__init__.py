"""Durable workflows: the authoring API, in process and on workers."""

from penstock.publisher.registry import register_type
from penstock.runtime.aclient import AsyncClient
from penstock.runtime.client import Client
from penstock.runtime.context import (
    get_config,
    get_runtime,
    get_store,
    get_stream_writer,
    interrupt,
)
from penstock.runtime.entrypoint import entrypoint
from penstock.runtime.interrupt import Command, Interrupt
from penstock.runtime.redis.saver import InMemorySaver, RedisSaver
from penstock.runtime.retry import RetryPolicy
from penstock.runtime.task import task

__all__ = [
    "AsyncClient",
    "Client",
    "Command",
    "InMemorySaver",
    "Interrupt",
    "RedisSaver",
    "RetryPolicy",
    "entrypoint",
    "get_config",
    "get_runtime",
    "get_store",
    "get_stream_writer",
    "interrupt",
    "register_type",
    "task",
]
