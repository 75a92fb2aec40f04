"""The store, with LangGraph's own client."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk.errors import UnprocessableEntityError

from penstock.runtime.settings import Settings
from penstock.runtime.store.redis import RedisStore
from tests.gateway.compatible import sdk as processes
from tests.gateway.compatible.sdk import Sdk

sdk = processes.sdk


def test_an_item_is_kept_until_it_is_deleted(sdk: Sdk) -> None:
    sdk.store.put_item(["users", "ann"], "food", {"likes": "soup"})

    found = sdk.store.get_item(["users", "ann"], "food")
    assert found["value"] == {"likes": "soup"}
    assert (found["namespace"], found["key"]) == (["users", "ann"], "food")
    assert found["created_at"].endswith("+00:00")
    sdk.store.delete_item(["users", "ann"], "food")

    assert sdk.store.get_item(["users", "ann"], "food") is None


def test_items_are_those_of_workflows(sdk: Sdk) -> None:
    redis_url = sdk.client.settings.redis
    with RedisStore(sdk.client.connection, settings=Settings(redis=redis_url)) as store:
        store.put(("shared",), "k", {"n": 1})

        assert sdk.store.get_item(["shared"], "k")["value"] == {"n": 1}


def test_items_are_looked_for(sdk: Sdk) -> None:
    for number in range(3):
        sdk.store.put_item(["many", f"n{number % 2}"], f"k{number}", {"number": number})

    found = sdk.store.search_items(["many"], filter={"number": {"$gte": 1}})["items"]
    assert {each["key"] for each in found} == {"k1", "k2"}
    assert found[0]["score"] is None
    assert len(sdk.store.search_items(["many"], limit=1, offset=2)["items"]) == 1
    assert sdk.store.search_items(["nothing"]) == {"items": []}


def test_namespaces_are_listed(sdk: Sdk) -> None:
    for name in ("a", "b"):
        sdk.store.put_item(["listed", name, "x"], "k", {})

    def found(**query: object) -> list[list[str]]:
        named: list[list[str]] = sdk.store.list_namespaces(**query)["namespaces"]
        return named

    assert found(prefix=["listed"]) == [["listed", "a", "x"], ["listed", "b", "x"]]
    assert found(suffix=["b", "x"]) == [["listed", "b", "x"]]
    assert found(prefix=["listed"], max_depth=2) == [["listed", "a"], ["listed", "b"]]


def test_w14_what_the_store_cannot_do_is_refused(sdk: Sdk) -> None:
    with pytest.raises(UnprocessableEntityError, match="has no index"):
        sdk.store.search_items(["many"], query="soup")
    dotted: dict[str, Any] = {"namespace": ["a.b"], "key": "k", "value": {}}
    assert sdk.http.put("/store/items", json=dotted).status_code == 422
    assert sdk.http.put("/store/items", json={**dotted, "namespace": []}).status_code == 422
    odd: dict[str, Any] = {"namespace_prefix": ["many"], "filter": {"n": {"$odd": 1}}}
    assert sdk.http.post("/store/items/search", json=odd).status_code == 422


def test_an_item_is_kept_for_some_minutes(sdk: Sdk) -> None:
    sdk.store.put_item(["ttl"], "k", {"n": 1}, ttl=5)

    assert sdk.store.get_item(["ttl"], "k", refresh_ttl=False)["value"] == {"n": 1}
    assert sdk.client.connection.zcard("penstock:store:expiries") == 1
