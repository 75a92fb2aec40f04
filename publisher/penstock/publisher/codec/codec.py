"""Codec: values as JSON text that reads back as exactly the same values.

A value either comes back equal and of the same types, or writing it raises `CodecError` that
names the place inside the value and the fix. `tree.py` describes the text.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any, NoReturn, Self

from penstock.publisher.codec.errors_tree import ErrorsTree
from penstock.publisher.codec.refusal import Refusal
from penstock.publisher.codec.registry import TypeRegistry, registered
from penstock.publisher.codec.tree import Tree
from penstock.publisher.codec.tree_text import to_text
from penstock.publisher.codec.tree_writer import MAX_DEPTH
from penstock.publisher.errors import CodecError, ValueTooLargeError

__all__ = ["Codec"]

_LEAVES = frozenset((type(None), bool, int, float, str))
_PLAIN = _LEAVES | {dict, list}
_NAMES = frozenset((str,))
_TAG = '"~'


class Codec:
    """Writes and reads values; `limit` is in bytes of text.

    Every stored or published value goes through a codec. `EncryptedCodec` also encrypts the text;
    `at` names the place where values are kept, which only matters to that class.
    """

    def __init__(self, limit: int = 8 * 1024 * 1024, registry: TypeRegistry = registered) -> None:
        self._limit = limit
        self.registry = registry
        self._tree = ErrorsTree(registry, self)

    def dumps(self, value: Any, what: str = "") -> str:
        """Return the text of a value; `what` names it in errors ("the result of step 'fetch'")."""
        text = _text(self._tree, value, what)
        if len(text) * 4 > self._limit:
            self.check_size(text, what)
        return text

    def check_size(self, text: str, what: str = "") -> None:
        """Refuse a text that is too long, as one put together of others may be.

        Raises:
            ValueTooLargeError: it is over the limit.
        """
        if len(text) * 4 > self._limit:  # a character has at most four bytes
            _check_size(text, what, self._limit)

    def loads(self, text: str | bytes) -> Any:
        """Return the value of a text, or raise `CodecError` if `dumps` cannot have written it."""
        try:
            read = text.decode() if isinstance(text, bytes) else text
            tree = _from_text(read)
        except (ValueError, RecursionError) as error:
            raise CodecError(f"stored text is damaged: {error}") from error
        return self.revive(tree) if _TAG in read else tree

    def knows(self, text: str | bytes) -> bool:
        """Return whether this process has all classes that a text names.

        Where it has not, `loads` gives the plain data of their values.
        """
        read = self.opened(text)
        return _TAG not in read or self._tree.knows(_from_text(read))

    def revive(self, tree: Any) -> Any:
        """Return the value of a tree, which is text of this codec that was parsed already."""
        try:
            return self._tree.value(tree)
        except RecursionError as error:
            raise CodecError("stored text is nested too deeply to be read") from error

    def fact(self, mode: str, tree: Any) -> Any:
        """Return the data of an event that was parsed already."""
        return self.revive(tree)

    def outcome(self, text: str | bytes, name: str) -> Any:
        """Return how a step or a run ended, from the text of the checkpoint of that name."""
        return self.loads(text)

    # -- what encryption needs ------------------------------------------------------------------

    @property
    def plain(self) -> Codec:
        """The codec without encryption."""
        return self

    def at(self, *place: str) -> Self:
        """Return the codec of what is kept at a place below this one's: `at("run", run_id)`."""
        return self

    def pinned(self, text: str | bytes) -> Self:
        """Return the codec whose key and digests stay the same as long as this stored text does."""
        return self

    def seal(self, text: str) -> str:
        """Return what is stored for a text that `plain` has written."""
        return text

    def opened(self, text: str | bytes) -> str:
        """Return the text that `plain` reads, of one that `seal` has given."""
        return text.decode() if isinstance(text, bytes) else text

    def digests(self, text: str, size: int) -> tuple[str, ...]:
        """Return the digests, of `size` bytes, that a text is known by; the first is to be kept."""
        data = text.encode("utf-8", "surrogatepass")
        return (blake2b(data, digest_size=size).hexdigest(),)


def _text(tree: Tree, value: Any, what: str) -> str:
    if value is None:
        return "null"
    try:
        if _is_plain(value, 0):
            text = to_text(value)
            if _TAG not in text and (text.isascii() or text.encode()):
                return text
    except (ValueError, RuntimeError):
        pass  # nan, a lone surrogate, a cycle...: the walk below finds it
    return _tagged_text(tree, value, what)


def _tagged_text(tree: Tree, value: Any, what: str) -> str:
    try:
        text = to_text(tree.of(value))
    except Refusal as refusal:
        raise refusal.error(what) from None
    except (ValueError, RuntimeError) as error:  # changed meanwhile, or no stack left
        raise CodecError(f"{what or 'the value'} cannot be stored: {error}", what=what) from error
    # A lone surrogate has no UTF-8; what stands for it here is also its JSON escape.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _check_size(text: str, what: str, limit: int) -> None:
    size = len(text) if text.isascii() else len(text.encode())
    if size > limit:
        raise ValueTooLargeError(
            f"{what or 'the value'} has {size:,} bytes, over the limit of {limit:,}: "
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
    return all([_is_plain(child, depth + 1) for child in children if type(child) not in _LEAVES])


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_from_text = json.JSONDecoder(parse_constant=_refuse_constant).decode
