"""A run that somebody wants, and how it is written down."""

from __future__ import annotations

__all__ = ["Wanted", "checked_run_id", "create", "is_run_id", "write_config"]

import json
import math
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from penstock.publisher.codec.canonical import canonical
from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import CodecError
from penstock.publisher.event import encode
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.journal.run_input import ACCEPTED
from penstock.runtime.journal.thread_values import Kept
from penstock.runtime.journal.trace_context import FIELD
from penstock.runtime.redis.calls import Creation, OnBusy
from penstock.runtime.redis.facets import facets_field
from penstock.runtime.settings import Settings
from penstock.runtime.types.durability import durability_of
from penstock.runtime.types.interrupt import NOTHING
from penstock.runtime.types.queue import checked_queue
from penstock.runtime.types.retention import checked_retention
from penstock.runtime.types.tags import Tags, checked_tags
from penstock.runtime.types.webhook_url import AllowedHosts, checked_url

_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
THREAD_ID_LIMIT = 65_536

WEBHOOK = "webhook"
"""The checkpoint that is the URL of a run's own webhook; `feed.lua` has the same."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run that somebody wants."""

    entrypoint: str
    argument: Any
    thread_id: str | None = None
    run_id: str | None = None
    queue: str = "default"
    on_busy: OnBusy = "queue"
    context: Any = None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    durability: str = "async"
    tags: Tags = field(default_factory=dict[str, str])
    retention: float | None = None
    retention_failed: float | None = None
    """Seconds; None stands for the setting."""
    is_accepted: bool = False
    """Whether input and context are validated already."""
    asked: Any = NOTHING
    """The input before that: a request that is repeated is known by it."""
    trace: str = ""
    """The trace that it belongs to; "" for none."""
    delay: float = 0.0
    """Seconds until it begins; meanwhile its thread is busy."""
    request: str = ""
    """What is kept of the request with the run's first leg, as it is stored; "" for nothing."""
    webhook: str | None = None
    """The URL that is told of its end."""


def write_config(codec: Codec, config: Mapping[str, Any]) -> str:
    """Write down the config of a run, in the place of the one that it was made with."""
    return codec.at("config").dumps(dict(config), "config of the run")


def create(wanted: Wanted, settings: Settings, codec: Codec) -> Creation:
    """Write down a wanted run; the same one gives the same digest.

    Raises:
        ConfigurationError: an id or a queue's name cannot be used.
        CodecError: the input or the context cannot be written.
    """
    run_id = checked_run_id(wanted.run_id)
    thread_id = _checked_thread_id(wanted.thread_id) or run_id
    if wanted.queue:
        checked_queue(wanted.queue)
    if wanted.on_busy not in get_args(OnBusy):
        raise ConfigurationError(
            f"on_busy is one of {', '.join(get_args(OnBusy))}, not {wanted.on_busy!r}."
        )
    durability_of(wanted.durability)
    own = thread_id == run_id
    shared, codec = codec, codec.at("run", run_id)
    text = codec.plain.dumps(wanted.argument, f"input of entrypoint {wanted.entrypoint!r}")
    context = ""
    if wanted.context is not None:
        context = codec.plain.dumps(wanted.context, "context of the run")
    config = codec.plain.dumps(dict(wanted.config), "config of the run")
    metadata = Kept(shared, thread_id).write_metadata(wanted.config.get("metadata"))
    tags = checked_tags(wanted.tags)
    tagged = codec.plain.dumps(tags, "tags of the run") if tags else ""
    queued = json.dumps({"name": wanted.entrypoint, "queue": wanted.queue})
    parts: tuple[str, ...] = (wanted.entrypoint, "" if own else thread_id, text, context, config)
    parts += (tagged,) if tagged else ()
    digests = _digests(parts, codec)
    if (asked := _asked_text(wanted, codec)) is not None:
        digests = [*_digests((*parts[:2], asked, *parts[3:]), codec), *digests]
    return Creation(
        run_id=run_id,
        thread_id=thread_id,
        queue=wanted.queue,
        digest=" ".join(dict.fromkeys(digests)),
        input=codec.at("input").seal(text),
        event=encode("run.queued", queued, thread="" if own else thread_id, time=time.time()),
        context=codec.at("context").seal(context) if context else "",
        on_busy=wanted.on_busy,
        is_new=wanted.run_id is None,
        fields={
            "entrypoint": wanted.entrypoint,
            **_retention(wanted, settings),
            "thread_retention": round(settings.thread_retention * 1000),
            "history": settings.history,
            "keep": settings.keep,
            "durability": wanted.durability,
            "config": codec.at("config").seal(config),
            "metadata": metadata,
            "tags": codec.at("tags").seal(tagged) if tagged else "",
            "facets": facets_field(tags, settings.index, shared),
            "feed": settings.feed,
            "request": wanted.request,
            "delay": round(wanted.delay * 1000),
            "hooks": "own" if wanted.webhook else "",
        },
        recorded={
            **({ACCEPTED: ""} if wanted.is_accepted else {}),
            **({FIELD: wanted.trace} if wanted.trace else {}),
            **_webhook(wanted.webhook, settings, codec),
        },
    )


def _webhook(url: str | None, settings: Settings, codec: Codec) -> dict[str, str]:
    if not url:
        return {}
    checked_url(url, AllowedHosts(settings.webhook_hosts))
    return {WEBHOOK: codec.at(WEBHOOK).dumps(url)}


def _retention(wanted: Wanted, settings: Settings) -> dict[str, int]:
    kept = checked_retention("retention", wanted.retention) or settings.retention
    failed = checked_retention("retention_failed", wanted.retention_failed)
    failed = failed or settings.retention_failed
    return {"retention": math.ceil(kept * 1000), "retention_failed": math.ceil(failed * 1000)}


def _asked_text(wanted: Wanted, codec: Codec) -> str | None:
    """Return the text of the input before it was validated; None where it is the same, or has none.

    A value without a stored form may be valid, as the value that it was converted to has one.
    """
    if wanted.asked is NOTHING:
        return None
    try:
        return codec.plain.dumps(wanted.asked)
    except CodecError:
        return None


def _digests(parts: tuple[str, ...], codec: Codec) -> list[str]:
    """Return what a request is known by; the last ones are those of releases until 0.1."""
    common = (*parts[:2], *map(canonical, parts[2:]))
    return [*codec.digests("\0".join(common), 16), *codec.digests("\0".join(parts), 16)]


def checked_run_id(run_id: str | None) -> str:
    """Return a run id that can stand in key names; a new one for None.

    Raises:
        ConfigurationError: it has other characters than those, or too many.
    """
    if run_id is None:
        return uuid.uuid4().hex
    if not is_run_id(run_id):
        raise ConfigurationError(
            f"run id {run_id[:80]!r}: use letters, digits, '_' and '-', at most 128 of them."
        )
    return run_id


def is_run_id(text: str) -> bool:
    """Tell whether a text can be the id of a run."""
    return _RUN_ID.fullmatch(text) is not None


def _checked_thread_id(thread_id: str | None) -> str | None:
    if thread_id is None:
        return None
    if not thread_id or len(thread_id) > THREAD_ID_LIMIT:
        raise ConfigurationError(
            f"a thread id has 1 to {THREAD_ID_LIMIT} characters, not {len(thread_id)}; "
            "leave it out for a thread of the run's own."
        )
    try:
        thread_id.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"thread id {thread_id[:80]!r} is no text that can be written: {error.reason}; "
            "take out the half of a surrogate pair."
        ) from error
    return thread_id
