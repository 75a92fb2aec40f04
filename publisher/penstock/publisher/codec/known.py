"""Known: classes of other packages whose values may be stored without being announced.

They are the messages, documents and results of `langchain-core`. That package is imported only
to read a stored value of one of them.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import suppress

__all__ = ["is_known", "known_bases", "load_known"]

_BASES = (
    ("langchain_core.messages.base", "BaseMessage"),
    ("langchain_core.documents.base", "BaseMedia"),
    ("langchain_core.outputs.generation", "Generation"),
    ("langchain_core.prompt_values", "PromptValue"),
)
_MODULE = re.compile(r"langchain_core\.(messages|documents|outputs|prompt_values|agents)(\.\w+)*")


def is_known(cls: type) -> bool:
    """Whether a class is one of them, or derives from one."""
    return any(_MODULE.fullmatch(base.__module__) for base in cls.__mro__)


def known_bases() -> Iterator[type]:
    """Yield the base classes among them that are loaded."""
    for module, name in _BASES:
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type):
            yield found


def load_known(name: str) -> type | None:
    """Return the one of them that has this name, None if there is none.

    Nothing else is imported, whatever the name says.
    """
    module, _, qualname = name.rpartition(".")
    if not _MODULE.fullmatch(module):
        return None
    with suppress(ImportError):
        found = getattr(importlib.import_module(module), qualname, None)
        if isinstance(found, type) and found.__module__ == module:
            return found
    return None
