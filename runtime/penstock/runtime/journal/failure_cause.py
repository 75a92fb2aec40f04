"""What failures with the same cause have in common: a short digest, for logs and groups."""

from __future__ import annotations

__all__ = ["cause_of"]

import functools
import hashlib
import sysconfig
import traceback
from pathlib import Path
from typing import cast

_ROOM = str(Path(__file__).parents[1])


def cause_of(entrypoint: str, error: BaseException) -> str:
    """Return the digest of an entrypoint, the error's class and the app's innermost function.

    It does not depend on messages, arguments or line numbers. Of a group of errors, the first one
    counts.
    """
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    text = "\0".join((entrypoint, name, _innermost(error)))
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=6).hexdigest()


def _innermost(error: BaseException) -> str:
    found = ""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if not frame.f_code.co_filename.startswith(_libraries()):
            found = f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_qualname}"
    return found


@functools.cache
def _libraries() -> tuple[str, ...]:
    """Return where code is that is not the app's: the standard library, packages, Penstock."""
    paths = sysconfig.get_paths()
    return (*(paths[name] for name in ("stdlib", "purelib", "platlib")), _ROOM, "<frozen ")
