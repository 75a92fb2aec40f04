"""The settings of another room, which stand in a table of their own below [tool.penstock]."""

from __future__ import annotations

__all__ = ["table_settings"]

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.runtime.misspelt import PREFIX, UnknownSettingWarning, misspelt
from penstock.runtime.setting_sources import Kind, chosen, environment, project


def table_settings(
    table: str,
    kind: Kind,
    given: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Return what is set: given, else by PENSTOCK_<TABLE>_*, else in [tool.penstock.<table>].

    Raises:
        ConfigurationError: a setting has a value that cannot be read, or is not known.
    """
    environ, prefix = os.environ if environ is None else environ, f"{PREFIX}{table.upper()}_"
    variables = [(f"{prefix}{name.upper()}", name) for name in kind.defaults]
    for said in misspelt(environ, (variable for variable, _ in variables), prefix):
        warnings.warn(said, UnknownSettingWarning, stacklevel=3)
    sources: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("pyproject.toml", project(folder or Path.cwd()).get(table, {})),
        ("the environment", environment(environ, variables)),
        ("arguments", {name: value for name, value in (given or {}).items() if value is not None}),
    )
    return chosen(kind, sources)
