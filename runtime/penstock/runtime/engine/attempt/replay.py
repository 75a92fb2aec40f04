"""What earlier attempts, and earlier tries of this one, have recorded."""

from __future__ import annotations

__all__ = ["Replay"]

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from types import FrameType
from typing import Any, Final, Protocol

from penstock.publisher.codec.canonical import canonical
from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.failure import load_error
from penstock.publisher.errors import CodecError
from penstock.runtime.engine.attempt.leftovers import Leftovers, ways_out
from penstock.runtime.engine.attempt.old_names import OldNames
from penstock.runtime.engine.attempt.patches import Patches
from penstock.runtime.engine.waiting.cancel_mark import CancelMark
from penstock.runtime.engine.waiting.own_timers import (
    TimerName,
    read,
    stamp_with_timers,
    tag,
)
from penstock.runtime.engine.waiting.stamp import MARK, Stamp
from penstock.runtime.errors import ReplayError
from penstock.runtime.journal.checkpoint_names import ACCEPTED_STEP
from penstock.runtime.journal.journal import Journal
from penstock.runtime.journal.outcome import Outcome
from penstock.runtime.journal.remote_call import ARGUMENTS
from penstock.runtime.journal.step_id import ancestry, caller, is_step
from penstock.runtime.types.final import Final as FinalValue

MOST_ALIKE: Final = 10_000
"""Calls of one name in one branch among which a call that moved is looked for."""


class CallingBranch(Protocol):
    """A flow of control that calls steps."""

    prefix: str
    """What the ids of its steps begin with."""
    reused: set[str]
    """The recorded steps that it has got already."""
    forks: int
    """How many branches it has opened."""
    calls: int
    """How many calls, questions and sleeps it has numbered."""
    counts: dict[str, int]
    """How many of each kind and name."""

    @property
    def path(self) -> str:
        """Its place, as in the ids of its steps."""
        ...

    @property
    def function(self) -> Callable[..., Any]:
        """The function whose code it is in."""
        ...


