"""Plans that store points, followed by hand: what they make of each reply."""

from __future__ import annotations

import pytest

from penstock.langgraph.allow_list import AllowList
from penstock.langgraph.redis.keys import Space
from penstock.langgraph.redis.plans.writing import put
from penstock.langgraph.redis.point import Point
from penstock.langgraph.redis.storage import Storage
from penstock.langgraph.serde import ClosedSerializer
from penstock.runtime.errors import ThreadBusyError
from penstock.runtime.settings import load_settings


def test_a_run_that_begins_between_two_tries_to_put_a_point_is_seen() -> None:
    storage = Storage.of(load_settings(), ClosedSerializer(AllowList()))
    checkpoint = {"channel_values": {"words": ["one"]}, "channel_versions": {"words": "1"}}
    plan = put(storage, Point(Space("t"), "id", "", checkpoint, {}), {"words": "1"})
    next(plan)

    plan.send([b"v words 0"])
    with pytest.raises(ThreadBusyError, match="run 'other' of the graph"):
        plan.send(b"other")
