"""Entrypoints that remember over threads, in the Redis of their worker."""

from __future__ import annotations

from typing import Any

from penstock.runtime import RedisStore, entrypoint, get_store, task
from penstock.runtime.store.store import BaseStore


def embed(texts: list[str]) -> list[list[float]]:
    return [[float(text.count("sea")), float(text.count("snow")), 0.01] for text in texts]


memory = RedisStore(index={"dims": 3, "embed": embed, "fields": ["about"]})


@task
def learn(user: str, key: str, about: str) -> None:
    get_store().put(("users", user), key, {"about": about})


@task
async def alearn(user: str, key: str, about: str) -> None:
    await get_store().aput(("users", user), key, {"about": about})


@entrypoint(store=memory)
def remember(told: dict[str, Any], *, store: BaseStore) -> list[str]:
    for key, about in told["facts"].items():
        learn(told["user"], key, about).result()
    return sorted(item.key for item in store.search(("users", told["user"])))


@entrypoint(store=memory)
async def aremember(told: dict[str, Any], *, store: BaseStore) -> list[str]:
    for key, about in told["facts"].items():
        await alearn(told["user"], key, about)
    return sorted(item.key for item in await store.asearch(("users", told["user"])))


@entrypoint(store=memory)
def recall(asked: dict[str, Any], *, store: BaseStore) -> list[str]:
    found = store.search(("users", asked["user"]), query=asked["query"], limit=1)
    return [item.key for item in found]


@entrypoint(store=memory)
async def arecall(asked: dict[str, Any], *, store: BaseStore) -> list[str]:
    found = await store.asearch(("users", asked["user"]), query=asked["query"], limit=1)
    return [item.key for item in found]


@entrypoint(store=memory)
def spaces(_: str, *, store: BaseStore) -> list[tuple[str, ...]]:
    return store.list_namespaces(prefix=("users", "*"))
