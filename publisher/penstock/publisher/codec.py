"""Codec: values as JSON text that reads back as exactly the same values.

A value either comes back equal and of the same types, or writing it raises `CodecError` that
names the place inside the value and what to do. What the text looks like is said in `tree.py`.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any, NoReturn

from penstock.publisher.errors import CodecError, ValueTooLargeError
from penstock.publisher.refusal import Refusal
from penstock.publisher.registry import TypeRegistry, registered
from penstock.publisher.tree import MAX_DEPTH, Tree, to_text

__all__ = ["Codec"]

_LEAVES = frozenset((type(None), bool, int, float, str))
_PLAIN = _LEAVES | {dict, list}
_NAMES = frozenset((str,))
_TAG = '"~'


class Codec:
    """Writes and reads values; `limit` is in bytes of text.

    `dumps` and `loads` are the only ways between values and text.
    """

    def __init__(self, limit: int = 8 * 1024 * 1024, registry: TypeRegistry = registered) -> None:
        self._limit = limit
        self._tree = Tree(registry)

    def dumps(self, value: Any, what: str = "") -> str:
        """Return the text of a value; `what` names it in errors ("the result of step 'fetch'")."""
        text = self._text(value, what)
        if len(text) * 4 > self._limit:  # a character has at most four bytes
            self._check_size(text, what)
        return text

    def loads(self, text: str | bytes) -> Any:
        """Return the value of a text, or raise `CodecError` if `dumps` cannot have written it."""
        try:
            read = text.decode() if isinstance(text, bytes) else text
            tree = _from_text(read)
        except (ValueError, RecursionError) as error:
            raise CodecError(f"stored text is damaged: {error}") from error
        return self.revive(tree) if _TAG in read else tree

    def revive(self, tree: Any) -> Any:
        """Return the value of a tree, which is text of this codec that was parsed already."""
        try:
            return self._tree.value(tree)
        except RecursionError as error:
            raise CodecError("stored text is nested too deeply to be read") from error

    def digest(self, value: Any) -> str:
        """Return 16 hex digits that are the same for the same value, "" if it has no text.

        For the arguments of a call, `(args, kwargs)`, the order of kwargs makes no difference.
        """
        try:
            text = self._text(_in_order(value), "")
        except CodecError:
            return ""
        return blake2b(text.encode(), digest_size=8).hexdigest()

    def _text(self, value: Any, what: str) -> str:
        if value is None:
            return "null"
        try:
            if _is_plain(value, 0):
                text = to_text(value)
                if _TAG not in text and (text.isascii() or text.encode()):
                    return text
        except (ValueError, RuntimeError):
            pass  # nan, a lone surrogate, a cycle...: the walk below finds it
        return self._tagged_text(value, what)

    def _tagged_text(self, value: Any, what: str) -> str:
        try:
            text = to_text(self._tree.of(value))
        except Refusal as refusal:
            raise refusal.error(what) from None
        except (ValueError, RuntimeError) as error:  # changed meanwhile, or no stack left
            raise CodecError(
                f"{what or 'the value'} cannot be stored: {error}", what=what
            ) from error
        # A lone surrogate has no UTF-8; what stands for it here is also its JSON escape.
        return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()

    def _check_size(self, text: str, what: str) -> None:
        size = len(text) if text.isascii() else len(text.encode())
        if size > self._limit:
            raise ValueTooLargeError(
                f"{what or 'the value'} has {size:,} bytes, over the limit of {self._limit:,}: "
                "store it elsewhere and pass a reference, or raise the setting value_limit",
                what=what,
            )


def _is_plain(value: object, depth: int) -> bool:
    """Whether JSON has a form of its own for all of a value; keys with "~" apart."""
    kind = type(value)
    if kind is not dict and kind is not list:
        return kind in _LEAVES
    children: Any = value
    if kind is dict:
        if not _NAMES.issuperset(map(type, children)):
            return False
        children = children.values()
    kinds: set[type] = set(map(type, children))
    if _LEAVES.issuperset(kinds):
        return depth < MAX_DEPTH
    if depth >= MAX_DEPTH or not _PLAIN.issuperset(kinds):
        return False
    return all(_is_plain(child, depth + 1) for child in children if type(child) not in _LEAVES)


def _in_order(value: Any) -> Any:
    """Sort the kwargs of `(args, kwargs)`; a list in place of the tuple has the fast way open."""
    try:
        args, kwargs = value
        if list(map(type, (value, args, kwargs))) != [tuple, tuple, dict]:
            return value
        return [list(args), dict(sorted(kwargs.items())) if len(kwargs) > 1 else kwargs]
    except (TypeError, ValueError):  # not two parts, or keys that have no order
        return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_from_text = json.JSONDecoder(parse_constant=_refuse_constant).decode
