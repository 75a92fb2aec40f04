"""What a process can execute."""

from __future__ import annotations

__all__ = ["AnyExecutable", "App", "said"]

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from penstock.runtime.errors import UnknownEntrypointError, UnknownTaskError
from penstock.runtime.executor.hosted import Hosted
from penstock.runtime.func.task import Task
from penstock.runtime.workflow.entrypoint import AnyEntrypoint

AnyExecutable: TypeAlias = "AnyEntrypoint | Hosted"
"""What runs are of."""


@dataclass(frozen=True, slots=True)
class App:
    """Entrypoints by name, and those tasks that have a queue of their own, by name."""

    entrypoints: Mapping[str, AnyExecutable]
    tasks: Mapping[str, Task[..., Any]] = field(default_factory=dict[str, "Task[..., Any]"])

    @property
    def names(self) -> tuple[str, ...]:
        """What it has, as workers announce it and as tickets ask for it."""
        return tuple(
            sorted(
                [f"e:{name}" for name in self.entrypoints] + [f"t:{name}" for name in self.tasks]
            )
        )

    @property
    def digest(self) -> str:
        """What stands for all its names."""
        names = "\0".join(self.names).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(names, digest_size=8).hexdigest()

    def entrypoint(self, name: str) -> AnyExecutable:
        """Return an entrypoint.

        Raises:
            UnknownEntrypointError: there is none of this name here.
        """
        if name not in self.entrypoints:
            raise UnknownEntrypointError(name, self.entrypoints)
        return self.entrypoints[name]

    def task(self, name: str) -> Task[..., Any]:
        """Return a task with a queue of its own.

        Raises:
            UnknownTaskError: there is none of this name here.
        """
        if name not in self.tasks:
            raise UnknownTaskError(name, self.tasks)
        return self.tasks[name]


def said(name: str) -> str:
    """Say in words what a ticket asks for: one of the names of an app."""
    kind, _, bare = name.partition(":")
    return f"{'task' if kind == 't' else 'entrypoint'} {bare!r}"
