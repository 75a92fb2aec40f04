"""Versions of code, as runs keep them."""

from __future__ import annotations

__all__ = ["checked_version"]

import re
from typing import Final

from penstock.runtime.errors import ConfigurationError

_VERSION: Final = re.compile(r"[\w.+-]{0,64}", re.ASCII)


def checked_version(version: object) -> str:
    """Return a version, "" for none.

    Raises:
        ConfigurationError: it has other characters than letters, digits and `._+-`, or too many.
    """
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise ConfigurationError(
            f"version {version!r} is none: it has up to 64 letters, digits and ._+- signs."
        )
    return version
