"""Loads the `Auth` that a setting names, as `auth.py:auth` does."""

from __future__ import annotations

__all__ = ["load_auth"]

import hashlib
import importlib.util
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
    return _of_file(path.resolve()) if place.endswith(".py") else importlib.import_module(place)


def _of_file(path: Path) -> ModuleType:
    """Import a file under a name that no other module has, whatever the file is called."""
    name = f"penstock_auth_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it is executed: its dataclasses look it up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _broken(source: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"auth {source!r} cannot be imported: {type(error).__name__}: {error}."
    )
