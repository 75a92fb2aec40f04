"""How a step ended: with a value, or with an error."""

from __future__ import annotations

__all__ = ["Outcome", "encode_outcome"]

from typing import Any, NamedTuple

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.failure import dump_error
from penstock.runtime.types.final import Final


class Outcome(NamedTuple):
    """A step's value or error, and the digest of the arguments it was called with.

    `save` is the saved value of a nested entrypoint that keeps a state, if it is not `value`; `at`
    is the stamp at which the caller learned of the outcome, "" if nothing else was open; `cancels`
    is how often the caller had asked to cancel the step, which ended in spite of it.
    """

    value: Any = None
    error: BaseException | None = None
    digest: str = ""
    save: Final[Any, Any] | None = None
    at: str = ""
    cancels: int = 0

    @property
    def saved(self) -> Any:
        """What was saved: the value, if nothing else was."""
        return self.value if self.save is None else self.save.save

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
    save = ""
    if outcome.save is not None:
        save = f',"save":{codec.dumps(outcome.save.save, what)}'
    return f'{{"value":{codec.dumps(outcome.value, what)}{save}{digest}}}'
