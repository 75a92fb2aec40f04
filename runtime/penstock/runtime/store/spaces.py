"""The namespaces of a store, read from its index page by page."""

from __future__ import annotations

__all__ = ["list_namespaces", "spaces_under"]

from penstock.runtime.store.item import ListNamespacesOp, Namespace
from penstock.runtime.store.keys import Space, StoreKeys
from penstock.runtime.store.namespace import Listing
from penstock.runtime.store.plan import Commands, Plan

PAGE = 5000


def spaces_under(keys: StoreKeys, root: Space) -> Plan[list[Space]]:
    """Return the namespaces under one, and itself, sorted."""
    spaces = yield from _page(keys, root, None)
    more = len(spaces) == PAGE
    while more:
        page = yield from _page(keys, root, spaces[-1])
        spaces += page
        more = len(page) == PAGE
    return spaces


def list_namespaces(
    keys: StoreKeys, op: ListNamespacesOp, listing: Listing
) -> Plan[list[Namespace]]:
    """Return the namespaces that a listing is about, sorted; ends reading when there are enough."""
    root = Space.of(listing.root)
    found: list[Namespace] = []
    last: Space | None = None
    enough = op.offset + op.limit
    while len(found) < enough:
        page = yield from _page(keys, root, last)
        for namespace in listing.select(space.namespace for space in page):
            if found[-1:] != [namespace]:
                found.append(namespace)
        if len(page) < PAGE:
            break
        last = page[-1]
    return found[op.offset : enough]


def _page(keys: StoreKeys, root: Space, after: Space | None) -> Plan[list[Space]]:
    low, high = root.range()
    if after is not None:
        low = b"(" + after.path
    [names] = yield Commands(
        (("ZRANGEBYLEX", keys.namespaces, low, high, "LIMIT", 0, PAGE),),
    )
    return [Space(name) for name in names]
