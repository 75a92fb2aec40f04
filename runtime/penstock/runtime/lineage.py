"""The identity of a step: where in the run's lineage it was called."""

from __future__ import annotations

__all__ = ["Branch", "ancestry", "caller", "flow", "is_step", "label", "namespace", "step_name"]

import asyncio
import hashlib
import threading
from asyncio import events
from collections.abc import Hashable
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from penstock.runtime.scope import Scope


def flow() -> Hashable:
    """Return what runs right now: the asyncio task, or the thread where no loop runs."""
    if events._get_running_loop() is None:
        return threading.get_ident()
    return asyncio.current_task()


class Branch:
    """One flow of control inside a step; calls made in it are numbered by name.

    The id of a step is the path of its parent, the branch, its task's name and its number there:
    `load:0/parse:2`, and `load:0/~1/parse:0` in the second asyncio task that `load:0` created.
    Asyncio tasks get their number when they are created, which is the same order in every attempt,
    however their awaits interleave. A call by a flow that could not be numbered (a thread of the
    user's) is told apart by its arguments: `load:0/parse@5f3a9c01d2e4b687:0`. A call with a key
    needs neither: `load:0/parse=page-7`.
    """

    __slots__ = ("counts", "forks", "listed", "owner", "prefix", "reused", "scope")

    def __init__(self, scope: Scope, prefix: str, owner: Hashable = None) -> None:
        self.scope = scope
        self.prefix = prefix
        self.owner = owner
        self.counts: dict[str, int] = {}
        self.forks = 0
        self.listed: dict[Hashable, Branch] = {}
        """The branches of coroutines for which asyncio is about to create its tasks."""
        self.reused: set[str] = set()

    @property
    def path(self) -> str:
        """Where the branch is: its step's id and its own number, as in the ids of its steps."""
        return self.prefix.rstrip("/")

    def fork(self) -> Branch:
        """Open the branch of the next asyncio task created in this one."""
        number, self.forks = self.forks, self.forks + 1
        self.scope.is_forked = True
        return Branch(self.scope, f"{self.prefix}~{number}/")

    def identify(self, name: str, digest: str, key: str | None) -> str:
        """Give the id of the call made now."""
        if key is not None:
            label = f"{name}={quote(key, safe='', errors='surrogatepass')}"
            count = self._count(label)
            return f"{self.prefix}{label}" if count == 0 else f"{self.prefix}{label}:{count}"
        label = name if flow() == self.owner else f"{name}@{digest}"
        return f"{self.prefix}{label}:{self._count(label)}"

    def number(self, kind: str, value: object) -> tuple[str, int]:
        """Number a question or a sleep of this branch; returns where it is, and its number there.

        Those of threads that have no number themselves are told apart by their value.
        """
        path = self.path
        if flow() != self.owner:
            path = f"{path}@{hashlib.blake2b(repr(value).encode(), digest_size=6).hexdigest()}"
        return path, self._count(f"{kind}{path}")

    def _count(self, label: str) -> int:
        with self.scope.attempt.lock:
            number = self.counts.get(label, 0)
            self.counts[label] = number + 1
        return number


def namespace(step_id: str) -> tuple[str, ...]:
    """Split a step's id into its path: steps, and the branches between them."""
    return tuple(step_id.split("/")) if step_id else ()


def caller(step_id: str) -> tuple[str, ...]:
    """Return the path of the step that made a call, () where the entrypoint's body did."""
    path = namespace(step_id)[:-1]
    while path and path[-1][0] == "~":
        path = path[:-1]
    return path


def ancestry(step_id: str) -> list[str]:
    """Return the ids of the steps that a step was called in, the outermost first, itself last."""
    path = namespace(step_id)
    return ["/".join(path[: n + 1]) for n, part in enumerate(path) if part[0] != "~"]


def label(name: str) -> str:
    """Return a task's name as it stands in step ids, the signs of their grammar escaped."""
    return quote(name, safe=" <>()[]{}.,;!?'\"&*+$#|") if set(name) & set("/:=@~^%") else name


def is_step(checkpoint: str) -> bool:
    """Tell whether a checkpoint is named by a step's id alone, not one of what belongs to it."""
    return checkpoint[:1] not in "!?:>@" and (":" in checkpoint or "=" in checkpoint)


def step_name(step_id: str) -> str:
    """Return the name of the task that a step's id was made from."""
    last = step_id.rpartition("/")[2].lstrip("^")
    for sign in ":=@":
        last = last.partition(sign)[0]
    return unquote(last)
