"""The position of a run in the history of its thread, and its form in events."""

from __future__ import annotations

__all__ = ["Position", "chunk"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.publisher.codec.codec import Codec
from penstock.runtime.journal.thread_values import Kept
from penstock.runtime.types.state import checkpoint_config


@dataclass(frozen=True, slots=True)
class Position:
    """The checkpoint of a run's input; the one of its result is the next of the thread.

    Values are encoded text: the metadata of the run, the thread's values when it began, and
    its questions so far.
    """

    number: int
    step: int
    metadata: str = ""
    values: str = "null"
    asked: Sequence[str] = ()

    @classmethod
    def of(
        cls, fields: Mapping[str, str], checkpoints: Mapping[str, bytes], kept: Kept, values: str
    ) -> Position | None:
        """Read the position of a claimed run from its hash; `values` are its thread's.

        None for a run that was enqueued by a Penstock without checkpoints.
        """
        if "checkpoint" not in fields:
            return None
        asked = (
            f'{{"id":"{name[1:]}",{text.decode().removeprefix("{")}'
            for name, text in checkpoints.items()
            if name[0] == "?"
        )
        return cls(
            number=int(fields["checkpoint"]),
            step=int(fields["step"]),
            metadata=kept.metadata_text(fields.get("metadata", "")),
            values=values,
            asked=tuple(asked),
        )

    def started(self, codec: Codec, limit: int | None = None) -> str:
        """Write the member `checkpoint` of `run.started`; values over `limit` bytes as null.

        `codec` is the run's.
        """
        values = "null"
        if self.values != values and (limit is None or len(self.values.encode()) <= limit):
            values = codec.at("checkpoint", "values").seal(self.values)
        text = f'{self._common(self.number, self.step, codec)},"values":{values}'
        if self.asked:
            text += f',"interrupts":[{",".join(self.asked)}]'
        return text + "}"

    def finished(self, codec: Codec) -> str:
        """Write the member `checkpoint` of a `run.finished` that has a result."""
        return self._common(self.number + 1, self.step + 1, codec) + "}"

    def _common(self, number: int, step: int, codec: Codec) -> str:
        parent = number - 1 or ""
        text = f'{{"id":"{number}","parent":"{parent}","step":{step}'
        if self.metadata:
            text += f',"metadata":{codec.at("checkpoint", "metadata").seal(self.metadata)}'
        return text


def chunk(
    checkpoint: Mapping[str, Any], thread_id: str, source: str, values: Any, pending: str = ""
) -> dict[str, Any]:
    """Return the `checkpoints` chunk of a fact's checkpoint; `pending` is the body to execute."""
    parent = checkpoint["parent"]
    asked = checkpoint.get("interrupts", ())
    members = ("value", "id", "response_schema")
    interrupts = tuple({name: one[name] for name in members if name in one} for one in asked)
    body = {"id": "", "name": pending, "interrupts": interrupts, "state": None}
    return {
        "config": checkpoint_config(thread_id, checkpoint["id"]),
        "metadata": {
            **checkpoint.get("metadata", {}),
            "source": checkpoint.get("source", source),
            "step": checkpoint["step"],
            "parents": {},
        },
        "values": values,
        "next": [pending] if pending else [],
        "parent_config": checkpoint_config(thread_id, parent) if parent else None,
        "tasks": [body] if pending else [],
    }
