"""What a function that makes a graph is told of why it is called."""

from __future__ import annotations

__all__ = ["executing", "for_annotation", "reading", "updating"]

import dataclasses
from collections.abc import Mapping
from typing import Any, get_args

from langgraph.store.base import BaseStore
from langgraph_sdk import runtime
from langgraph_sdk.runtime import ServerRuntime


def executing(store: BaseStore, context: Any) -> ServerRuntime[Any]:
    """Tell that a run is executed, with the context that it was given."""
    return runtime._ExecutionRuntime(  # pyright: ignore[reportPrivateUsage] - no other way to one
        access_context="threads.create_run", store=store, context=context
    )


def for_annotation(given: ServerRuntime[Any], annotation: Any) -> ServerRuntime[Any]:
    """Return it with a context of the class that an annotation names: `ServerRuntime[Context]`."""
    wanted = next(iter(get_args(annotation)), None)
    told = given.execution_runtime
    if told is None or not isinstance(wanted, type) or not isinstance(told.context, Mapping):
        return given
    return dataclasses.replace(told, context=wanted(**told.context))


def updating(store: BaseStore) -> ServerRuntime[Any]:
    """Tell that the state of a thread is updated."""
    return runtime._ReadRuntime(  # pyright: ignore[reportPrivateUsage] - no other way to one
        access_context="threads.update", store=store
    )


def reading(store: BaseStore) -> ServerRuntime[Any]:
    """Tell that a worker wants to know the graph, as it starts."""
    return runtime._ReadRuntime(  # pyright: ignore[reportPrivateUsage] - no other way to one
        access_context="assistants.read", store=store
    )
