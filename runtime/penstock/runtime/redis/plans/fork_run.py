"""Starting a run again from one of its steps, as a plan without IO."""

from __future__ import annotations

__all__ = ["Move", "fork_run", "prepare_fork"]

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from penstock.publisher.codec.codec import Codec
from penstock.publisher.event import parse
from penstock.publisher.stored import read_all
from penstock.runtime.errors import ConfigurationError, UnknownCheckpointError
from penstock.runtime.journal.checkpoint_names import PATCH, TAKEN, TIMER, VOID
from penstock.runtime.journal.graph_host import GraphHost
from penstock.runtime.journal.run_input import ACCEPTED, ACCEPTED_CONTEXT
from penstock.runtime.journal.thread_values import Kept
from penstock.runtime.redis.calls import Creation, ForkPoint
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.redis.plans.as_read import AsRead
from penstock.runtime.redis.plans.creation import Wanted, checked_run_id, create, write_config
from penstock.runtime.redis.plans.requests import Plan, Reads, found_fields
from penstock.runtime.redis.plans.threads import ThreadPlans
from penstock.runtime.redis.run_record import CONFIG, read_tags
from penstock.runtime.settings import Settings
from penstock.runtime.types.interrupt import interrupt_id

SHOWN: Final = 20
"""Steps that an error names."""

_KEPT: Final = ("retention", "retention_failed", "thread_retention", "history", "keep")
"""Fields of a run that one of the same input has, too."""


@dataclass(slots=True)
class _Past:
    """What a run has done up to a step: outcomes kept in events, and ids of answers."""

    steps: dict[str, str] = field(default_factory=dict[str, str])
    answers: list[str] = field(default_factory=list[str])
    time: float = 0.0
    """When the step ended, in seconds since 1970."""
    is_found: bool = False


def fork_run(
    threads: ThreadPlans,
    settings: Settings,
    past: tuple[str, str],
    after_step: str | None,
    config: Mapping[str, Any] | None = None,
) -> Plan[tuple[str, str]]:
    """Start a run with the input of another, and with its steps up to and including one.

    The other is `past`, the ids of its thread and of itself. The new one goes on from the
    checkpoint of its input, with the same config unless another is given. Returns
    the new one's id and the thread's.

    Raises:
        RunNotFoundError: there is no such run.
        ConfigurationError: the run is one of another thread, or has not finished such a step.
        UnknownCheckpointError: the checkpoint it began from is no longer kept.
        ThreadBusyError: a run is at work on the thread.
    """
    thread_id, run_id = past
    new_id = checked_run_id(None)
    found = yield from _read(threads, run_id, thread_id, new_id)
    creation = yield from _write(threads, settings, found, after_step)
    if config is not None:
        told = {"config": write_config(threads.codec.at("run", new_id), config)}
        creation = dataclasses.replace(creation, fields={**creation.fields, **told})
    return (yield from threads.plans.create(creation))


def prepare_fork(
    threads: ThreadPlans, settings: Settings, past: AsRead, after_step: str | None, new_id: str
) -> Plan[Creation | None]:
    """Write down a run that forks another, and is made only if that still is as it was read.

    None if it is there already, or the other is not as it was read.

    Raises: as `fork_run` does.
    """
    fields = yield from threads.plans.fields(past.run_id)
    found = yield from _read(threads, past.run_id, fields["thread"], new_id)
    if found.is_made or not past.is_still(found.fields):
        return None
    return (yield from _write(threads, settings, found, after_step, past))


@dataclass(frozen=True, slots=True)
class _Found:
    """A run that is to be forked, as it is stored."""

    run_id: str
    thread_id: str
    new_id: str
    fields: Mapping[str, str]
    recorded: Mapping[str, bytes]
    is_made: bool


def _read(threads: ThreadPlans, run_id: str, thread_id: str, new_id: str) -> Plan[_Found]:
    record, hosted, reply, is_made = yield Reads(
        [
            threads.plans.record(run_id),
            ("HGET", threads.keys.graph(thread_key(thread_id)), "hosted"),
            ("HGETALL", threads.keys.checkpoints(run_id)),
            ("HGET", threads.keys.run(new_id), "status"),
        ]
    )
    fields = found_fields(run_id, record)
    if fields["thread"] != thread_id:
        raise ConfigurationError(
            f"run {run_id!r} is one of thread {fields['thread']!r}, not of {thread_id!r}: "
            "fork it there."
        )
    if hosted:
        raise ConfigurationError(
            f"thread {thread_id!r} holds the state of the graph "
            f"{GraphHost.parse(hosted).entrypoint!r}, whose points are forked: enqueue with "
            'config={"configurable": {"checkpoint_id": ...}}, with None to replay one.'
        )
    if "checkpoint" not in fields:
        raise UnknownCheckpointError(f"run {run_id!r} has not begun: there is nothing to fork.")
    recorded: dict[str, bytes] = {name.decode(): text for name, text in reply.items()}
    return _Found(run_id, thread_id, new_id, fields, recorded, is_made is not None)


def _write(
    threads: ThreadPlans,
    settings: Settings,
    found: _Found,
    after_step: str | None,
    as_read: AsRead | None = None,
) -> Plan[Creation]:
    done = _Past()
    if after_step is not None:
        done = yield from _past(threads, found.run_id, after_step)
        if not done.is_found:
            raise _unknown_step(found.run_id, after_step, done)
    move = Move(threads.codec, found.run_id, found.new_id, found.recorded)
    creation = move.creation(found.fields, settings, found.thread_id)
    kept = {**creation.recorded, **move.patches(), **move.kept(done)}
    past = None if as_read is None else (as_read.run_id, as_read.status, as_read.epoch)
    point = ForkPoint(found.fields["checkpoint"], is_of_run=True, as_read=past)
    return dataclasses.replace(creation, recorded=kept, fork=point)


