"""Changes of code that a run may have begun before: which of its branches have which code."""

from __future__ import annotations

__all__ = ["Passage", "Patches"]

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from penstock.runtime.engine.attempt.leftovers import Leftovers
from penstock.runtime.errors import ReplayError
from penstock.runtime.journal.checkpoint_names import PATCH, QUESTION, TIMER, VOID
from penstock.runtime.journal.journal import Journal
from penstock.runtime.journal.step_id import branch_of


class PassingBranch(Protocol):
    """A flow of control that comes to changed code."""

    prefix: str
    """What the ids of its steps begin with."""
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


@dataclass(frozen=True, slots=True)
class Passage:
    """One call of `patched`, by its place in the run."""

    patch: str
    field: str
    """The checkpoint of its marker."""
    is_numbered: bool
    """Whether it is one of the branch itself, and not of a thread that it started."""


class Patches:
    """The markers of an attempt: at which places a run has begun to go by changed code."""

    def __init__(self, journal: Journal, leftovers: Leftovers) -> None:
        self._journal = journal
        self._leftovers = leftovers
        self._lock = threading.Lock()
        self._decided: dict[str, bool] = {}
        self._recalled: dict[str, int] = {}
        """The last call of each branch that was on the record, by its number in the branch."""

    def passes(self, branch: PassingBranch, passage: Passage, *, done: bool) -> bool:
        """Tell whether a branch goes by the changed code, and record it the first time it does.

        Later tries of the same code in this attempt get the same answer.

        Raises:
            ReplayError: it does not, and no run was to be left that does not.
        """
        with self._lock:
            decided = self._decided.get(passage.field)
            if decided is None:
                decided = self._decided[passage.field] = self._decide(branch, passage)
        if done and not decided:
            raise ReplayError(
                f"patched({passage.patch!r}, done=True) asserts that no run is left from before "
                "that change, and this one is: it has recorded what comes after. Bring back "
                f"patched({passage.patch!r}) with the old code until such runs have ended."
            )
        return decided

    def pass_by(self, branch: PassingBranch) -> None:
        """Take note that code has called a new step in a branch, in which it may lack a change.

        A marker that it should have come to before, with nothing on the record behind it, is void:
        the record will be that of the other code.
        """
        for field, calls in self._unreached.get(branch.prefix, {}).items():
            if field not in self._decided and calls < branch.calls and self._is_last(branch, calls):
                self._decided[field] = False
                self._journal.keep(field, VOID)

    def recalled(self, branch: PassingBranch) -> None:
        """Take note that a branch has got a recorded outcome for its newest call."""
        if self._unreached:
            self._recalled[branch.prefix] = branch.calls

    def _is_last(self, branch: PassingBranch, calls: int) -> bool:
        return self._recalled.get(branch.prefix, 0) <= calls

    def _decide(self, branch: PassingBranch, passage: Passage) -> bool:
        marker = _text(self._journal.recorded(passage.field) or VOID)
        if marker != VOID:
            return True
        if self._journal.has_past and self._has_more(branch):
            return False
        calls = str(branch.calls) if passage.is_numbered else "?"
        self._journal.keep(passage.field, calls)
        return True

    def _has_more(self, branch: PassingBranch) -> bool:
        """Tell whether a branch has recorded anything that its code has not come to again yet."""
        if self._leftovers.is_ahead(branch.prefix, branch.forks):
            return True
        waits = self._waits.get(branch.path, {})
        return any(number >= branch.counts.get(kind, 0) for kind, number in waits.items())

    @cached_property
    def _waits(self) -> Mapping[str, Mapping[str, int]]:
        """The last question and sleep of each branch by its path, as the branch counts them."""
        found: dict[str, dict[str, int]] = {}
        for field in self._journal.fields():
            path = number = ""
            if field[:1] == QUESTION:
                asked = json.loads(self._journal.recorded(field) or "{}")
                path, number = asked.get("branch", asked.get("step", "")), asked.get("number", "")
            elif field[:1] == TIMER:
                path, _, number = field[1:].rpartition("%")
            if str(number).isdecimal():
                kind = f"{field[0] if field[0] == QUESTION else '%'}{path}"
                kinds = found.setdefault(path, {})
                kinds[kind] = max(int(number), kinds.get(kind, 0))
        return found

    @cached_property
    def _unreached(self) -> Mapping[str, Mapping[str, int]]:
        """The markers of earlier attempts, by the branch, with the calls that came before them."""
        found: dict[str, dict[str, int]] = {}
        for field in self._journal.fields():
            if field[:1] == PATCH:
                text = _text(self._journal.recorded(field) or "")
                if text.isdecimal():
                    found.setdefault(branch_of(field[1:]), {})[field] = int(text)
        return found


def _text(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode()
