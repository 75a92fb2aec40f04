"""A worker dies in the middle of a sentence: what it said in vain is taken back."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest

from penstock.publisher import Event, fold, subscribe
from penstock.runtime import AsyncClient, Client
from tests.faults.support import streams
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.until import until

APP = str(Path(streams.__file__))
WORDS = ["Once", " upon", " a", " time", " it", " worked"]


def facts(url: str, run_id: str) -> list[Event]:
    with subscribe(run_id, connection=url, timeout=20) as events:
        return list(events)


def plain(events: list[Event]) -> list[Any]:
    """What a run says, without when, and what differs by the name of the entrypoint."""
    return [(event.mode, event.namespace, _data(event)) for event in events]


def _data(event: Event) -> Any:
    if event.mode in ("run.started", "run.queued", "step.started"):
        return event.data["id"] if "id" in event.data else None
    if event.mode == "step.finished":
        return event.data["id"], event.data["outcome"]["value"]
    return event.data


def words(events: list[Event]) -> list[Any]:
    return [event.data for event in events if event.mode == "custom"]


def two_workers(fleet: Fleet) -> None:
    for _ in range(2):
        fleet.start(app=APP)


@pytest.mark.parametrize("flow", ["told", "atold"])
def test_a_folded_run_is_as_one_whose_worker_did_not_die(
    fleet: Fleet, client: Client, checker: Checker, flow: str
) -> None:
    two_workers(fleet)

    killed = client.enqueue(flow, {"words": WORDS, "killed_in": "tell"})
    assert killed.result(20) == "".join(WORDS)
    undisturbed = client.enqueue(flow, {"words": WORDS})  # only now: one worker is gone

    assert undisturbed.result(20) == "".join(WORDS)
    disturbed, smooth = facts(fleet.url, killed.run_id), facts(fleet.url, undisturbed.run_id)
    assert words(disturbed) == ["A story", *WORDS[:3], *WORDS]
    assert plain(fold(disturbed)) == plain(smooth) == plain(fold(smooth))
    (retry,) = [event for event in disturbed if event.mode == "step.retry"]
    assert (retry.data, retry.attempt) == ({"id": "tell:0", "void_from": 7}, 2)
    checker.check(over=True)


def test_the_words_of_the_body_come_again_and_those_of_other_steps_stay(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    two_workers(fleet)

    run = client.enqueue("chapters", {"words": WORDS, "killed_in": "tell", "fails": 1})
    run.result(20)

    folded = fold(facts(fleet.url, run.run_id))
    by_step = {
        path: [event.data for event in folded if event.mode == "custom" and event.namespace == path]
        for path in ((), ("title:0",), ("tell:0",), ("tell:1",))
    }
    assert by_step == {
        (): ["begin", "go on"],
        ("title:0",): ["A story"],
        ("tell:0",): WORDS,
        ("tell:1",): WORDS,
    }
    checker.check(over=True)


def test_a_reader_of_chunks_folds_to_the_same_however_often_it_comes_back(
    fleet: Fleet, client: Client
) -> None:
    two_workers(fleet)
    story = {"words": WORDS, "seconds": 0.02, "killed_in": "tell"}
    run = client.enqueue("told", story)
    seen: list[Event] = []
    cuts = itertools.count(1)

    def follow(most: int) -> bool:
        """Read a few chunks from the cursor, then leave; tell whether the run is over."""
        chunks = run.stream(["custom", "retry"], after=seen[-1].seq if seen else 0)
        for count, event in enumerate(chunks, 1):
            seen.append(event)
            if count == most:
                return False
        return True

    while not follow(next(cuts)):
        pass

    late = list(run.stream(["custom", "retry"]))
    assert [(event.seq, event.data) for event in seen] == [
        (event.seq, event.data) for event in late
    ]
    assert words(late) == ["A story", *WORDS[:3], *WORDS]
    assert words(fold(seen)) == words(fold(late)) == ["A story", *WORDS]
    assert [event.data for event in late if event.mode == "retry"] == [
        {"id": "tell:0", "name": "tell", "void_from": 7}
    ]
    shown = ""
    for event in late:  # as a page does it, which knows only what has come so far
        if event.mode == "retry":
            assert shown == "A story" + "".join(WORDS[:3])
            kept = [e for e in late if e.seq < event.data["void_from"] and e.mode == "custom"]
            shown = "".join(words(kept))
        else:
            shown += event.data
    assert shown == "A story" + "".join(WORDS)


def test_messages_are_taken_back_too_in_async_code(fleet: Fleet) -> None:
    two_workers(fleet)

    async def follow() -> list[Event]:
        async with AsyncClient(fleet.url) as client:
            run = await client.enqueue("atold", {"words": WORDS, "killed_in": "tell"})
            return [event async for event in run.stream(["messages", "retry"])]

    chunks = asyncio.run(follow())

    said = [event.data[0] for event in chunks if event.mode == "messages"]
    assert said == [*WORDS[:3], *WORDS]
    folded = [event.data for event in fold(chunks)]
    assert [chunk for chunk, _ in folded] == WORDS
    assert {metadata["langgraph_node"] for _, metadata in folded} == {"tell"}


def test_a_run_handed_over_takes_back_what_it_did_not_get_to_say(
    fleet: Fleet, client: Client
) -> None:
    first = fleet.start(app=APP, grace=0.2)
    run = client.enqueue("atold", {"words": WORDS, "seconds": 0.3})
    chunks = run.stream("custom")
    assert [next(chunks).data for _ in range(3)] == ["A story", *WORDS[:2]]

    first.term()
    until(lambda: not first.running)
    fleet.start(app=APP)

    assert run.result(20) == "".join(WORDS)
    assert words(fold(facts(fleet.url, run.run_id))) == ["A story", *WORDS]
