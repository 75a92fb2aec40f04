"""The names that tasks had when a run recorded their steps."""

from __future__ import annotations

__all__ = ["OldNames"]

import json
from collections.abc import Iterator
from functools import cached_property
from typing import Protocol

from penstock.runtime.journal.checkpoint_names import QUESTION, TIMER
from penstock.runtime.journal.journal import Journal
from penstock.runtime.journal.remote_call import ARGUMENTS
from penstock.runtime.journal.step_id import ancestry, branch_of, is_step, step_label


class RenamedTask(Protocol):
    """The labels of a task, as they stand in the ids of its steps."""

    @property
    def label(self) -> str:
        """Its label today."""
        ...

    @property
    def old_labels(self) -> tuple[str, ...]:
        """Those it had before."""
        ...


class NumberingBranch(Protocol):
    """A flow of control that numbers the steps it calls."""

    prefix: str
    """What their ids begin with."""

    def next_id(self, name: str, digest: str, key: str | None, /) -> str:
        """Return the id that a call made now would have."""
        ...


class OldNames:
    """Chooses the name that the ids of a renamed task's steps are made of.

    A run that has steps under an old name goes on with it, also for new steps: so code from before
    the change still finds them after a rollback.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def label(
        self, branch: NumberingBranch, task: RenamedTask, digest: str, key: str | None
    ) -> str:
        """Return the label for the next call of a task in a branch."""
        ids = {
            label: branch.next_id(label, digest, key) for label in (*task.old_labels, task.label)
        }
        found = [label for label, step_id in ids.items() if step_id in self._step_ids]
        if found:
            return next((each for each in found if self._has_digest(ids[each], digest)), found[0])
        in_branch = self._labels.get(branch.prefix, ())
        if task.label in in_branch:
            return task.label
        used = {label for labels in self._labels.values() for label in labels}
        for known in (in_branch, used):
            old = [label for label in task.old_labels if label in known]
            if old:
                return old[0] if len(old) == 1 else task.label
        return task.label

    def _has_digest(self, step_id: str, digest: str) -> bool:
        text = self._journal.recorded(step_id) or b""
        text = text if isinstance(text, str) else text.decode(errors="replace")
        return bool(digest) and f'"digest":"{digest}"' in text

    @cached_property
    def _step_ids(self) -> set[str]:
        """The ids of all steps of which an earlier attempt has left a trace."""
        return {each for step_id in self._traces() for each in ancestry(step_id)}

    @cached_property
    def _labels(self) -> dict[str, set[str]]:
        """The labels that each branch has called steps by."""
        labels: dict[str, set[str]] = {}
        for step_id in self._step_ids:
            labels.setdefault(branch_of(step_id), set()).add(step_label(step_id))
        return labels

    def _traces(self) -> Iterator[str]:
        for field in self._journal.fields():
            if is_step(field):
                yield field
            elif field[:1] == QUESTION:
                yield _asked_by(self._journal.recorded(field) or "{}")
            elif field[:1] in (ARGUMENTS, TIMER, "@"):
                step_id = field[1:].partition("#")[0]
                if is_step(step_id):
                    yield step_id


def _asked_by(text: str | bytes) -> str:
    """Return the id of the step that asks a question, "" for the body."""
    asked: dict[str, str] = json.loads(text)
    return asked.get("branch") or asked.get("step", "")
