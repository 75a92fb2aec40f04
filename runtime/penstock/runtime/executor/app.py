"""The entrypoints and tasks that a process can execute."""

from __future__ import annotations

__all__ = ["AnyExecutable", "App"]

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from penstock.runtime.errors import UnknownEntrypointError, UnknownTaskError
from penstock.runtime.executor.hosted import Hosted
from penstock.runtime.func.task import Task
from penstock.runtime.types.code_name import of_entrypoint, of_task
from penstock.runtime.workflow.entrypoint import AnyEntrypoint

AnyExecutable: TypeAlias = "AnyEntrypoint | Hosted"
"""What runs are of."""


@dataclass(frozen=True, slots=True)
class App:
    """Entrypoints, and tasks that have a queue of their own, by name."""

    entrypoints: Mapping[str, AnyExecutable]
    tasks: Mapping[str, Task[..., Any]] = field(default_factory=dict[str, "Task[..., Any]"])

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its code, as workers announce them and tickets need them.

        Those that tasks had before are among them: steps may be under way that need them.
        """
        tasks = {*self.tasks, *(old for task in self.tasks.values() for old in task.was)}
        return tuple(sorted((*map(of_entrypoint, self.entrypoints), *map(of_task, tasks))))

    @property
    def digest(self) -> str:
        """A digest of all its names."""
        names = "\0".join(self.names).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(names, digest_size=8).hexdigest()

    def entrypoint(self, name: str) -> AnyExecutable:
        """Return an entrypoint.

        Raises:
            UnknownEntrypointError: the app has none of this name.
        """
        if name not in self.entrypoints:
            raise UnknownEntrypointError(name, self.entrypoints)
        return self.entrypoints[name]

    def task(self, name: str) -> Task[..., Any]:
        """Return a task with a queue of its own, by its name or by one that it had before.

        Raises:
            UnknownTaskError: the app has none of this name.
        """
        found = self.tasks.get(name)
        if found is None:
            found = next((task for task in self.tasks.values() if name in task.was), None)
        if found is None:
            raise UnknownTaskError(name, self.tasks)
        return found
