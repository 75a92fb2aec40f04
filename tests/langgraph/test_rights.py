"""A Redis user with few rights can do all that a saver does, with what the documentation adds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from langchain_core.messages import HumanMessage

from penstock.langgraph import PenstockSaver
from penstock.publisher.errors import RedisRightsError
from penstock.runtime.settings import Settings
from tests.langgraph.graphs import agent, deltas
from tests.langgraph.keys import ENCRYPTION_KEYS

DOCS = Path(__file__).parents[2] / "docs"
THREAD: Any = {"configurable": {"thread_id": "t"}, "metadata": {"run_id": "run-1"}}


def rules(*, added: bool) -> list[str]:
    """Return what an app's user may do, with what the page adds for graphs, or nothing of them."""
    page = " ".join((DOCS / "how-to" / "langgraph.md").read_text().split())
    more = re.search(r"`(~penstock:graph:\S+ [^`]+)`", page)
    assert more is not None
    base = (DOCS / "acl" / "app.acl").read_text().split()[2:]
    of_graphs = more[1].split()
    base = [each for each in base if each not in of_graphs]
    return ["reset", *base, *(of_graphs if added else ())]


@pytest.fixture
def url(redis_url: str, redis_client: redis.Redis) -> Iterator[str]:
    redis_client.execute_command("ACL", "SETUSER", "graphs", *rules(added=True))
    yield redis_url.replace("://", "://graphs:app-password@")
    redis_client.execute_command("ACL", "DELUSER", "graphs")


@pytest.mark.parametrize("keys", ["", ENCRYPTION_KEYS], ids=["plain", "encrypted"])
def test_the_rights_on_the_page_are_enough(url: str, keys: str) -> None:
    with PenstockSaver(url, settings=Settings(encryption_keys=keys)) as saver:
        for text in ("a", "b"):
            agent(saver).invoke({"messages": [HumanMessage(text)]}, THREAD)
        deltas(saver).invoke({"all": ["a"], "some": []}, {"configurable": {"thread_id": "d"}})
        deltas(saver).get_state({"configurable": {"thread_id": "d"}})
        saver.copy_thread("t", "copy")
        saver.prune(["d"])
        assert len(list(saver.list(None, filter={"source": "input"}))) > 2

        saver.delete_for_runs(["run-1"])
        assert list(saver.list(THREAD)) == []
        saver.delete_thread("d")
        assert list(saver.list(None)) == []


def test_without_them_the_message_says_whose_rights_are_missing(
    url: str, redis_client: redis.Redis
) -> None:
    redis_client.execute_command("ACL", "SETUSER", "graphs", *rules(added=False))

    with (
        PenstockSaver(url) as saver,
        pytest.raises(RedisRightsError, match="its user lacks"),
    ):
        saver.get_tuple(THREAD)
