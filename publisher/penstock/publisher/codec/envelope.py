"""Envelope: facts in plain text, with the values in them sealed, each for its own place.

Facts about runs and steps (`run.*`, `step.*`) keep names, ids and numbers readable, because scripts
and tools read them. Members that hold values must be sealed; a reader refuses a plain one.
"""

from __future__ import annotations

__all__ = ["read_fact", "read_outcome"]

from typing import TYPE_CHECKING, Any, cast

from penstock.publisher.errors import EncryptionError

if TYPE_CHECKING:
    from penstock.publisher.codec.codec import Codec

_VALUES = {"input": "input", "error": "retry"}
"""Members of a fact that are values -> what they are called in their places."""


def read_fact(codec: Codec, tree: Any) -> Any:
    """Open the values of a fact's data.

    Raises:
        EncryptionError: a value is in the clear, or sealed for another place.
    """
    data = cast("dict[str, Any]", tree) if isinstance(tree, dict) else {"": tree}
    return {name: _member(codec, data, name, inside) for name, inside in data.items()}


def read_outcome(codec: Codec, tree: Any, name: str) -> Any:
    """Open the value or the error of an outcome; its digest and its stamp are in the clear.

    Raises:
        EncryptionError: it is in the clear, or sealed for another place.
    """
    data = cast("dict[str, Any]", tree) if isinstance(tree, dict) else {"value": tree}
    at = codec.at("outcome", name)
    return {key: part if key in ("digest", "at") else at.revive(part) for key, part in data.items()}


def _member(codec: Codec, data: dict[str, Any], name: str, inside: Any) -> Any:
    about = str(data.get("id", "result"))
    if name == "outcome":
        return read_outcome(codec, inside, about)
    if name == "interrupts" and isinstance(inside, list):
        return [_question(codec, item) for item in cast("list[object]", inside)]
    if name == "checkpoint":
        return _checkpoint(codec, inside)
    if inside is None:  # a value that is too large for an event
        return None
    if name in _VALUES:
        return codec.at(_VALUES[name], about).revive(inside)
    if isinstance(inside, (str, int, float)) or (name == "steps" and _are_names(inside)):
        return inside
    raise EncryptionError(f"the member {name[:40]!r} of an event is not encrypted: it was forged.")


def _are_names(inside: Any) -> bool:
    names = cast("list[object]", inside) if isinstance(inside, list) else [None]
    return all(isinstance(each, str) for each in names)


def _checkpoint(codec: Codec, inside: Any) -> Any:
    """Open what a fact tells of a thread's checkpoint: its values and metadata are sealed."""
    members = cast("dict[str, Any]", inside) if isinstance(inside, dict) else {"": inside}
    found: dict[str, Any] = {}
    for name, part in members.items():
        if name in ("values", "metadata") and part is not None:
            found[name] = codec.at("checkpoint", name).revive(part)
        else:
            found[name] = _member(codec, {}, name, part)
    return found


def _question(codec: Codec, item: object) -> Any:
    if isinstance(item, str):  # an answered one, by its id
        return item
    asked = cast("dict[str, Any]", item)
    at = codec.at("question", str(asked["id"]))
    opened = {**asked, "value": at.revive(asked["value"])}
    if "response_schema" in asked:
        opened["response_schema"] = at.at("schema").revive(asked["response_schema"])
    return opened
