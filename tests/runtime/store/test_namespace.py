from __future__ import annotations

import asyncio
import re
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.publisher.errors import PenstockError
from penstock.runtime.store.item import (
    GetOp,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from penstock.runtime.store.keys import Space, StoreKeys, from_bytes, to_bytes
from penstock.runtime.store.memory import InMemoryStore
from penstock.runtime.store.namespace import InvalidNamespaceError, Listing, check_namespace
from tests.runtime.store.conftest import MakeStore

labels = st.text(
    st.characters(codec=None) | st.sampled_from("\0\1\2:*?[]{}\\^- \n"), min_size=1, max_size=6
)
namespaces = st.lists(labels, max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("namespace", "why"),
    [
        ((), "at least one label"),
        (("",), "is not empty"),
        (("a", ""), "is not empty"),
        (("a.b",), "has no '.'"),
        (("a", "."), "has no '.'"),
        (("langgraph", "a"), "not 'langgraph'"),
        ("abc", "is a tuple or a list of strings"),
        ({"a"}, "is a tuple or a list of strings"),
        (["a", 1], "has strings only"),
        ([], "at least one label"),
        (("a", 1), "has strings only"),
        ((b"a",), "has strings only"),
        (None, "is a tuple or a list of strings"),
    ],
)
def test_a_namespace_that_is_refused(namespace: Any, why: str) -> None:
    with pytest.raises(InvalidNamespaceError, match=re.escape(why)):
        InMemoryStore().put(namespace, "k", {})


def test_the_error_is_a_value_error_and_one_of_ours() -> None:
    assert issubclass(InvalidNamespaceError, ValueError)
    assert issubclass(InvalidNamespaceError, PenstockError)


@pytest.mark.parametrize(
    "namespace", [("a",), ("*",), ("a", "langgraph"), (":", "{x}", "\0"), (" ", "é", "🐘")]
)
def test_a_namespace_that_is_taken(namespace: tuple[str, ...]) -> None:
    check_namespace(namespace)


@pytest.mark.parametrize("wrong", ["abc", ("a", 1), None])
def test_reads_refuse_what_is_no_tuple_of_strings(wrong: Any) -> None:
    store = InMemoryStore()
    with pytest.raises(InvalidNamespaceError):
        store.get(wrong, "k")
    with pytest.raises(InvalidNamespaceError):
        store.delete(wrong, "k")
    with pytest.raises(InvalidNamespaceError):
        store.search(wrong)
    if wrong:
        with pytest.raises(InvalidNamespaceError):
            store.list_namespaces(prefix=wrong)


@given(namespaces)
@example(("\0", "\1"))
@example(("\1\1", "\1\2\0"))
@example(("\ud800",))
def test_a_path_is_read_back(namespace: tuple[str, ...]) -> None:
    assert Space(Space.of(namespace).path).namespace == namespace


@given(namespaces, namespaces)
@example(("a", "b"), ("a\0b",))
@example(("a",), ("a\0",))
@example(("\0",), ("\1", "\1"))
@example(("é",), ("e\u0301",))
def test_different_namespaces_share_no_key(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    keys = StoreKeys()
    same = keys.items(Space.of(one).digest) == keys.items(Space.of(other).digest)

    assert same == (one == other)
    assert (Space.of(one).path == Space.of(other).path) == (one == other)


@given(namespaces, namespaces)
@example(("a",), ("ab",))
@example(("a",), ("a", "b"))
@example(("a\0",), ("a", "b"))
def test_paths_sort_and_begin_as_the_tuples_do(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    first, second = Space.of(one), Space.of(other)
    low, high = first.range()

    assert (first.path < second.path) == (one < other)
    under = low == b"-" or low[1:] <= second.path < high[1:]
    assert under == (other[: len(one)] == one)


@given(labels.filter(bool))
def test_no_text_of_users_is_in_the_name_of_a_key(label: str) -> None:
    digest = Space.of((label,)).digest

    assert re.fullmatch(r"[0-9a-f]{32}", digest)


@given(st.text(st.characters(codec=None)))
def test_every_text_is_read_back(text: str) -> None:
    assert from_bytes(to_bytes(text)) == text


few = st.lists(st.sampled_from(["a", "b", "*"]), max_size=3).map(tuple)


@given(st.lists(few), few, few, st.none() | st.integers(1, 3))
def test_a_listing_selects_what_patterns_say(
    spaces: list[tuple[str, ...]],
    prefix: tuple[str, ...],
    suffix: tuple[str, ...],
    depth: int | None,
) -> None:
    conditions = (MatchCondition("prefix", prefix), MatchCondition("suffix", suffix))
    listing = Listing.of(ListNamespacesOp(conditions, depth))

    def fits(part: tuple[str, ...], path: tuple[str, ...]) -> bool:
        pattern = "".join("[^/]*/" if label == "*" else f"{label}/" for label in path)
        return re.fullmatch(pattern, "".join(f"{label}/" for label in part)) is not None

    expected = {
        space[:depth]
        for space in spaces
        if fits(space[: len(prefix)], prefix)
        and fits(space[max(0, len(space) - len(suffix)) :], suffix)
    }
    assert list(listing.select(sorted(spaces))) == sorted(expected)
    root = listing.root
    assert all(space[: len(root)] == root for space in expected if depth is None)


def test_keys_of_users_are_apart_whatever_they_hold() -> None:
    store = InMemoryStore()
    keys = ["", ":", "*", "a*", "[ab]", "{x}", "\0", "é", "e\u0301", "\ud800", "x" * 10_000, "../"]
    for number, key in enumerate(keys):
        store.put(("n",), key, {"n": number})

    for number, key in enumerate(keys):
        item = store.get(("n",), key)
        assert item is not None and item.value == {"n": number}
    assert [item.key for item in store.search(("n",), limit=100)] == keys
    store.delete(("n",), "*")
    assert [i.key for i in store.search(("n",), limit=99)] == [key for key in keys if key != "*"]


def test_a_condition_may_be_given_as_a_list_of_wrong_things() -> None:
    with pytest.raises(InvalidNamespaceError, match="a suffix"):
        Listing.of(ListNamespacesOp((MatchCondition("suffix", cast(Any, "ab")),)))


def test_a_list_is_a_namespace_as_a_tuple_is(make_store: MakeStore) -> None:
    store = make_store()
    store.put(["users", "ada"], "k", {"v": 1})
    store.put(("users", "bob"), "k", {"v": 2})

    found = store.get(["users", "ada"], "k")
    assert found is not None and found.namespace == ("users", "ada")
    assert [item.key for item in store.search(["users"])] == ["k", "k"]
    assert [item.value["v"] for item in store.search(["users", "bob"])] == [2]
    assert store.list_namespaces(prefix=["users"], suffix=["*"]) == [
        ("users", "ada"),
        ("users", "bob"),
    ]
    assert store.list_namespaces(suffix=["bob"]) == [("users", "bob")]
    store.delete(["users", "bob"], "k")
    assert store.get(("users", "bob"), "k") is None


def test_a_list_is_a_namespace_in_asyncio_code_too(make_store: MakeStore) -> None:
    async def main() -> None:
        async with make_store() as store:
            await store.aput(["users", "ada"], "k", {"v": 1})
            assert await store.aget(["users", "ada"], "k") is not None
            assert len(await store.asearch(["users"])) == 1
            assert await store.alist_namespaces(prefix=["users"]) == [("users", "ada")]
            await store.adelete(["users", "ada"], "k")
            assert await store.asearch([]) == []

    asyncio.run(main())


def test_the_ops_of_a_batch_take_lists(make_store: MakeStore) -> None:
    labels: Any = ["users", "ada"]
    store = make_store()

    store.batch([PutOp(labels, "k", {"v": 1}), PutOp(("users", "ada"), "k", {"v": 2})])
    item, found, spaces = store.batch(
        [
            GetOp(labels, "k"),
            SearchOp(labels),
            ListNamespacesOp((MatchCondition("prefix", labels),)),
        ]
    )

    assert item is not None and cast(Any, item).value == {"v": 2}
    assert [each.key for each in cast(Any, found)] == ["k"]
    assert spaces == [("users", "ada")]
