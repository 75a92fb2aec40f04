"""How a step ended: with a value, or with an error."""

from __future__ import annotations

__all__ = ["Outcome", "encode_outcome"]

from dataclasses import dataclass
from typing import Any

from penstock.publisher.codec import Codec
from penstock.publisher.failure import dump_error


@dataclass(frozen=True, slots=True)
class Outcome:
    """A step's value or error, and the digest of the arguments it was called with."""

    value: Any = None
    error: BaseException | None = None
    digest: str = ""

    def get(self) -> Any:
        """Return the value or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value


def encode_outcome(outcome: Outcome, codec: Codec, name: str, what: str) -> str:
    """Write an outcome as the JSON object that the checkpoints hash keeps under a name.

    Raises:
        CodecError: the value cannot be written; names `what`.
    """
    digest = f',"digest":"{outcome.digest}"' if outcome.digest else ""
    codec = codec.at("outcome", name)
    if outcome.error is not None:
        return f'{{"error":{codec.dumps(dump_error(outcome.error, codec), what)}{digest}}}'
    return f'{{"value":{codec.dumps(outcome.value, what)}{digest}}}'
