"""Describes the entrypoints of an app, as workers tell it in Redis."""

from __future__ import annotations

__all__ = ["describe", "tried"]

import inspect
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from redis import Redis
from redis.exceptions import ResponseError

from penstock.publisher.redis.script import run_all
from penstock.runtime.executor.app import AnyExecutable, App
from penstock.runtime.executor.hosted import Hosted
from penstock.runtime.redis.calls import Calls
from penstock.runtime.redis.keys import Keys

logger = logging.getLogger(__name__)

KEPT: Final = 7 * 86400
"""Seconds that a description is kept, after the last worker that has told it."""


def describe(connection: Redis, keys: Keys, app: App, since: float) -> None:
    """Tell what clients may know of each entrypoint of an app.

    `since` is when this worker began, in seconds since 1970 by the clock of Redis. What a worker
    has told that began later stands.

    Raises:
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    calls = Calls(keys)
    sent = [
        calls.describe(name, since, _text(each, since), KEPT)
        for name, each in app.entrypoints.items()
    ]
    for reply in run_all(connection, sent):
        if isinstance(reply, ResponseError):
            raise reply


def _text(each: AnyExecutable, since: float) -> str:
    known = {"since": since, "about": _about(each)}  # in this order: `describe.lua` looks for it
    text = tried(lambda: json.dumps({**known, **_described(each)}, default=str))
    return text or json.dumps(known)


def _about(each: AnyExecutable) -> str:
    return each.about if isinstance(each, Hosted) else _first_line(each.body.function)


def _described(each: AnyExecutable) -> Mapping[str, Any]:
    if isinstance(each, Hosted):
        return {"is_graph": True, **(tried(each.description) or {})}
    output = tried(each.get_output_jsonschema)  # what a thread keeps of it, too
    return {
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
