"""The plan that prunes a thread, followed on a real Redis request by request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
import redis
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.base.id import uuid6

from penstock.langgraph import PenstockSaver
from penstock.langgraph.redis.calls import RECORD, Plan, Puts, Request
from penstock.langgraph.redis.plans.threads import keep_newest
from penstock.langgraph.redis.storage import Storage
from penstock.langgraph.serde import serializer_for
from penstock.publisher.plan import follow
from penstock.publisher.redis.script import Call, run
from penstock.runtime.settings import load_settings

KEPT = 3


class Killed(BaseException):
    """The process that prunes dies."""


def pruning() -> Plan[None]:
    return keep_newest(Storage.of(load_settings(), serializer_for((), None)), "t", KEPT, most=0)


def asking(client: redis.Redis, *, dies_at: str = "") -> tuple[Callable[[Request], Any], list[Any]]:
    """Return what sends the requests of a plan, and those that it has sent."""
    sent: list[Any] = []

    def ask(request: Request) -> Any:
        assert not isinstance(request, Puts)
        sent.append(request)
        if not isinstance(request, Call):
            return cast(Any, client.execute_command(*request))
        reply = run(client, request)
        if request.script.name == dies_at:
            raise Killed
        return reply

    return ask, sent


def put_points(saver: PenstockSaver) -> list[str]:
    """Store points, from each of which a subgraph hangs; returns the namespaces of these."""
    namespaces: list[str] = []
    for number in range(2 * KEPT):
        config: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
        point: Any = empty_checkpoint() | {"id": str(uuid6())}
        saver.put(config, point, {"source": "loop"}, {})
        namespaces.append(f"sub:{number}")
        config["configurable"]["checkpoint_ns"] = namespaces[-1]
        saver.put(config, point, {"source": "loop", "parents": {"": point["id"]}}, {})
    return namespaces


def test_a_thread_that_was_pruned_in_part_loses_its_subgraphs_later(
    make_saver: Callable[..., PenstockSaver], redis_client: redis.Redis
) -> None:
    saver = make_saver()
    namespaces = put_points(saver)
    ask, _ = asking(redis_client, dies_at="forget")
    with pytest.raises(Killed):
        follow(pruning(), ask)
    assert len(list(saver.list({"configurable": {"thread_id": "t"}}))) == 3 * KEPT

    ask, _ = asking(redis_client)
    follow(pruning(), ask)

    found = saver.list({"configurable": {"thread_id": "t"}})
    left = [each.config.get("configurable", {})["checkpoint_ns"] for each in found]
    assert left == [*[""] * KEPT, *namespaces[KEPT:]]


def test_points_are_pruned_without_a_look_at_their_values(
    make_saver: Callable[..., PenstockSaver], redis_client: redis.Redis
) -> None:
    put_points(make_saver())
    ask, sent = asking(redis_client)

    follow(pruning(), ask)

    reads = [each for each in sent if isinstance(each, Call) and each.script.name == "points"]
    assert [each.args[0] for each in reads] == [RECORD]
