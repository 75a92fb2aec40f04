"""Durable workflows: the authoring API, in process and on workers."""

from penstock.publisher.registry import register_type
from penstock.runtime.aclient import AsyncClient
from penstock.runtime.cache import CachePolicy
from penstock.runtime.client import Client
from penstock.runtime.config import RunnableConfig
from penstock.runtime.context import (
    asleep,
    get_config,
    get_runtime,
    get_store,
    get_stream_writer,
    interrupt,
    sleep,
)
from penstock.runtime.control import RunControl
from penstock.runtime.decorator import entrypoint
from penstock.runtime.interrupt import Command, Interrupt
from penstock.runtime.log_filter import RunLogFilter
from penstock.runtime.output import GraphOutput
from penstock.runtime.redis.cache import InMemoryCache, RedisCache
from penstock.runtime.redis.saver import InMemorySaver, RedisSaver
from penstock.runtime.retry import RetryPolicy
from penstock.runtime.runtime import Runtime
from penstock.runtime.state import StateSnapshot, StateUpdate
from penstock.runtime.store.memory import InMemoryStore
from penstock.runtime.store.redis import RedisStore
from penstock.runtime.task import task
from penstock.runtime.timeout import StepTimeoutError, TimeoutPolicy

__all__ = [
    "AsyncClient",
    "CachePolicy",
    "Client",
    "Command",
    "GraphOutput",
    "InMemoryCache",
    "InMemorySaver",
    "InMemoryStore",
    "Interrupt",
    "RedisCache",
    "RedisSaver",
    "RedisStore",
    "RetryPolicy",
    "RunControl",
    "RunLogFilter",
    "RunnableConfig",
    "Runtime",
    "StateSnapshot",
    "StateUpdate",
    "StepTimeoutError",
    "TimeoutPolicy",
    "asleep",
    "entrypoint",
    "get_config",
    "get_runtime",
    "get_store",
    "get_stream_writer",
    "interrupt",
    "register_type",
    "sleep",
    "task",
]
