"""What is set of all hosted graphs of a project: `[tool.penstock.langgraph]`."""

from __future__ import annotations

__all__ = ["GraphSettings", "load_graph_settings"]

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.langgraph.allow_list import TypeName, Types
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.setting_sources import Kind
from penstock.runtime.table_settings import table_settings


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


def load_graph_settings(
    *, environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> GraphSettings:
    """Return what PENSTOCK_LANGGRAPH_* sets, else [tool.penstock.langgraph] in pyproject.toml.

    Raises:
        ConfigurationError: a setting has a value that cannot be read, or is not known.
    """
    kind = Kind.of(GraphSettings, ())
    return GraphSettings(**table_settings("langgraph", kind, environ=environ, folder=folder))


def _type_name(text: str) -> TypeName:
    module, _, name = text.strip().replace(":", ".").rpartition(".")
    if not module or not name.isidentifier():
        raise ConfigurationError(
            f'types has classes as "module.Class", or is ["any"], and {text!r} is neither.'
        )
    return module, name
