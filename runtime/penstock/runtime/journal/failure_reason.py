"""Why a run failed, as a line in its record: the class and the message of the error."""

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
    message = dump_error(error, codec)["message"][: SHOWN - len(name) - 2]
    message = message.encode(errors="backslashreplace").decode()  # names of files may be no text
    if codec.plain is codec:
        return f"{name}: {message}"
    return f"{name}: {codec.at('reason').dumps(message)}"


def read_reason(reason: str, codec: Codec) -> str:
    """Read why a run failed; without the encryption key only the error's class."""
    sealed = _SEALED.fullmatch(reason)
    if sealed is None:
        return reason
    name, text, key_id = sealed.groups()
    try:
        return f"{name}: {codec.at('reason').loads(text)}"
    except EncryptionError:
        return f"{name} (its message is encrypted under key {key_id!r}, which is not set here)"
