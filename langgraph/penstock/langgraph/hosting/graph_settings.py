"""What is set of all hosted graphs of a project: `[tool.penstock.langgraph]`."""

from __future__ import annotations

__all__ = ["GraphSettings", "load_graph_settings"]

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.langgraph.allow_list import TypeName, Types
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.misspelt import UnknownSettingWarning, misspelt
from penstock.runtime.setting_sources import Kind, chosen, environment, project

PREFIX: Final = "PENSTOCK_LANGGRAPH_"


@dataclass(frozen=True, slots=True)
class GraphSettings:
    """Settings of the graphs of an app, for those that say nothing else themselves."""

    types: tuple[str, ...] = ()
    """Classes that their state may hold, each as `module.Class`; `any` for all."""
    modes: tuple[str, ...] = ()
    """The stream modes that are stored as events; without one, those that `host` names."""

    def allowed(self) -> Types:
        """Return the types as `host` takes them.

        Raises:
            ConfigurationError: one is no name of a class in a module.
        """
        return "any" if self.types == ("any",) else [_type_name(name) for name in self.types]


_VARIABLES: Final = tuple(
    (f"{PREFIX}{name.upper()}", name) for name in GraphSettings.__dataclass_fields__
)


def load_graph_settings(
    *, environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> GraphSettings:
    """Return what PENSTOCK_LANGGRAPH_* sets, else [tool.penstock.langgraph] in pyproject.toml.

    Raises:
        ConfigurationError: a setting has a value that cannot be read, or is not known.
    """
    environ = os.environ if environ is None else environ
    for said in misspelt(environ, (variable for variable, _ in _VARIABLES), PREFIX):
        warnings.warn(said, UnknownSettingWarning, stacklevel=2)
    sources: Sequence[tuple[str, Mapping[str, object]]] = (
        ("pyproject.toml", project(folder or Path.cwd()).get("langgraph", {})),
        ("the environment", environment(environ, _VARIABLES)),
    )
    return GraphSettings(**chosen(Kind.of(GraphSettings, ()), sources))


def _type_name(text: str) -> TypeName:
    module, _, name = text.strip().replace(":", ".").rpartition(".")
    if not module or not name.isidentifier():
        raise ConfigurationError(
            f'types has classes as "module.Class", or is ["any"], and {text!r} is neither.'
        )
    return module, name
