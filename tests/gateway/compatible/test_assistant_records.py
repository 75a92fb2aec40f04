"""What is read of assistants, and which of two is meant."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, TypeVar

import pytest

from penstock.gateway.compatible.assistant import Settings
from penstock.gateway.compatible.assistant_records import AssistantRecords
from penstock.gateway.errors import RequestError
from penstock.runtime.redis.plans.requests import Plan, Reads
from tests.gateway.api import Api

T = TypeVar("T")


class Counted:
    """Follows plans, and notes the commands that they read with."""

    def __init__(self, api: Api) -> None:
        self.commands: list[Any] = []
        self._client = api.worker.client

    def do(self, plan: Plan[T]) -> T:
        return self._client.do(self._noted(plan))

    def _noted(self, plan: Plan[T]) -> Plan[T]:
        reply: Any = None
        while True:
            try:
                request = plan.send(reply)
            except StopIteration as stop:
                outcome: T = stop.value
                return outcome
            asked = request.commands if isinstance(request, Reads) else [request]
            self.commands += [each[0] for each in asked if isinstance(each, tuple)]
            reply = yield request


def _numbered(number: int, before: Settings) -> Settings:
    return dataclasses.replace(before, metadata={"n": number})


def test_no_other_is_read_to_find_one(api: Api) -> None:
    counted, records = Counted(api), AssistantRecords(api.worker.client.plans)
    api.worker.client.do(records.create("one", Settings("doubled", metadata={"n": 1})))
    for number in range(20):
        api.worker.client.do(records.change("one", partial(_numbered, number)))

    assert counted.do(records.find("doubled")).is_system
    assert counted.commands == ["ZRANGEBYSCORE", "GET"]
    counted.commands.clear()
    found = counted.do(records.find("one"))

    assert counted.commands == ["ZRANGEBYSCORE", "HMGET", "HGET"]
    assert (found.version, found.settings.metadata) == (21, {"n": 19})
    assert [each.version for each in counted.do(records.versions(found))] == list(range(21, 0, -1))


def test_one_whose_id_an_entrypoint_has_got_can_still_be_deleted(api: Api) -> None:
    records = AssistantRecords(api.worker.client.plans)
    api.worker.client.do(records.create("doubled", Settings("counting")))

    changed = api.ask("PATCH", "/assistants/doubled", json={"name": "mine"})
    shown = api.get("/assistants/doubled")
    deleted = api.ask("DELETE", "/assistants/doubled")

    assert changed.json()["graph_id"] == "counting"
    assert shown["graph_id"] == "doubled"
    assert deleted.status_code == 204
    assert api.worker.client.do(records.made("doubled")) is None
    assert api.ask("DELETE", "/assistants/doubled").status_code == 422


def test_one_that_is_not_there_is_404(api: Api) -> None:
    records = AssistantRecords(api.worker.client.plans)

    for plan in (records.find("nobody"), records.own("nobody"), records.delete("nobody")):
        with pytest.raises(RequestError, match="no assistant 'nobody'") as refused:
            api.worker.client.do(plan)
        assert refused.value.status == 404
