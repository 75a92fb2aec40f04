"""Loads the `Auth` that a setting names, as `auth.py:auth` does."""

from __future__ import annotations

__all__ = ["load_auth"]

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.publisher.errors import ConfigurationError


def load_auth(source: str) -> Any:
    """Import a file or a module, and return the object in it that is named.

    Raises:
        ConfigurationError: it cannot be imported, or has no such object.
    """
    place, _, name = source.rpartition(":")
    if not place or not name.isidentifier():
        raise ConfigurationError(f"auth is {source!r}: name a file and an object, as auth.py:auth.")
    try:
        return getattr(_imported(place), name)
    except AttributeError as error:
        if error.name != name:
            raise _broken(source, error) from error
        raise ConfigurationError(f"{place} has nothing called {name!r}.") from error
    except Exception as error:
        raise _broken(source, error) from error


def _imported(place: str) -> ModuleType:
    path = Path(place)
    if place.endswith(".py") and not path.is_file():
        raise FileNotFoundError(f"there is no file {place!r} in {Path.cwd()}")
    folder = path.resolve().parent if place.endswith(".py") else Path.cwd()
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return importlib.import_module(path.stem if place.endswith(".py") else place)


def _broken(source: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"auth {source!r} cannot be imported: {type(error).__name__}: {error}."
    )
