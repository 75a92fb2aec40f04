"""Where settings are set, and how their values are read."""

from __future__ import annotations

__all__ = ["Kind", "chosen", "environment", "project"]

import dataclasses
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from penstock.runtime.errors import ConfigurationError

_SWITCH: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}

_SECRET: Final = frozenset({"encryption_keys", "webhook_secret"})
"""Settings that are not read from files."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of settings: the defaults of its fields, and which of them are greater than 0."""

    defaults: Mapping[str, Any]
    positive: frozenset[str]

    @classmethod
    def of(cls, settings: type[Any], positive: Iterable[str]) -> Kind:
        """Describe a dataclass whose fields all have defaults."""
        fields = dataclasses.fields(settings)
        return cls({field.name: field.default for field in fields}, frozenset(positive))


def chosen(kind: Kind, sources: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return what sources set, each with its name; a later one wins.

    Raises:
        ConfigurationError: a setting has a value that cannot be read, or is not known.
    """
    found: dict[str, Any] = {}
    for source, values in sources:
        for name, value in values.items():
            if name not in kind.defaults:
                known = ", ".join(kind.defaults)
                raise ConfigurationError(
                    f"{source} sets {name!r}, which is no setting; there are {known}."
                )
            found[name] = _read(kind, name, value, source)
    return found


def environment(environ: Mapping[str, str], variables: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return what variables set, of pairs of a variable and a setting; the first of two wins.

    One that is empty is not set.
    """
    found: dict[str, str] = {}
    for variable, name in variables:
        if value := environ.get(variable):
            found.setdefault(name, value)
    return found


def project(folder: Path) -> dict[str, Any]:
    """Return the table [tool.penstock] of the nearest pyproject.toml, of a folder or above it.

    Raises:
        ConfigurationError: the file cannot be read, or holds secrets.
    """
    for candidate in (folder, *folder.parents):
        path = candidate / "pyproject.toml"
        if path.is_file():
            try:
                tree = tomllib.loads(path.read_text(encoding="utf-8"))
            except tomllib.TOMLDecodeError as error:
                raise ConfigurationError(f"{path} cannot be read: {error}") from error
            table: dict[str, Any] = tree.get("tool", {}).get("penstock", {})
            for secret in _SECRET & table.keys():
                raise ConfigurationError(
                    f"{path} holds {secret}, and files are read by many: take it out, replace it, "
                    f"and set PENSTOCK_{secret.upper()}."
                )
            return table
    return {}


def _read(kind: Kind, name: str, value: Any, source: str) -> Any:
    default = kind.defaults[name]
    try:
        if isinstance(default, tuple):
            return tuple(value.split(",")) if isinstance(value, str) else tuple(value)
        if isinstance(default, bool):
            return _switch(value)
        if isinstance(default, (int, float)) and not isinstance(value, bool):
            return _checked(type(default)(value), name in kind.positive)
        return str(value)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{source} sets {name} to {value!r}: {error}") from error


def _switch(value: Any) -> bool:
    found = _SWITCH.get(str(value).lower())
    if found is None:
        raise ValueError("it must be true or false")
    return found


def _checked(number: float, is_positive: bool) -> float:
    if is_positive and not number > 0:
        raise ValueError("it must be greater than 0")
    if not 0 <= number < math.inf:
        raise ValueError("it must be a number from 0 on")
    return number
