"""What must hold between the keys of a store, whenever nobody writes."""

from __future__ import annotations

from typing import Any, cast

from penstock.runtime.store.keys import Space, StoreKeys
from penstock.runtime.store.redis import RedisStore
from tests.runtime.store.aging import keys_of


def assert_indexes_agree(store: RedisStore) -> None:
    """Every index tells of the items that are there, and of no other."""
    connection, keys = cast(Any, store.connection), StoreKeys(store.settings.prefix)
    expiries = dict(connection.zrange(keys.expiries, 0, -1, withscores=True))
    expected = {keys.namespaces: True, keys.expiries: True}
    for path in connection.zrange(keys.namespaces, 0, -1):
        digest = Space(path).digest
        items = set(connection.hkeys(keys.items(digest)))
        expiry = dict(connection.zrange(keys.expiry(digest), 0, -1, withscores=True))
        assert items
        assert set(connection.zrange(keys.order(digest), 0, -1)) == items
        assert set(connection.hkeys(keys.vectors(digest))) <= items
        assert connection.hget(keys.space(digest), "path") == path
        assert expiry.keys() <= items
        if expiry:
            assert expiries[digest.encode()] <= min(expiry.values())
        for key in (keys.space, keys.items, keys.order, keys.expiry, keys.vectors):
            expected[key(digest)] = True
    assert set(keys_of(store)) <= expected.keys()
