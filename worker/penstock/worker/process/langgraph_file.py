"""A `langgraph.json`: the graphs of an app by name, and what they need."""

from __future__ import annotations

__all__ = ["LangGraphFile"]

import importlib.metadata
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from penstock.runtime.errors import ConfigurationError

logger = logging.getLogger(__name__)

_READ: Final = {"graphs", "env", "dependencies", "checkpointer", "store", "$schema"}

_TYPES: Final = "allowed_msgpack_modules"

_OF_STORE: Final = ("index", "ttl")

_OF_TTL: Final = ("strategy", "default_ttl", "sweep_interval_minutes")
"""What is known of the time that threads are kept. Redis deletes what is over, without sweeps."""

_DELETE: Final = "delete"


class LangGraphFile:
    """What such a file says; paths in it are from its own folder."""

    def __init__(self, path: str) -> None:
        """Read a file.

        Raises:
            ConfigurationError: it is not there, no JSON object, or names no graphs.
        """
        self._path = Path(path)
        try:
            tree: Any = json.loads(self._path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(f"there is no file {path!r} in {Path.cwd()}.") from error
        except ValueError as error:
            raise ConfigurationError(f"{path} is no JSON: {error}.") from error
        self._tree = self._object(tree, "it")
        if not self._object(self._tree.get("graphs"), "`graphs`"):
            raise ConfigurationError(f"{path} names no graphs.")
        if more := [*sorted(self._tree.keys() - _READ), *self._unread()]:
            logger.warning("%s: a worker does not look at %s", path, ", ".join(more))

    def _unread(self) -> list[str]:
        """Return the fields of its checkpointer and its store that nobody looks at."""
        known = ("serde", "ttl")
        unread = [
            f"checkpointer.{name}" for name in self._part("checkpointer") if name not in known
        ]
        unread += [f"checkpointer.ttl.{name}" for name in self._ttl() if name not in _OF_TTL]
        if self._ttl().get("strategy", _DELETE) != _DELETE:
            unread.append(f"checkpointer.ttl, as its strategy is not {_DELETE!r}")
        unread += [f"checkpointer.serde.{name}" for name in self._serde() if name != _TYPES]
        return unread + [f"store.{name}" for name in self._part("store") if name not in _OF_STORE]

    def _serde(self) -> Mapping[str, Any]:
        return self._object(self._part("checkpointer").get("serde") or {}, "`checkpointer.serde`")

    def _ttl(self) -> Mapping[str, Any]:
        return self._object(self._part("checkpointer").get("ttl") or {}, "`checkpointer.ttl`")

    def _kept(self) -> float | None:
        """Return the seconds that threads are kept, None for as long as the settings say."""
        ttl = self._ttl()
        minutes: Any = ttl.get("default_ttl")
        if minutes is None or ttl.get("strategy", _DELETE) != _DELETE:
            return None
        if isinstance(minutes, bool) or not isinstance(minutes, int | float) or minutes <= 0:
            raise ConfigurationError(
                f"{self._path}: `checkpointer.ttl.default_ttl` is a number of minutes greater than "
                f"0, not {minutes!r}."
            )
        return 60.0 * minutes

    def _part(self, name: str) -> Mapping[str, Any]:
        return self._object(self._tree.get(name) or {}, f"`{name}`")

    @property
    def graphs(self) -> Mapping[str, str]:
        """Sources of graphs, by their names."""
        found: dict[str, str] = {}
        for name, given in self._object(self._tree["graphs"], "`graphs`").items():
            tree: Any = given
            source: Any = tree.get("path") if isinstance(given, dict) else given
            if not isinstance(source, str) or ":" not in source:
                raise ConfigurationError(
                    f"{self._path}: graph {name!r} is given as ./file.py:object, not {given!r}."
                )
            file, _, variable = source.rpartition(":")
            is_file = file.endswith(".py")
            found[name] = f"{self._path.parent / file if is_file else file}:{variable}"
        return found

    def options(self, load: Callable[[str], Any]) -> Mapping[str, Any]:
        """Return what its graphs are hosted with: types, a store's options, how long threads stay.

        An embed function is given as ./file.py:object, and loaded by `load`.

        Raises:
            ConfigurationError: the types are no list of pairs, or threads are not kept for a number
                of minutes.
        """
        given: Any = self._serde().get(_TYPES)
        if given is not None and given is not True and not _are_pairs(given):
            raise ConfigurationError(
                f"{self._path}: `checkpointer.serde.{_TYPES}` is true, or a list of "
                f'["module", "Class"], not {given!r}.'
            )
        types: Any = "any" if given is True else [tuple(each) for each in given or ()]
        store = {name: value for name, value in self._part("store").items() if name in _OF_STORE}
        index = self._object(store.get("index") or {}, "`store.index`")
        embed: Any = index.get("embed")
        if isinstance(embed, str) and ".py:" in embed:
            store["index"] = {**index, "embed": load(str(self._path.parent / embed))}
        return {"types": types, "store": store, "kept": self._kept()}

    def prepare(self) -> None:
        """Set its environment where nothing is set yet, and look whether its packages are there.

        Raises:
            ConfigurationError: one of them, or its file of the environment, is not.
        """
        for name, value in self._environment().items():
            os.environ.setdefault(name, value)
        for given in self._tree.get("dependencies", ()):
            self._require(str(given))

    def _environment(self) -> Mapping[str, str]:
        given = self._tree.get("env", {})
        if not isinstance(given, str):
            return {name: str(value) for name, value in self._object(given, "`env`").items()}
        path = self._path.parent / given
        if not path.is_file():
            raise ConfigurationError(f"{self._path}: there is no file {str(path)!r} for `env`.")
        lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
        pairs = (line.removeprefix("export ").partition("=") for line in lines if "=" in line)
        return {
            name.strip(): value.strip().strip("\"'")
            for name, _, value in pairs
            if not name.startswith("#")
        }

    def _require(self, dependency: str) -> None:
        if dependency.startswith((".", "/")):
            folder = (self._path.parent / dependency).resolve()
            if not folder.is_dir():
                raise ConfigurationError(f"{self._path}: there is no folder {str(folder)!r}.")
            for each in (folder, folder / "src"):
                if each.is_dir() and str(each) not in sys.path:
                    sys.path.insert(0, str(each))
            return
        name = re.split(r"[\s<>=!~;\[]", dependency, maxsplit=1)[0]
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError as error:
            raise ConfigurationError(
                f"{self._path} needs {dependency!r}, which is not installed: "
                f"pip install '{dependency}'"
            ) from error

    def _object(self, value: object, what: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise ConfigurationError(f"{self._path}: {what} is to be a JSON object.")
        return cast("Mapping[str, Any]", value)


def _are_pairs(given: object) -> bool:
    if not isinstance(given, list):
        return False
    found = cast("Sequence[Any]", given)
    return all(type(each) is list and len(each) == len(("module", "name")) for each in found)
