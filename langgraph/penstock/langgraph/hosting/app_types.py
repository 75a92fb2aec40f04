"""The data classes of an app, which the state of its graphs may hold without being named."""

from __future__ import annotations

__all__ = ["app_types"]

import dataclasses
import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from pydantic import BaseModel

from penstock.langgraph.allow_list import TypeName

_INSTALLED: Final = ("site-packages", "dist-packages")
_PYTHON: Final = (Path(sys.prefix), Path(sys.base_prefix))
"""Folders of what is no code of the app, though they may be below it."""


def app_types(sources: Iterable[str]) -> frozenset[TypeName]:
    """Return the data classes of the modules that lie where the sources of an app lie.

    A source is a file or a module, which is imported. Of packages all is meant that lies beside the
    outermost one. Data classes are dataclasses, models of pydantic, enums and named tuples that
    are found in their module by their name: to read one makes an object from its fields, and runs
    no code but that of the app.
    """
    folders = {folder for source in sources if (folder := _folder(source)) is not None}
    return frozenset(
        (module.__name__, name)
        for module in list(sys.modules.values())
        if _is_below(module, folders)
        for name in _data_classes(module)
    )


def _folder(source: str) -> Path | None:
    """Return the folder in which the outermost package of a source lies."""
    path = Path(source) if source.endswith(".py") else _file(sys.modules.get(source))
    if path is None:
        return None
    folder = path.resolve().parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _is_below(module: ModuleType, folders: set[Path]) -> bool:
    file = _file(module)
    if file is None:
        return False
    for folder in file.resolve().parents:
        if folder in folders:
            return True
        if folder.name in _INSTALLED or folder in _PYTHON:
            return False
    return False


def _file(module: ModuleType | None) -> Path | None:
    file: Any = getattr(module, "__file__", None)
    return Path(file) if isinstance(file, str) else None


def _data_classes(module: ModuleType) -> Iterator[str]:
    for name, value in list(vars(module).items()):
        if isinstance(value, type) and value.__module__ == module.__name__ and _is_data(value):
            yield name


def _is_data(given: type) -> bool:
    is_named_tuple = tuple in given.__mro__ and "_fields" in vars(given)
    return (
        is_named_tuple
        or dataclasses.is_dataclass(given)
        or any(each in given.__mro__ for each in (BaseModel, Enum))
    )
