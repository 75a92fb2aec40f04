"""Streams of LangGraph's clients while gateways and workers are ended and killed."""

from __future__ import annotations

from contextlib import ExitStack

import httpx
import pytest
import redis

from penstock.runtime import Client
from tests.faults.support.flows import Work, talk
from tests.faults.support.gateways import Gateways
from tests.faults.support.invariants import Checker
from tests.faults.support.leg_readers import LegReader
from tests.faults.support.protocol_readers import ProtocolReader
from tests.faults.support.workers import Fleet
from tests.support.until import until

MODES = ["custom", "updates", "tasks", "messages-tuple", "facts"]


@pytest.fixture
def gateways(fleet: Fleet) -> Gateways:
    """Starts gateways on the test's own server."""
    return Gateways(fleet)


def test_w5_each_event_comes_once_while_gateways_and_workers_are_ended_and_killed(
    fleet: Fleet, gateways: Gateways, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    both = [gateways.start(), gateways.start()]
    worker = fleet.start()
    run = client.enqueue(talk, Work(steps=60, seconds=0.1), thread_id="shop")
    path = f"/threads/shop/runs/{run.run_id}/stream"
    with ExitStack() as stack:
        readers = [stack.enter_context(LegReader(both, path, MODES, n)) for n in range(4)]
        until(lambda: all(len(reader.parts) > 20 for reader in readers), 30.0, "first events")

        both[0].process.kill()
        both[0] = gateways.start()
        worker.kill()
        fleet.start()
        began = [len(reader.parts) for reader in readers]
        until(
            lambda: all(
                len(reader.parts) > before + 40
                for reader, before in zip(readers, began, strict=True)
            ),
            30.0,
            "events of the second attempt",
        )
        both[1].process.term()
        until(lambda: not both[1].process.running, 20.0, "a gateway that has ended")
        both[1] = gateways.start()

        found = [reader.wait() for reader in readers]

    late = LegReader(both, path, MODES)
    with late:
        whole = late.wait()
    assert run.status() == "completed"
    ids = [part[0] for part in whole[:-1]]
    assert len(set(ids)) == len(ids)
    assert found == [whole] * len(readers)
    assert all(reader.cuts for reader in readers)
    checker.check(over=True)


def test_w11_each_event_of_a_thread_comes_once_while_gateways_and_workers_are_killed(
    fleet: Fleet, gateways: Gateways, client: Client, checker: Checker
) -> None:
    both = [gateways.start(), gateways.start()]
    worker = fleet.start()
    run = client.enqueue(talk, Work(steps=40, seconds=0.1), thread_id="shop")
    channels = ["values", "updates", "messages", "lifecycle", "checkpoints", "tasks", "custom"]
    with ExitStack() as stack:
        readers = [stack.enter_context(ProtocolReader(both, "shop", channels, n)) for n in range(3)]
        until(lambda: all(len(reader.parts) > 20 for reader in readers), 30.0, "first events")

        both[0].process.kill()
        both[0] = gateways.start()
        worker.kill()
        fleet.start()
        until(lambda: run.info().attempt > 1, 30.0, "the second attempt")
        both[1].process.term()
        until(lambda: not both[1].process.running, 20.0, "a gateway that has ended")
        both[1] = gateways.start()

        found = [reader.wait() for reader in readers]

    late = ProtocolReader(both, "shop", channels)
    with late:
        whole = late.wait()
    assert run.status() == "completed"
    seqs = [int(part[0]) for part in whole]
    assert seqs == sorted(set(seqs))
    assert len({part[2]["event_id"] for part in whole}) == len(whole)
    assert found == [whole] * len(readers)
    assert all(reader.cuts for reader in readers)
    checker.check(over=True)


def test_w1_a_question_is_answered_at_another_gateway_and_each_leg_keeps_its_words(
    fleet: Fleet, gateways: Gateways, client: Client
) -> None:
    both = [gateways.start(), gateways.start()]
    worker = fleet.start()
    run = client.enqueue("ask", "fine?", thread_id="shop")
    first_path = f"/threads/shop/runs/{run.run_id}/stream"
    with LegReader(both, first_path, ["facts"]) as reader:
        asked = reader.wait()
    both[0].process.kill()
    worker.kill()

    body = {"assistant_id": "ask", "command": {"resume": True}}
    url = f"{both[1].url}/threads/shop/runs"
    until(lambda: httpx.post(url, json=body).status_code != 503, 10.0, "an answer")
    fleet.start()
    second, first = until(lambda: _two_runs(url), 10.0, "two runs")
    with LegReader([both[1]], f"/threads/shop/runs/{second}/stream", ["facts"]) as reader:
        answered = reader.wait()

    with LegReader([both[1]], first_path, ["facts"]) as reader:
        assert reader.wait() == asked
    assert first == run.run_id
    assert [part[1] for part in (asked[-1], answered[-1])] == ["end", "end"]
    seqs = [part[2]["seq"] for part in (*asked, *answered) if part[1] == "facts"]
    assert seqs == list(range(1, len(seqs) + 1))


def _two_runs(url: str) -> list[str]:
    found = [str(run["run_id"]) for run in httpx.get(url).json()]
    return found if len(found) == 2 else []
