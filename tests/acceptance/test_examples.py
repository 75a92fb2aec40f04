"""The examples do what their README says: in process, on a worker, from a browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from penstock.runtime import Client
from penstock.worker.redis_server import free_port
from tests.support.until import until

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def test_the_tour_runs_in_one_process() -> None:
    done = subprocess.run(
        [sys.executable, "flows.py"], cwd=EXAMPLES, capture_output=True, text=True, timeout=60
    )

    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "custom Started processing",
        "custom Result is 10",
        "updates {'main': 10}",
    ]
    assert "Publish this?" in lines[3]
    assert lines[4:] == [
        "published: All about sluices.",
        "custom 3",
        "custom 2",
        "custom 1",
        "values lift-off",
    ]


def test_the_files_of_a_folder_are_reported_in_one_process() -> None:
    done = subprocess.run(
        [sys.executable, "files.py", "."],
        cwd=EXAMPLES,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stderr == ""
    assert re.search(r"^README\.md: \S+", done.stdout, re.M)


def test_a_worker_takes_the_folder_as_json(redis_url: str) -> None:
    with worker(redis_url, "files.py"), Client(redis_url) as client:
        report = client.enqueue("survey", {"folder": str(EXAMPLES)}).result(timeout=30)

    assert "flows.py" in str(report)


def test_an_agent_talks_in_one_process() -> None:
    done = subprocess.run(
        [sys.executable, "agent.py"], cwd=EXAMPLES, capture_output=True, text=True, timeout=60
    )

    assert done.stderr == ""
    sorry, paid = done.stdout.splitlines()
    assert sorry.startswith("I am sorry about your blue teapot.")
    assert paid.startswith("Good news: the 34 euros")


@pytest.mark.parametrize(("answer", "last"), [(True, "on their way"), (False, "nobody wants to")])
def test_an_agent_talks_on_a_worker_and_asks_in_a_subgraph(
    redis_url: str, answer: bool, last: str
) -> None:
    said = {"messages": [{"role": "user", "content": "My teapot is broken."}]}
    with worker(redis_url, "agent.py"), Client(redis_url) as client:
        run = client.enqueue("agent", said)
        tokens = [event.data[0]["content"] for event in run.stream("messages")]
        asked = run.result(timeout=30)["__interrupt__"]
        run.resume(answer)
        messages = run.result(timeout=30)["messages"]

    assert [question.value for question in asked] == ["Refund 34 euros for order 4711?"]
    assert [message["type"] for message in messages] == ["human", "ai", "tool", "tool", "ai", "ai"]
    assert messages[4]["content"] in "".join(tokens)
    assert last in messages[5]["content"]


def test_a_browser_follows_a_run_and_comes_back_with_its_cursor(redis_url: str) -> None:
    with worker(redis_url, "flows.py"), web_app(redis_url) as web:
        run_id = start(web, "countdown", 2)

        seen: list[Frame] = []
        with web.stream("GET", f"/runs/{run_id}/events") as reply:
            assert reply.headers["content-type"].startswith("text/event-stream")
            for frame in frames(reply):
                seen.append(frame)
                if frame.mode == "custom":
                    break  # the browser goes away
        header = {"Last-Event-ID": str(seen[-1].seq)}
        with web.stream("GET", f"/runs/{run_id}/events", headers=header) as reply:
            seen += frames(reply)
        with web.stream("GET", f"/runs/{run_id}/events?after=0") as reply:
            again = list(frames(reply))

        assert [frame.seq for frame in seen] == list(range(1, len(seen) + 1))
        assert [frame.data for frame in seen if frame.mode == "custom"] == [2, 1]
        assert seen[-1].mode == "run.finished"
        assert again == seen


def test_a_browser_answers_what_a_run_asks(redis_url: str) -> None:
    with worker(redis_url, "flows.py"), web_app(redis_url) as web:
        run_id = start(web, "approval", "sluices")

        modes: list[str] = []
        with web.stream("GET", f"/runs/{run_id}/events") as reply:
            for frame in frames(reply):
                modes.append(frame.mode)
                if frame.mode == "run.interrupted":
                    answer = web.post(f"/runs/{run_id}/answer", json={"answer": True})
                    assert answer.status_code == 204
                if frame.mode == "run.finished":
                    assert frame.data["outcome"]["value"] == "published: All about sluices."

        assert modes.count("run.interrupted") == modes.count("run.resumed") == 1
        assert modes[-1] == "run.finished"


def test_a_browser_is_told_what_is_wrong(redis_url: str) -> None:
    with web_app(redis_url) as web:
        page = web.get("/")
        unknown = web.get("/runs/nobody/events")
        malformed = web.post("/runs", content="{")
        incomplete = web.post("/runs", json={"flow": "main"})

    assert "EventSource" in page.text
    assert unknown.status_code == 404
    assert "no run 'nobody'" in unknown.json()["error"]
    assert malformed.status_code == incomplete.status_code == 400


def test_a_browser_that_has_seen_the_end_or_has_a_wrong_cursor_is_told_to_stay_away(
    redis_url: str,
) -> None:
    with worker(redis_url, "flows.py"), web_app(redis_url) as web:
        run_id = start(web, "countdown", 1)
        events = f"/runs/{run_id}/events"
        with web.stream("GET", events) as reply:
            (*_, last) = frames(reply)
        answers = {
            cursor: web.get(events, headers={"Last-Event-ID": cursor})
            for cursor in (str(last.seq), str(last.seq + 1), "garbage", "-1")
        }
        given = web.get(f"{events}?after=garbage")

    statuses = [reply.status_code for reply in (*answers.values(), given)]
    assert statuses == [204, 410, 400, 400, 400]
    assert "has expired" in answers[str(last.seq + 1)].json()["error"]
    assert "Last-Event-ID" in answers["garbage"].json()["error"]


@pytest.mark.parametrize("flow", ["countdown", "approval"])
def test_a_browser_is_told_that_a_run_failed_or_was_cancelled(redis_url: str, flow: str) -> None:
    with worker(redis_url, "flows.py"), web_app(redis_url) as web, Client(redis_url) as client:
        run_id = start(web, flow, {"countdown": "ten", "approval": "x"}[flow])
        last: Frame | None = None
        with web.stream("GET", f"/runs/{run_id}/events") as reply:
            for last in frames(reply):
                if last.mode == "run.interrupted":
                    client.get(run_id).cancel()

    assert last is not None and last.mode == "run.finished"
    assert last.data["status"] == {"countdown": "failed", "approval": "cancelled"}[flow]


def test_the_page_listens_to_every_mode_that_is_stored(redis_url: str) -> None:
    page = (EXAMPLES / "page.html").read_text()
    flows = ("countdown", 1), ("approval", "x"), ("main", {"x": 1})
    stored: set[str] = set()
    with worker(redis_url, "flows.py"), web_app(redis_url) as web:
        for flow, given in flows:
            run_id = start(web, flow, given)
            with web.stream("GET", f"/runs/{run_id}/events") as reply:
                for frame in frames(reply):
                    stored.add(frame.mode)
                    if frame.mode == "run.interrupted":
                        web.post(f"/runs/{run_id}/answer", json={"answer": False})

    assert {mode for mode in stored if f'"{mode}"' not in page} == set()


@dataclass(frozen=True)
class Frame:
    """One server-sent event."""

    seq: int
    mode: str
    data: Any


def frames(reply: httpx.Response) -> Iterator[Frame]:
    """Read server-sent events as they come."""
    fields: dict[str, str] = {}
    for line in reply.iter_lines():
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif "id" in fields:
            yield Frame(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            fields = {}


def start(web: httpx.Client, flow: str, given: Any) -> str:
    reply = web.post("/runs", json={"flow": flow, "input": given})
    assert reply.status_code == 201
    run_id: str = reply.json()["run_id"]
    return run_id


@contextmanager
def worker(url: str, app: str) -> Generator[None]:
    """Run `penstock worker` over an example, from when it has announced itself."""
    command = [sys.executable, "-m", "penstock.worker.cli", "worker", app, "--redis", url]
    with process(command, {}), Client(url) as client:
        until(lambda: client.connection.zcard(client.plans.keys.entrypoints))
        yield


@contextmanager
def web_app(url: str) -> Generator[httpx.Client]:
    """Serve `web.py`; gives a browser for it."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "web:app", "--port", str(port)]
    with (
        process(command, {"PENSTOCK_REDIS_URL": url}),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as web,
    ):
        until(lambda: answers(web))
        yield web


@contextmanager
def process(command: list[str], environ: dict[str, str]) -> Generator[None]:
    child = subprocess.Popen(
        command,
        cwd=EXAMPLES,
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
        assert child.poll() is None
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def answers(web: httpx.Client) -> bool:
    try:
        return web.get("/").is_success
    except httpx.TransportError:
        return False
