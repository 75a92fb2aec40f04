"""A reader of the thread protocol goes on although the run that it was in is gone."""

from __future__ import annotations

import threading

import pytest
from redis import Redis

from tests.gateway.compatible.protocol_client import shown, start, stream, until
from tests.gateway.compatible.served import Served


def lose(served: Served, thread: str, run_id: str, how: str) -> None:
    """Let a run that is at work be gone."""
    if how == "rollback":
        served.sdk.runs.cancel(thread, run_id, wait=True, action="rollback")
    elif how == "delete":
        served.sdk.runs.delete(thread, run_id)
    else:
        served.sdk.runs.cancel(thread, run_id, wait=True)
        with Redis.from_url(served.redis_url) as redis:
            assert redis.delete(f"penstock:run:{run_id}") == 1


@pytest.mark.parametrize("how", ["rollback", "delete", "expire"])
def test_a_reader_is_told_of_all_runs_behind_one_that_is_gone(served: Served, how: str) -> None:
    thread = served.thread()
    run_id = start(served, thread, "paced", {"numbers": 600, "pause": 0.02})["result"]["run_id"]
    events = stream(served.url, thread, ["custom"])
    since = until(events, lambda each: True, times=9)[-1]["seq"]
    lose(served, thread, run_id, how)
    served.wait(thread, "asking", input=1)
    served.wait(thread, "asking", command={"resume": True})
    served.wait(thread, "doubled", input=3)

    found = until(stream(served.url, thread, since=since), times=3)

    assert len(shown(found, "input.requested")) == 1
    assert shown(found, "values")[-2:] == [{"answer": True}, {"result": 6}]
    assert [each["seq"] for each in found] == sorted({each["seq"] for each in found})
    assert found[0]["seq"] > since


@pytest.mark.parametrize("how", ["rollback", "delete"])
def test_a_reader_waits_behind_a_newest_run_that_is_gone(served: Served, how: str) -> None:
    thread = served.thread()
    served.wait(thread, "doubled", input=1)
    run_id = start(served, thread, "paced", {"numbers": 600, "pause": 0.02})["result"]["run_id"]
    at_work = stream(served.url, thread, ["custom"])
    since = next(at_work)["seq"]
    lose(served, thread, run_id, how)
    begin = threading.Timer(0.5, served.wait, (thread, "doubled"), {"input": 3})
    begin.start()

    found = until(stream(served.url, thread, since=since))

    begin.join()
    assert shown(found, "values") == [{"result": 6}]