class Replay:
    """Gives each call the outcome that is recorded for it, and no other's."""

    def __init__(self, journal: Journal, codec: Codec) -> None:
        self._journal = journal
        given = journal.recorded("input")
        self.codec = codec.pinned(given) if given is not None else codec
        """The attempt's codec, with the key of the run's input whatever key is the newest."""
        self._done: dict[str, Outcome] = {}
        self.leftovers = Leftovers(journal.fields)
        self.old_names = OldNames(journal)
        self.patches = Patches(journal, self.leftovers)
        self._older: dict[str, str] = {}

    def remember(self, step_id: str, outcome: Outcome) -> None:
        """Keep a step's outcome for later tries of the body that called it."""
        if self._journal.stores:
            self._done[step_id] = outcome

    def may_know(self, step_id: str) -> bool:
        """Tell whether there can be a record of a step, or of what makes its call a wrong one."""
        if self._journal.has_past or step_id in self._done:
            return True
        return self._journal.recorded(step_id) is not None

    def recall(
        self, branch: CallingBranch, step_id: str, name: str, digest: str, changed: str
    ) -> Outcome | None:
        """Return a step's outcome if it has one; `changed` says what to do where arguments differ.

        Raises:
            ReplayError: the step was recorded with other arguments, and `changed` is "raise"; or it
                is new, beside a recorded one whose task is gone.
        """
        has_past = self._journal.has_past
        if has_past:
            self.leftovers.ask(step_id)
        outcome = self.find(step_id)
        if outcome is None:
            if has_past:
                self.leftovers.check_call(branch.prefix, branch.function, step_id, name)
                self.patches.pass_by(branch)
            return None
        alike = not digest or outcome.digest in ("", digest, self._older.get(digest))
        alike = alike or self._journal.recorded(f"{ACCEPTED_STEP}{step_id}") is not None
        if has_past:
            self.patches.recalled(branch)
        if alike and step_id not in branch.reused:
            branch.reused.add(step_id)
            return outcome
        moved = self._moved(branch, step_id, digest)
        if moved is not None or changed == "rerun":
            return moved
        raise ReplayError(
            f"expected step {step_id!r} with the arguments recorded (digest {outcome.digest}), "
            f"found a call of task {name!r} with others (digest {digest}) at {_caller()}. "
            f"{ways_out(step_id)} Give the call a key, task.keyed(key)(...), if its order may "
            'change; declare the task with on_change="rerun" if it may run again.'
        )

    def find(self, step_id: str) -> Outcome | None:
        """Return what is recorded of a step, whatever it was called with."""
        if step_id in self._done:
            return self._done[step_id]
        text = self._journal.recorded(step_id)
        return None if text is None else self.read(step_id, text)

    def read(self, step_id: str, text: str | bytes) -> Outcome:
        """Read an outcome as it is recorded."""
        tree: dict[str, Any] = self.codec.outcome(text, step_id)
        error = load_error(tree["error"]) if "error" in tree else None
        value = tree.get("value")
        save = FinalValue(value=value, save=tree["save"]) if "save" in tree else None
        return Outcome(
            value,
            error,
            tree.get("digest", ""),
            save,
            at=tree.get("at", ""),
            cancels=tree.get("cancels", 0),
        )

    def cancelled(self, name: str) -> CancelMark | None:
        """Return the mark of a step or a wait that was cancelled, None for one that was not."""
        return CancelMark.read(self._mark(name))

    def stamp(self, name: str) -> str:
        """Return the stamp of a wait, or of a step on another queue, "" if none is recorded."""
        mark = self._mark(name)
        return mark if CancelMark.read(mark) is None else ""

    def past_timers(self, step_id: str) -> Sequence[tuple[Stamp, TimerName]]:
        """Return the timers of a step's code that were over, and the places of their turns."""
        return self._past_timers.get(tag(step_id), ())

    @cached_property
    def _past_timers(self) -> dict[str, list[tuple[Stamp, TimerName]]]:
        found: dict[str, list[tuple[Stamp, TimerName]]] = {}
        for field in self._journal.fields():
            if field[:1] != "@" and not is_step(field):
                continue  # it may be the user's own
            stamp = stamp_with_timers(self._journal.recorded(field) or "")
            if stamp is not None:
                found.setdefault(stamp.timers.partition(MARK)[0], []).extend(read(stamp))
        return found

    def _mark(self, name: str) -> str:
        text = self._journal.recorded(f"@{name}") or ""
        return text.decode() if isinstance(text, bytes) else text

    def given_up_below(self, step_ids: Iterable[str]) -> set[str]:
        """Name the checkpoints that say which steps below some others were cancelled."""
        stems = tuple(f"@{step_id}/" for step_id in step_ids)
        return {name for name in self._journal.fields() if stems and name.startswith(stems)}

    def not_asked_in(self, step_id: str) -> set[str]:
        """Name the recorded steps that the code of a step has called, and not asked for yet."""
        recorded = self._by_caller.get(step_id, ())
        return {each for each in recorded if not self.leftovers.has_asked(each)}

    def under_way_in(self, step_id: str) -> set[str]:
        """Name the steps on other queues that the code of a step has sent, and not asked for yet.

        An earlier attempt has come as far as to call them, but nobody has recorded their ends.
        """
        sent = self._sent.get(step_id, ())
        return {each for each in sent if not self.leftovers.has_asked(each)}

    def has_entered(self, step_id: str) -> bool:
        """Tell whether there is a record of what the code of a step has called."""
        return step_id in self._entered

    @cached_property
    def _by_caller(self) -> dict[str, set[str]]:
        stand = self.leftovers.accepted
        return _by_caller(
            name
            for name in self._journal.fields()
            if is_step(name) and (not stand or stand.isdisjoint(ancestry(name)))
        )

    @cached_property
    def _sent(self) -> dict[str, set[str]]:
        fields = self._journal.fields()
        sent = (name[1:] for name in fields if name[:1] == ARGUMENTS and name[1:] not in fields)
        return _by_caller(sent)

    @cached_property
    def _entered(self) -> set[str]:
        return {above for step_id in self._by_caller for above in ancestry(step_id)} - {""}

    def _moved(self, branch: CallingBranch, step_id: str, digest: str) -> Outcome | None:
        """Find the same call under another number of the same name, as when completions reorder."""
        stem = step_id.rpartition(":")[0]
        for index in range(MOST_ALIKE):
            candidate = f"{stem}:{index}"
            found = self.find(candidate)
            if found is None:
                return None
            if candidate not in branch.reused and found.digest == digest:
                branch.reused.add(candidate)
                self.leftovers.ask(candidate)
                return found
        return None

    def digest(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, str | None]:
        """Return a digest of a call's arguments and their text; "" and None if they have none."""
        if not self._journal.stores:
            return "", None
        plain = self.codec.plain
        try:
            named = plain.dumps(dict(sorted(kwargs.items())), "arguments") if kwargs else "{}"
            text = f"[{plain.dumps(list(args), 'arguments')},{named}]"
            plain.check_size(text, "arguments")
        except CodecError:
            return "", None
        common = canonical(text)
        digest = self.codec.digests(common, 6)[0]
        if common != text and self._journal.has_past:
            # Until 0.1 it was made of the text as it is.
            self._older[digest] = self.codec.digests(text, 6)[0]
        return digest, text


def _by_caller(step_ids: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for step_id in step_ids:
        above = "/".join(caller(step_id)) if "/" in step_id else ""
        found.setdefault(above, set()).add(step_id)
    return found


def _caller() -> str:
    """Return file and line of the user's code that is calling."""
    frame: FrameType | None = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("penstock.runtime"):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}" if frame else "an unknown place"
