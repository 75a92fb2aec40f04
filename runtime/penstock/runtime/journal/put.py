"""What an attempt stores beside its checkpoints: the state of a graph, in keys of its own."""

from __future__ import annotations

__all__ = ["Put", "Verb"]

from typing import Literal, NamedTuple, TypeAlias

Verb: TypeAlias = Literal["set", "new", "drop", "line", "order", "need"]
"""What is done with a field of a hash.

`set` writes it, `new` does where it is not there, `drop` deletes it, `line` adds a line to it that
it does not have yet; `order` adds a member to a sorted set, all of one score. Where a field that is
to be there, `need`, is not, nothing of the write is stored, and the attempt has lost its run.
"""


class Put(NamedTuple):
    """One change; those of one write are made together with it, in their order."""

    verb: Verb
    key: str
    """What follows `graph:` in the name of the key."""
    field: bytes
    value: bytes = b""
