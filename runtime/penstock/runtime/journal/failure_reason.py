"""Why a run failed, in a line that its record keeps: the error's class, and what it said."""

from __future__ import annotations

__all__ = ["read_reason", "reason_of"]

import re
from typing import Final

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.failure import dump_error
from penstock.publisher.codec.tree_reader import SEALED
from penstock.publisher.errors import EncryptionError

SHOWN: Final = 500
"""Characters of a reason."""

_SEALED: Final = re.compile(
    r'(\w+): (\{"' + SEALED + r'":"([A-Za-z0-9_.-]+):[A-Za-z0-9+/=]+"\})', re.ASCII
)


def reason_of(error: BaseException, codec: Codec) -> str:
    """Write why a run fails; where values are encrypted, all but the error's class is, too."""
    name = type(error).__name__
    said = dump_error(error, codec)["message"][: SHOWN - len(name) - 2]
    said = said.encode(errors="backslashreplace").decode()  # names of files may be no text
    if codec.plain is codec:
        return f"{name}: {said}"
    return f"{name}: {codec.at('reason').dumps(said)}"


def read_reason(reason: str, codec: Codec) -> str:
    """Read why a run failed; who has no key for it gets the error's class all the same."""
    sealed = _SEALED.fullmatch(reason)
    if sealed is None:
        return reason
    name, text, key_id = sealed.groups()
    try:
        return f"{name}: {codec.at('reason').loads(text)}"
    except EncryptionError:
        return f"{name} (what it said is encrypted under key {key_id!r}, which is not set here)"
