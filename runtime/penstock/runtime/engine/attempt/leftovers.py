"""Recorded steps that the code does not call any more: a sign that the code has changed."""

from __future__ import annotations

__all__ = ["Leftovers", "ways_out"]

import threading
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from penstock.runtime.engine.function.declared_tasks import declared, names_task
from penstock.runtime.errors import ReplayError
from penstock.runtime.journal.checkpoint_names import ACCEPTED_STEP
from penstock.runtime.journal.remote_call import ARGUMENTS
from penstock.runtime.journal.step_id import ancestry, branch_of, is_step, step_name


@dataclass(frozen=True, slots=True)
class BranchLeftovers:
    """What is left of one branch: ids of steps with the names of their tasks, and how many each."""

    names: dict[str, str] = field(default_factory=dict[str, str])
    counts: dict[str, int] = field(default_factory=dict[str, int])
    sent: set[str] = field(default_factory=set[str])
    """Those of which nothing is recorded but that steps were sent to other queues."""

    def add(self, step_id: str, *, is_sent: bool = False) -> None:
        """Add a step, once."""
        if step_id not in self.names:
            name = self.names[step_id] = step_name(step_id)
            self.counts[name] = self.counts.get(name, 0) + 1
            if is_sent:
                self.sent.add(step_id)
        elif not is_sent:
            self.sent.discard(step_id)

    def remove(self, step_id: str) -> None:
        """Take a step out, if it is in."""
        name = self.names.pop(step_id, None)
        if name is not None:
            self.counts[name] -= 1
            if not self.counts[name]:
                del self.counts[name]

    def of(self, name: str) -> list[str]:
        """Return the ids of the steps of one name, in order."""
        return sorted(step_id for step_id, its_name in self.names.items() if its_name == name)


NONE_LEFT: Final = BranchLeftovers()


class Leftovers:
    """The steps that earlier attempts recorded and this one has not called yet.

    One whose task is gone can never be asked for: the next new step of its branch is refused before
    it does anything. The others are known at the end of the body that called them.
    """

    def __init__(self, recorded: Callable[[], Iterable[str]]) -> None:
        self._recorded = recorded
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        self._branches: dict[str, BranchLeftovers] | None = None
        self._known: set[str] = set()

    @cached_property
    def accepted(self) -> set[str]:
        """The steps whose records stand, whether they are asked for or not."""
        return accepted_steps(self._recorded())

    def ask(self, step_id: str) -> None:
        """Take note that a step is asked for."""
        self._asked.add(step_id)
        if self._branches:
            with self._lock:
                left = self._branches.get(branch_of(step_id))
                if left is not None:
                    left.remove(step_id)

    def has_asked(self, step_id: str) -> bool:
        """Tell whether a step was asked for."""
        return step_id in self._asked

    def is_ahead(self, prefix: str, forks: int) -> bool:
        """Tell whether steps are left of a branch, or of those that it has not opened again yet.

        `forks` is how many it has opened.
        """
        for each, left in self._all().items():
            if left.names and each.startswith(prefix):
                first = each[len(prefix) :].partition("/")[0]
                if not first or (first[0] == "~" and int(first[1:]) >= forks):
                    return True
        return False

    def check_call(
        self, prefix: str, function: Callable[..., Any], step_id: str, name: str
    ) -> None:
        """Refuse a new step beside a recorded one whose task is gone.

        Raises:
            ReplayError: there is one.
        """
        left = self._all().get(prefix, NONE_LEFT)
        for other in self._gone(left, function):
            raise ReplayError(
                f"expected a call of task {other!r}, of which this run has recorded step "
                f"{left.of(other)[0]!r}, found a call of task {name!r} (step {step_id!r}), and no "
                f"task {other!r} exists in this process. A task that was renamed finds its "
                f'records by @task(was="{other}"). {ways_out(left.of(other)[0])}'
            )

    def check_end(self, step_id: str, name: str, function: Callable[..., Any], tries: int) -> None:
        """Refuse the end of a body that has not asked for all that it had called before.

        Of a body that is tried again, and of asyncio tasks and threads, which may have been
        cancelled or too late, only what can never be asked for counts.

        Raises:
            ReplayError: there is such a step.
        """
        own = f"{step_id}/" if step_id else ""
        for prefix in self._prefixes(own):
            left = self._all()[prefix]
            certain = prefix == own and tries == 1
            missed = [*self._gone(left, function)]
            missed += [each for each in list(left.counts) if certain and _is_certain(left, each)]
            for each in missed:
                raise ReplayError(
                    f"{name!r} ended without a call of task {each!r}, of which this run "
                    f"has recorded step {left.of(each)[0]!r}: its code, or what it decides by, is "
                    f"not what it was. {ways_out(left.of(each)[0])}"
                )

    def _gone(self, left: BranchLeftovers, caller: Callable[..., Any]) -> Iterator[str]:
        """Give the names of which no task exists, and which the caller will not declare either."""
        for name in list(left.counts):
            if name not in self._known:
                if not declared.named(name) and not names_task(caller, name):
                    yield name
                else:
                    self._known.add(name)

    def _prefixes(self, own: str) -> list[str]:
        """Return the branches of a body: its own, and those of its asyncio tasks."""
        return [
            prefix
            for prefix in self._all()
            if prefix.startswith(own)
            and all(part[0] == "~" for part in prefix[len(own) :].split("/")[:-1])
        ]

    def _all(self) -> dict[str, BranchLeftovers]:
        if self._branches is None:
            with self._lock:
                if self._branches is None:
                    self._branches = grouped(self._recorded(), self._asked)
        return self._branches


def accepted_steps(names: Iterable[str]) -> set[str]:
    """Return the ids of the steps whose records stand, whatever the code calls."""
    size = len(ACCEPTED_STEP)
    return {name[size:] for name in names if name.startswith(ACCEPTED_STEP)}


def ways_out(step_id: str) -> str:
    """Say what can be done about a run whose code no longer matches the record of a step."""
    return (
        f"Roll back and `penstock resume RUN`, or add --accept '{step_id}' (the record stands) or "
        f"--forget '{step_id}' (execute it again), or `penstock fork RUN --after STEP`."
    )


def grouped(recorded: Iterable[str], asked: Set[str]) -> dict[str, BranchLeftovers]:
    """Group the steps that are left, and those that they were called in, by their branches."""
    branches: dict[str, BranchLeftovers] = {}
    names = tuple(recorded)
    stand = accepted_steps(names)
    for checkpoint in names:
        is_sent = checkpoint[:1] == ARGUMENTS
        name = checkpoint[1:] if is_sent else checkpoint
        if name not in asked and is_step(name):
            if stand and not stand.isdisjoint(ancestry(name)):
                continue
            for step_id in ancestry(name):
                if step_id not in asked:
                    left = branches.setdefault(branch_of(step_id), BranchLeftovers())
                    left.add(step_id, is_sent=is_sent)
    return branches


def _is_certain(left: BranchLeftovers, name: str) -> bool:
    """Tell whether the steps of a name have to be asked for again."""
    if left.sent.issuperset(left.of(name)):
        return False  # they have done nothing yet that is recorded
    if any("@" in step_id.rpartition("/")[2] for step_id in left.of(name)):
        return False  # of a thread that the body had begun
    return all(task.on_change != "rerun" for task in declared.named(name))
