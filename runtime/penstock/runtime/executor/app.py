"""The entrypoints and tasks that a process can execute."""

from __future__ import annotations

__all__ = ["AnyExecutable", "App"]

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from penstock.runtime.errors import ConfigurationError, UnknownEntrypointError, UnknownTaskError
from penstock.runtime.executor.hosted import Hosted
from penstock.runtime.func.task import Task
from penstock.runtime.types.code_name import of_entrypoint, of_pinned, of_task
from penstock.runtime.workflow.entrypoint import AnyEntrypoint

AnyExecutable: TypeAlias = "AnyEntrypoint | Hosted"
"""What runs are of."""


@dataclass(frozen=True, slots=True)
class App:
    """Entrypoints, and tasks that have a queue of their own, by name."""

    entrypoints: Mapping[str, AnyExecutable]
    tasks: Mapping[str, Task[..., Any]] = field(default_factory=dict[str, "Task[..., Any]"])
    version: str = ""
    """The version of the entrypoints that declare none; "" for none."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its code, as workers announce them and tickets need them.

        Those that tasks had before are among them: steps may be under way that need them.
        """
        tasks = {*self.tasks, *(old for task in self.tasks.values() for old in task.was)}
        pins = [of_pinned(name, told[0]) for name, told in self._versions.items() if told[1:]]
        return tuple(sorted((*map(of_entrypoint, self.entrypoints), *map(of_task, tasks), *pins)))

    @property
    def token(self) -> str:
        """What claims say of it: its digest, and the versions of its entrypoints, if it has any."""
        versions = self._versions
        return f"{self.digest} {json.dumps(versions)}" if versions else self.digest

    @property
    def _versions(self) -> dict[str, list[str]]:
        """The version of each entrypoint that has its own, and "1" after it if runs are pinned."""
        found = {"": [self.version]} if self.version else {}
        for name, each in self.entrypoints.items():
            if isinstance(each, Hosted):
                continue
            version = each.declared.version or self.version
            if each.declared.pin:
                if not version:
                    raise ConfigurationError(
                        f"entrypoint {name!r} pins its runs, and has no version: set "
                        "PENSTOCK_VERSION, or declare it with version=."
                    )
                found[name] = [version, "1"]
            elif version != self.version:
                found[name] = [version]
        return found

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
