"""Tree of values that may contain errors: `{"~error": description by dump_error}`."""

from __future__ import annotations

from typing import Any

from penstock.publisher.codec.absent import Absent
from penstock.publisher.codec.description import ErrorCodec
from penstock.publisher.codec.failure import dump_error, load_value
from penstock.publisher.codec.loose import built
from penstock.publisher.codec.refusal import Refusal
from penstock.publisher.codec.registry import TypeRegistry
from penstock.publisher.codec.tree import Tree

__all__ = ["ErrorsTree"]


class ErrorsTree(Tree):
    """Makes trees of values and errors, and reads what errors carry."""

    def __init__(self, registry: TypeRegistry, codec: ErrorCodec) -> None:
        super().__init__(registry)
        self._all = registry
        self._codec = codec

    def other(self, value: object, depth: int) -> Any:
        """The tree of an error, which is a value like others where nobody raises it."""
        if type(value) is Absent:
            raise Refusal(f"was not stored with an error: {Absent.message(value)}", value)
        if isinstance(value, BaseException) and _is_value(value):
            description = dump_error(value, self._codec)
            return {"~error": self.write_members(description, depth + 1, value)}
        return super().other(value, depth)

    def more(self, tag: str, inside: Any) -> tuple[Any, ...]:
        """The error, or the part of an error, behind a tag."""
        if tag == "~error":
            return (load_value(self.read_members(inside)),)
        return built(self, self._all, tag, inside)


def _is_value(error: BaseException) -> bool:
    """Whether an error may be kept: not what only tells an attempt of a run to end."""
    return isinstance(error, Exception) or not type(error).__module__.startswith("penstock.")
