"""Loading the modules that define what a worker can execute."""

from __future__ import annotations

__all__ = ["load_app"]

import importlib
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, TypeAlias

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.executor.app import AnyExecutable, App
from penstock.runtime.executor.hosted import Hosted
from penstock.runtime.func.task import Task
from penstock.runtime.workflow.entrypoint import Entrypoint
from penstock.worker.process.app_source import parts_of
from penstock.worker.process.graphs import hosted_graphs, is_graph, makes_graphs
from penstock.worker.process.langgraph_file import LangGraphFile

Found: TypeAlias = tuple[str, str, Any, str, Mapping[str, Any]]
"""A source, a variable in it, what it holds, and the name and options that a langgraph.json has."""


def load_app(sources: Sequence[str]) -> App:
    """Import files (`flows.py`) or modules (`shop.flows`), for what they have at their top level.

    That is entrypoints, LangGraph graphs, and those tasks that have a queue of their own; of
    `agent.py:graph` that object alone, which may also make a graph, and of a `langgraph.json` the
    graphs that it names. A file is imported under the name that its own package, or a
    script beside it, would use, so that its types have the same names in every process.

    Raises:
        ConfigurationError: there is nothing to import, it cannot be imported, it defines neither,
            or two of them share a name.
    """
    if not sources:
        raise ConfigurationError(
            "no app given: name the file or module that defines the entrypoints, as in "
            "`penstock worker flows.py`, or set PENSTOCK_APP or [tool.penstock] app."
        )
    entrypoints: dict[str, AnyExecutable] = {}
    tasks: dict[str, Task[..., Any]] = {}
    found = [each for source in sources for each in _found(source)]
    for _, _, value, *_ in found:
        if isinstance(value, Entrypoint):
            _add(entrypoints, value, "entrypoint")
        elif isinstance(value, Task) and value.queue:
            _add(tasks, value, "task")
    _add_graphs(entrypoints, [each for each in found if _is_hosted(each)])
    if not entrypoints and not tasks:
        raise ConfigurationError(
            f"{', '.join(sources)} defines no entrypoint; decorate a function with @entrypoint()."
        )
    return App(entrypoints, tasks)


def _is_hosted(found: Found) -> bool:
    """Tell whether something is a graph; what is named by itself may make one."""
    source, _, value, key, _ = found
    if isinstance(value, Entrypoint | Task):
        return False
    is_named = bool(key or parts_of(source)[1])
    return isinstance(value, Hosted) or is_graph(value) or (is_named and makes_graphs(value))


def _add_graphs(entrypoints: dict[str, AnyExecutable], graphs: Sequence[Found]) -> None:
    for graph in hosted_graphs(graphs) if graphs else ():
        if entrypoints.setdefault(graph.name, graph) is not graph:
            raise ConfigurationError(
                f"two entrypoints are named {graph.name!r}, and one is a graph: give it another "
                "name, as with penstock.langgraph.host(graph, name=...)."
            )


def _found(
    source: str, key: str = "", options: Mapping[str, Any] = MappingProxyType({})
) -> Iterable[Found]:
    """Return what a source has at its top level, by name, or the one object that it names."""
    if source.endswith(".json"):
        file = LangGraphFile(source)
        file.prepare()
        options = file.options(_object)
        return [each for key, graph in file.graphs.items() for each in _found(graph, key, options)]
    name, path = parts_of(source)
    if not path:
        return [
            (source, variable, value, "", {}) for variable, value in vars(_import(name)).items()
        ]
    value = _object(source)
    found = (source, path.rpartition(".")[2], value, key, options)
    if not (isinstance(value, Entrypoint | Task) or _is_hosted(found)):
        raise ConfigurationError(
            f"{source} is no entrypoint and no LangGraph graph, but {type(value).__name__}: name "
            "an object that is decorated with @entrypoint(), a graph as compile() makes it, a "
            "StateGraph, or a function that makes one."
        )
    return [found]


def _object(source: str) -> Any:
    """Return the object that a source names, as `agent.py:graph` does."""
    name, path = parts_of(source)
    value: Any = _import(name)
    for part in path.split("."):
        try:
            value = getattr(value, part)
        except AttributeError as error:
            raise ConfigurationError(f"{name} has nothing called {path!r}.") from error
    return value


def _add(found: dict[str, Any], value: Any, kind: str) -> None:
    if found.setdefault(value.name, value) is not value:
        raise ConfigurationError(
            f'two {kind}s are named {value.name!r}; give one another name: @{kind}(name="...").'
        )


def _import(source: str) -> ModuleType:
    name = _module_of(Path(source)) if source.endswith(".py") else source
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigurationError(
                f"no module named {name!r} can be imported from {Path.cwd()}; "
                "give a path to a file, or a module that is installed or below this folder."
            ) from error
        raise _broken(source, error) from error
    except Exception as error:
        raise _broken(source, error) from error


def _module_of(path: Path) -> str:
    if not path.is_file():
        raise ConfigurationError(f"there is no file {str(path)!r} in {Path.cwd()}.")
    path = path.resolve()
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    if parts[-1] == "__init__":
        parts.pop()
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return ".".join(parts)


def _broken(source: str, error: Exception) -> ConfigurationError:
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else source
    if isinstance(error, SyntaxError):
        where = f"{error.filename}, line {error.lineno}"
    return ConfigurationError(
        f"{source} cannot be imported: {type(error).__name__}: {error} ({where})"
    )
