"""Durable workflows: the authoring API, in process and on workers."""

from penstock.publisher.codec.registry import register_type
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.client.client import Client
from penstock.runtime.engine.context import (
    asleep,
    get_config,
    get_runtime,
    get_store,
    get_stream_writer,
    interrupt,
    sleep,
)
from penstock.runtime.engine.patching import patched
from penstock.runtime.engine.writer import StreamWriter
from penstock.runtime.func.entrypoint import entrypoint
from penstock.runtime.func.task import task
from penstock.runtime.redis.cache import InMemoryCache, RedisCache
from penstock.runtime.redis.saver import InMemorySaver, RedisSaver
from penstock.runtime.store.memory import InMemoryStore
from penstock.runtime.store.redis import RedisStore
from penstock.runtime.streaming.stream_event import StreamEvent
from penstock.runtime.telemetry.log_filter import RunLogFilter
from penstock.runtime.types.bulk import BulkProgress
from penstock.runtime.types.cache import CachePolicy
from penstock.runtime.types.config import RunnableConfig
from penstock.runtime.types.control import RunControl
from penstock.runtime.types.failure_group import FailureGroup
from penstock.runtime.types.feed_entry import FeedEntry
from penstock.runtime.types.interrupt import Command, Interrupt
from penstock.runtime.types.output import GraphOutput
from penstock.runtime.types.retry import RetryPolicy
from penstock.runtime.types.run import Run, RunStatus
from penstock.runtime.types.run_filter import RunPage
from penstock.runtime.types.runtime import Runtime
from penstock.runtime.types.state import StateSnapshot, StateTask, StateUpdate
from penstock.runtime.types.timeout import StepTimeoutError, TimeoutPolicy
from penstock.runtime.types.webhook import Webhook, WebhookDelivery
from penstock.runtime.workflow.drawing import Edge, Graph, Node
from penstock.runtime.workflow.entrypoint import Entrypoint

__all__ = [
    "AsyncClient",
    "BulkProgress",
    "CachePolicy",
    "Client",
    "Command",
    "Edge",
    "Entrypoint",
    "FailureGroup",
    "FeedEntry",
    "Graph",
    "GraphOutput",
    "InMemoryCache",
    "InMemorySaver",
    "InMemoryStore",
    "Interrupt",
    "Node",
    "RedisCache",
    "RedisSaver",
    "RedisStore",
    "RetryPolicy",
    "Run",
    "RunControl",
    "RunLogFilter",
    "RunPage",
    "RunStatus",
    "RunnableConfig",
    "Runtime",
    "StateSnapshot",
    "StateTask",
    "StateUpdate",
    "StepTimeoutError",
    "StreamEvent",
    "StreamWriter",
    "TimeoutPolicy",
    "Webhook",
    "WebhookDelivery",
    "asleep",
    "entrypoint",
    "get_config",
    "get_runtime",
    "get_store",
    "get_stream_writer",
    "interrupt",
    "patched",
    "register_type",
    "sleep",
    "task",
]
