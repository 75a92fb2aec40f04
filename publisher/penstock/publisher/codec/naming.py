"""Naming: the names of classes in stored text, the same in every process."""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Union, get_args, get_origin

__all__ = ["loaded_class", "loaded_objects", "module_name", "name_of", "plain_text"]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_MAIN = re.compile(r"\b__main__\.")


PINNED: Final = "__stored_name__"
"""The attribute of a class that may move between files: its name in stored text."""


def name_of(cls: type) -> str:
    """Return a class's name in stored text: module and qualified name.

    The script that Python was started with goes by its file name, so that a value made by
    `python flows.py` is known to a worker that has loaded `flows`.
    """
    pinned: Any = cls.__dict__.get(PINNED)
    if pinned is not None:
        return str(pinned)
    metadata: Any = cls.__dict__.get("__pydantic_generic_metadata__")
    if metadata and metadata["origin"]:
        arguments = ",".join(map(_argument, metadata["args"]))
        return f"{name_of(metadata['origin'])}[{arguments}]"
    return f"{module_name(cls.__module__)}.{cls.__qualname__}"


def module_name(name: str) -> str:
    """Return the name of a module in stored text."""
    return _main_module() if name == "__main__" else name


def loaded_class(name: str) -> type | None:
    """Return the class that a loaded module has under its own name; nothing is imported for it."""
    for found in loaded_objects(name):
        if isinstance(found, type) and name_of(found) == name:
            return found
    return None


def loaded_objects(name: str) -> Iterator[Any]:
    """Give what loaded modules have under a name, which may be read as that of several."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:end])
        for loaded in (module, *(["__main__"] if module == _main_module() else [])):
            found: Any = sys.modules.get(loaded)
            for part in parts[end:]:
                found = inspect.getattr_static(found, part, None)
            if found is not None:
                yield found


def plain_text(value: object) -> str:
    """Return the repr of a value without the parts that differ between processes."""
    try:
        text = _ADDRESS.sub("", repr(value))
    except Exception:  # of the value's own __repr__
        text = f"<{type(value).__qualname__}>"
    return _MAIN.sub(lambda _: f"{_main_module()}.", text) if "__main__" in text else text


def _argument(annotation: Any) -> str:
    return name_of(annotation) if isinstance(annotation, type) else _inner(annotation)


def _inner(annotation: Any) -> str:
    """Return what an annotation is written like, with the names of classes as stored text has."""
    shape: object = annotation
    if isinstance(shape, list):  # the arguments of Callable[[...], ...]
        return f"[{', '.join(map(_inner, annotation))}]"
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Union or origin is types.UnionType:  # which are equal, however written
        return " | ".join(map(_inner, args))
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is ...:
        return "..."
    if isinstance(annotation, type) and origin is None:
        return name_of(annotation).removeprefix("builtins.")
    text = plain_text(annotation)
    if not args or text.startswith("typing.Literal"):
        return text
    return f"{text.partition('[')[0]}[{', '.join(map(_inner, args))}]"


def _main_module() -> str:
    main = sys.modules["__main__"]
    if main.__spec__ is not None:
        return main.__spec__.name
    file = getattr(main, "__file__", None)
    return Path(file).stem if file else "__main__"
