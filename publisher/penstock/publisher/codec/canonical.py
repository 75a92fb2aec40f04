"""Canonical: one text for all values that are equal, for digests.

The codec keeps the order of dicts. But a dict is equal to one in another order, and calls with
equal arguments are the same call. Of an error only its class and its arguments count: traceback
and notes differ between an error and the same one after it was stored and read.
"""

from __future__ import annotations

import json
from typing import Any, cast

__all__ = ["canonical"]

_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":"), sort_keys=True
).encode


def canonical(text: str) -> str:
    """Return the text that stands for all values equal to the one of `text`."""
    is_tagged = '"~' in text
    if not is_tagged and text.count('":') < 2:  # no two members, so no order
        return text
    tree = json.loads(text)
    return _encode(_sorted(tree) if is_tagged else tree)


def _sorted(tree: Any) -> Any:
    shape: object = tree
    if isinstance(shape, list):
        return [_sorted(part) for part in tree]
    if not isinstance(shape, dict):
        return tree
    if len(tree) == 1 and "~error" in tree:
        return {"~error": [tree["~error"].get("type"), _sorted(tree["~error"].get("args"))]}
    if len(tree) == 1 and "~record" in tree:
        name, *groups = tree["~record"]
        return {"~record": [name, *map(_members, groups[:1]), *map(_more, groups[1:])]}
    found = _members(tree)
    for name in ("~dict", "~counter", "~set", "~frozenset"):
        if len(found) == 1 and isinstance(found.get(name), list):
            found[name].sort(key=_encode)
    return found


def _members(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: _sorted(part) for name, part in tree.items()}


def _more(tree: dict[str, Any]) -> dict[str, Any]:
    """What a record has beside its fields: names, which may look like tags, and their values."""
    return {
        kind: _members(cast("dict[str, Any]", part)) if isinstance(part, dict) else _sorted(part)
        for kind, part in tree.items()
    }
