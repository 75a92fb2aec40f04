"""How a request begins a leg: it enqueues a run, answers a question, or lets a failed run go on."""

from __future__ import annotations

__all__ = ["start_leg"]

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, get_args

from penstock.gateway.auth.bulk_access import check_entrypoint
from penstock.gateway.auth.user import CONFIGURABLE, with_user
from penstock.gateway.compatible.graph_command import read_command
from penstock.gateway.compatible.ids import new_id
from penstock.gateway.compatible.leg_config import resume_as
from penstock.gateway.compatible.leg_outcome import is_breakpoint
from penstock.gateway.compatible.legs import FoundLeg, newest_leg
from penstock.gateway.compatible.run_assistant import RunAssistant
from penstock.gateway.compatible.run_body import RunBody
from penstock.gateway.compatible.thread_reading import ThreadReader
from penstock.gateway.errors import RequestError
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.client.client import wanted_run
from penstock.runtime.errors import ConfigurationError, ResumeError
from penstock.runtime.redis.calls import OnBusy
from penstock.runtime.redis.plans.creation import Wanted
from penstock.runtime.redis.plans.fork_run import fork_run
from penstock.runtime.redis.plans.legs import write_request
from penstock.runtime.types.breakpoints import with_breakpoints
from penstock.runtime.types.config import merged
from penstock.runtime.types.interrupt import NOTHING, Command
from penstock.runtime.types.run import Run, RunStatus

_ON_BUSY: Final[Mapping[str, OnBusy]] = {"enqueue": "queue", **{x: x for x in get_args(OnBusy)}}

_RESERVED: Final = (
    "thread_id",
    "run_id",
    "checkpoint_id",
    "checkpoint_ns",
    "checkpoint_map",
    *CONFIGURABLE,
)
"""What of `configurable` says where a run is, and whose: requests do not say it there."""

_KEPT: Final[set[str]] = {
    "command",
    "context",
    "stream_mode",
    "stream_subgraphs",
    "interrupt_before",
    "interrupt_after",
    "on_disconnect",
    "on_completion",
    "durability",
    "checkpoint",
    "checkpoint_id",
    "after_seconds",
}
"""The fields of a body that are kept with a leg, where they are not as by default."""


async def start_leg(
    client: AsyncClient, body: RunBody, assistant: RunAssistant, thread_id: str | None
) -> FoundLeg:
    """Do what a request asks, and return the leg that it is about.

    Raises:
        RequestError: it cannot be done.
        ThreadBusyError, ResumeError, AnswerError: the thread or its run is in no state for it.
    """
    _check_supported(body)
    command = await read_command(client, assistant.entrypoint, body.command)
    if command is not None:
        return await _enqueue(client, body, assistant, thread_id, command)
    if "resume" in body.command:
        return await _answer(client, body, assistant, thread_id, body.command["resume"])
    if body.input is None and thread_id is not None and not body.checkpoint_named:
        found = await _go_on(client, body, assistant, thread_id)
        if found is not None:
            return found
    return await _enqueue(client, body, assistant, thread_id, body.input)


def _check_supported(body: RunBody) -> None:
    """Refuse what is known and cannot be done, rather than leave it out.

    Raises:
        RequestError: there is such a field.
    """
    if body.context is not None and body.config.get("configurable"):
        raise RequestError(400, "context and config.configurable: give one of them.")


async def _answer(
    client: AsyncClient,
    body: RunBody,
    assistant: RunAssistant,
    thread_id: str | None,
    answer: Any,
) -> FoundLeg:
    if thread_id is None:
        raise RequestError(422, "command.resume: an answer is given on the thread of its question.")
    _check_no_webhook(body)
    run_id = await client.do(client.plans.last_run(thread_id))
    if run_id is None:
        raise ResumeError(f"thread {thread_id!r} has no run that waits for an answer.")
    return await _resume(client, body, assistant, run_id, answer)


def _check_no_webhook(body: RunBody) -> None:
    """Refuse what is given to a run when it begins, and not to a leg of it.

    Raises:
        RequestError: there is such a field.
    """
    if body.webhook is not None:
        raise RequestError(
            422, "webhook: it is told of whole runs, and this one has begun: give it with an input."
        )


async def _resume(
    client: AsyncClient, body: RunBody, assistant: RunAssistant, run_id: str, answer: Any
) -> FoundLeg:
    request = write_request(client.plans.codec, run_id, _request(body, assistant, is_first=False))
    number = await resume_as(client, run_id, assistant.user, answer, request)
    found = await newest_leg(client, run_id)
    return FoundLeg(found.legs, found.legs.legs[number - 1]) if number else found


