"""Tree: a value as plain JSON data, with a tag where JSON has no form of its own.

None, bool, int, finite float, str, list and dict with str keys stand for themselves. Everything
else is an object of one member whose name begins with "~":

    {"~tuple": [...]}  {"~set": [...]}  {"~frozenset": [...]}    sets in the order of their texts
    {"~dict": [[key, value], ...]}             keys that are no str, or begin with "~"
    {"~ordereddict": ...}  {"~counter": ...}   pairs as well
    {"~deque": [[...], maxlen]}
    {"~float": "nan" | "inf" | "-inf"}
    {"~record": [class, {field: value}]}       model, dataclass, named tuple; a third member holds
                                               what an instance has beside its fields
    {"~enum": [class, member, value]}
    {"~bytes": base64} and the other scalars of `scalar.py`
    {"~sealed": ...}                           what `encrypted.py` has written
    {"~error": {...}} and what errors carry    see `errors_tree.py`, `failure.py`, `loose.py`

A class is a name that the registry of the reading process knows; for an unknown one the reader
gets the fields as a dict, or the enum's value. Subclasses of the builtin types are refused, as
they would come back as something else.
"""

from __future__ import annotations

from penstock.publisher.codec.tree_reader import TreeReader
from penstock.publisher.codec.tree_writer import TreeWriter

__all__ = ["Tree"]


class Tree(TreeWriter, TreeReader):
    """Makes trees of values, and values of trees."""
