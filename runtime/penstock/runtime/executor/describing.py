"""Describes the entrypoints of an app, as workers tell it in Redis."""

from __future__ import annotations

__all__ = ["describe", "tried"]

import inspect
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from redis import Redis

from penstock.runtime.executor.app import AnyExecutable, App
from penstock.runtime.executor.hosted import Hosted
from penstock.runtime.redis.keys import Keys

logger = logging.getLogger(__name__)

KEPT: Final = 7 * 86400
"""Seconds that a description is kept, after the last worker that has told it."""


def describe(connection: Redis, keys: Keys, app: App, since: float | None = None) -> None:
    """Tell what clients may know of each entrypoint of an app.

    Raises:
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    began = time.time() if since is None else since
    with connection.pipeline(transaction=False) as pipeline:
        for name, each in app.entrypoints.items():
            text = json.dumps({"since": began, **_described(each)}, default=str)
            pipeline.set(keys.entrypoint(name), text, ex=KEPT)
        pipeline.execute()


def _described(each: AnyExecutable) -> Mapping[str, Any]:
    if isinstance(each, Hosted):
        return {"about": each.about, "is_graph": True, **(tried(each.description) or {})}
    output = tried(each.get_output_jsonschema)  # what a thread keeps of it, too
    return {
        "about": _first_line(each.body.function),
        "schemas": {
            "input": tried(each.get_input_jsonschema),
            "output": output,
            "state": output,
            "context": tried(each.get_context_jsonschema),
        },
        "drawing": tried(lambda: each.get_graph().to_json()) or {},
    }


def _first_line(function: object) -> str:
    """Return the first line of what a function says of itself."""
    return (inspect.getdoc(function) or "").partition("\n")[0]


def tried(make: Callable[[], Any]) -> Any:
    """Return what is made; None where types have no schema, which is no reason not to work."""
    try:
        return make()
    except Exception:
        logger.debug("a description could not be made", exc_info=True)
        return None