async def _go_on(
    client: AsyncClient, body: RunBody, assistant: RunAssistant, thread_id: str
) -> FoundLeg | None:
    """Go on where the thread's run stands; None if it has none that could.

    Raises:
        RequestError: 403, of one that changes many runs.
    """
    run_id = await client.do(client.plans.last_run(thread_id))
    if run_id is None:
        return None
    found = await newest_leg(client, run_id)
    run = found.run
    check_entrypoint(run.entrypoint)
    if not found.is_over:
        return None
    _check_no_webhook(body)
    if run.status is RunStatus.FAILED:
        return await _resume(client, body, assistant, run_id, NOTHING)
    if run.status is RunStatus.SUSPENDED:
        return await _pass_breakpoints(client, body, assistant, run) or found
    if run.status is RunStatus.CANCELLED:
        return await _fork(client, assistant, found)
    return found


async def _fork(client: AsyncClient, assistant: RunAssistant, found: FoundLeg) -> FoundLeg | None:
    """Begin a cancelled run again, for who asks now; None if it is of a graph."""
    past = (found.run.thread_id, found.run.run_id)
    config = with_user(found.legs.config, assistant.user)
    try:
        forked, _ = await client.do(fork_run(client.threads, client.settings, past, None, config))
    except ConfigurationError:  # a graph goes on from its newest point by itself
        return None
    return await newest_leg(client, forked)


async def _pass_breakpoints(
    client: AsyncClient, body: RunBody, assistant: RunAssistant, run: Run
) -> FoundLeg | None:
    asked = await client.do(client.plans.interrupts(run.run_id))
    passed = [each.id for each in asked if is_breakpoint(each.as_dict())]
    if not passed:
        return None
    return await _resume(client, body, assistant, run.run_id, dict.fromkeys(passed))


async def _enqueue(
    client: AsyncClient,
    body: RunBody,
    assistant: RunAssistant,
    thread_id: str | None,
    argument: Any,
) -> FoundLeg:
    run_id = new_id()
    if thread_id is None and body.on_completion == "keep":
        thread_id = new_id()
    options = Wanted(
        "",
        None,
        thread_id=thread_id,
        run_id=run_id,
        queue=client.settings.queue,
        on_busy=_ON_BUSY[body.multitask_strategy],
        context=body.context if body.context is not None else assistant.context,
        config=with_breakpoints(
            _config(body, assistant), body.interrupt_before, body.interrupt_after
        ),
        durability=body.stored_durability,
        webhook=body.webhook,
    )
    is_command = isinstance(argument, Command)
    wanted = wanted_run(assistant.entrypoint, None if is_command else argument, options)
    kept = _request(body, assistant, is_first=True)
    request = write_request(client.plans.codec, run_id, kept) if kept else ""
    wanted = dataclasses.replace(wanted, request=request, delay=body.after_seconds)
    if is_command:
        wanted = dataclasses.replace(wanted, argument=argument)
    await client.do(client.threads.changes.enqueue(wanted))
    if thread_id is not None:
        about = {"graph_id": assistant.entrypoint, "assistant_id": assistant.assistant_id}
        await client.do(ThreadReader(client).records.merge(thread_id, about))
    return await newest_leg(client, run_id)


def _config(body: RunBody, assistant: RunAssistant) -> Mapping[str, Any]:
    config: dict[str, Any] = dict(merged(assistant.config, body.config))
    given: Mapping[str, Any] = config.get("configurable") or {}
    own: Mapping[str, Any] = config.get("metadata") or {}
    configurable = {name: value for name, value in given.items() if name not in _RESERVED}
    if body.checkpoint_named:
        configurable["checkpoint_id"] = body.checkpoint_named
    configurable |= assistant.user
    metadata = {**assistant.metadata, **own, **body.metadata}
    parts: dict[str, Any] = {"configurable": configurable, "metadata": metadata}
    rest = {name: value for name, value in config.items() if name not in parts}
    return {**rest, **{name: value for name, value in parts.items() if value}}


def _request(body: RunBody, assistant: RunAssistant, *, is_first: bool) -> dict[str, Any]:
    """Return what is kept of a request; of the first leg, the run has input and config itself."""
    kept: dict[str, Any] = {}
    if kwargs := body.model_dump(include=_KEPT, exclude_defaults=True, exclude_none=True):
        kept["kwargs"] = kwargs
    if assistant.is_own:
        kept["assistant_id"] = assistant.assistant_id
    if body.multitask_strategy != "enqueue":
        kept["multitask_strategy"] = body.multitask_strategy
    if not is_first:
        kept["metadata"] = {**assistant.metadata, **body.metadata}
    return kept