def _past(threads: ThreadPlans, run_id: str, after_step: str) -> Plan[_Past]:
    past = _Past()

    def take(seq: int, text: bytes) -> bool:
        _tell(past, parse(text, seq, run_id))
        past.is_found = after_step in past.steps
        return past.is_found

    yield from read_all(threads.keys.events(run_id), take)
    return past


def _tell(past: _Past, event: Mapping[str, Any]) -> None:
    data, past.time = event["data"], event["time"]
    if event["mode"] == "step.finished":
        # With durability "exit" the outcome stands in the event; else it is a checkpoint.
        outcome = data.get("outcome")
        past.steps[data["id"]] = "" if outcome is None else json.dumps(outcome)
    elif event["mode"] == "run.resumed":
        past.answers += data["interrupts"]


class Move:
    """Writes what one run has recorded again for another, which has keys and names of its own."""

    def __init__(self, codec: Codec, old: str, new: str, recorded: Mapping[str, bytes]) -> None:
        self._codec = codec
        self._old = codec.at("run", old)
        self._new = codec.at("run", new)
        self._new_id = new
        self._recorded = recorded

    def creation(
        self,
        fields: Mapping[str, str],
        settings: Settings,
        thread_id: str | None,
    ) -> Creation:
        """Write down the new run with all that the old one was given; `fields` is its whole hash.

        None as the thread stands for one of its own.
        """
        wanted = Wanted(
            fields["entrypoint"],
            None,
            thread_id=thread_id,
            run_id=self._new_id,
            queue=fields["queue"] or settings.queue,
            durability=fields["durability"],
            tags=read_tags(fields["tags"], self._old),
        )
        creation = create(wanted, settings, self._codec)
        told = {name: fields[name] for name in _KEPT}
        if (config := fields["config"]) != CONFIG:
            told["config"] = self.text(config, "config")
        old, new = (Kept(self._codec, each) for each in (fields["thread"], creation.thread_id))
        told["metadata"] = new.moved(fields["metadata"], old, "metadata")
        context = self._recorded.get("context")
        return dataclasses.replace(
            creation,
            input=self.text(self._recorded["input"], "input"),
            context="" if context is None else self.text(context, "context"),
            recorded=self.accepted(),
            fields={**creation.fields, **told},
        )

    def text(self, text: str | bytes, *place: str) -> str:
        """Write a text again, for the same place in the new run."""
        return self._new.at(*place).seal(self._old.at(*place).opened(text))

    def accepted(self) -> dict[str, str | bytes]:
        """Return the checkpoints that say how the input and the context were read."""
        places = {ACCEPTED: "input", ACCEPTED_CONTEXT: "context"}
        return {
            name: self.text(text, places[name]) if text else text
            for name, text in self._recorded.items()
            if name in places
        }

    def patches(self) -> dict[str, str | bytes]:
        """Return the checkpoints that say where the run goes by changed code."""
        void = VOID.encode()
        return {
            name: text for name, text in self._recorded.items() if name[0] == PATCH and text != void
        }

    def kept(self, past: _Past) -> dict[str, str | bytes]:
        """Return the checkpoints that the new run begins with: outcomes, timers, and answers."""
        found: dict[str, str | bytes] = {}
        for step_id, outcome in past.steps.items():
            if text := self._recorded.get(step_id, outcome.encode()):
                found[step_id] = self._outcome(step_id, text)
        for name, text in self._recorded.items():
            if name[0] == TIMER and float(text) <= past.time * 1000:
                found[f"{TIMER}{self._renamed(name[1:])}"] = text
        for name in past.answers:
            if answer := self._recorded.get(f"!{name}"):
                inside = self._old.at("answer", name).opened(answer)
                renamed = self._renamed(name)
                found[f"!{renamed}"] = self._new.at("answer", renamed).seal(inside)
                if taken := self._recorded.get(f"{TAKEN}{name}"):
                    inside = self._old.at("taken", name).opened(taken)
                    found[f"{TAKEN}{renamed}"] = self._new.at("taken", renamed).seal(inside)
        return found

    def _outcome(self, step_id: str, text: bytes) -> str | bytes:
        if self._old.plain is self._old:
            return text
        # Digests of arguments are made with the key of their run: the new one has none of the old.
        tree: dict[str, Any] = json.loads(text)
        name = "error" if "error" in tree else "value"
        return f'{{"{name}":{self.text(json.dumps(tree[name]), "outcome", step_id)}}}'

    def _renamed(self, name: str) -> str:
        """Return the name that the new run has for what may be a question of the old one."""
        asked = self._recorded.get(f"?{name}")
        if asked is None:
            return name
        told = json.loads(asked)
        return interrupt_id(self._new_id, told.get("branch", told["step"]), told["number"])


def _unknown_step(run_id: str, step_id: str, past: _Past) -> ConfigurationError:
    names = list(past.steps)
    shown = ", ".join(map(repr, names[:SHOWN])) or "none"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ConfigurationError(
        f"run {run_id!r} has finished no step {step_id!r}; it has finished {shown}{more}."
    )
