"""The texts of chunks, as events have them. No IO."""

from __future__ import annotations

__all__ = ["ChunkTexts"]

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, Final, cast

from penstock.langgraph.plain import plain
from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.tree_text import quoted
from penstock.publisher.errors import CodecError

INPUT_KEPT: Final = 16 * 1024
"""Bytes of the input of a task past which its begin leaves it out."""

KNOWN: Final = 1024
"""Names and ids whose texts are remembered."""

_SHORT: Final[frozenset[object]] = frozenset((list, type(None)))
_TEXTS: Final[frozenset[object]] = frozenset((str,))


class ChunkTexts:
    """Writes chunks with a codec, each in the words that LangGraph has for it.

    What is LangGraph's own in a chunk, as names and ids, is written as it is: only what users have
    put into it is looked at.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._plain = codec.plain
        # Those of nodes come again and again, and the id of a task as it ends.
        self._name = lru_cache(maxsize=KNOWN)(partial(_name, codec.plain))
        self._names = lru_cache(maxsize=KNOWN)(partial(_names, codec.plain))

    def of(self, mode: str, chunk: Any) -> str:
        """Return the text of a chunk that is all of users; without it if it has no form."""
        try:
            text = f'{{"mode":"{mode}","chunk":{self._of_user(chunk)}}}'
            self._plain.check_size(text)
        except CodecError:  # it has no form, or is too large
            text = f'{{"mode":"{mode}","chunk":null,"cut":true}}'
        return self._codec.seal(text)

    def wrapped(self, mode: str, wrapped: Mapping[str, Any], ended: str = "") -> str:
        """Return the text of a chunk that has a superstep and a type, and perhaps ends a task."""
        payload: Mapping[str, Any] = wrapped["payload"]
        kind, step = wrapped["type"], wrapped["step"]
        more = f'"ended":{self._name(ended)},' if ended else ""
        more = f'{more}"step":{step},"type":"{kind}"'
        try:
            text = f'{{"mode":"{mode}","chunk":{self._of_fields(payload)},{more}}}'
            self._plain.check_size(text)
        except CodecError:
            text = f'{{"mode":"{mode}","chunk":null,{more},"cut":true}}'
        if kind == "task" and len(text) > INPUT_KEPT:
            fields = self._of_fields({**payload, "input": None})
            text = f'{{"mode":"{mode}","chunk":{fields},{more},"cut":true}}'
        return self._codec.seal(text)

    def _of_fields(self, payload: Mapping[str, Any]) -> str:
        parts: list[str] = []
        for name, value in payload.items():
            kind = cast(object, type(value))
            if kind is str:
                text = self._name(value)
            elif kind is tuple and _TEXTS.issuperset(map(type, value)):  # also an empty one
                text = self._names(value)
            elif kind in _SHORT and not value:
                text = "null" if value is None else "[]"
            else:
                text = self._of_user(value)
            parts.append(f'"{name}":{text}')
        return f"{{{','.join(parts)}}}"

    def _of_user(self, value: Any) -> str:
        kind = cast(object, type(value))
        if kind is dict and len(value) == 1:  # as most updates have: of one node
            ((name, inner),) = value.items()
            if type(name) is str and name[:1] != "~":
                return f"{{{self._name(name)}:{self._plain.dumps(plain(inner))}}}"
        return self._plain.dumps(plain(value))


def _name(codec: Codec, text: str) -> str:
    return quoted(text) if text.isascii() and text[:1] != "~" else codec.dumps(text)


def _names(codec: Codec, texts: tuple[str, ...]) -> str:
    return codec.dumps(list(texts))
