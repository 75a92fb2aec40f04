"""The agent's demo from beginning to end: a conversation, a kill, an approval, what it proves."""

from __future__ import annotations

__all__ = ["show_agent"]

import importlib
import logging
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from penstock.publisher.event import Event
from penstock.runtime.client.client import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.settings import Settings
from penstock.worker.demo.agent.evidence import AgentEvidence, judge_agent
from penstock.worker.demo.agent.transcript import Transcript
from penstock.worker.demo.conclusion import conclude
from penstock.worker.demo.follow import PATIENCE, Follower
from penstock.worker.demo.workers import DemoError, DemoWorkers, end_on_signals
from penstock.worker.embedded import EmbeddedServer

AGENT: Final = "penstock.langgraph.demo_agent"
"""The module of the agent: loaded by name, as only its room knows LangGraph."""

THOUGHT: Final = 1.5
"""Seconds that the person takes to answer."""


def show_agent(console: Console) -> int:
    """Show the agent's demo; returns 0 if every promise was kept, else 1.

    Raises:
        ConfigurationError: the extra `langgraph` is not installed.
        DemoError: a worker does not start, or ends by itself; the run fails.
    """
    agent = _load()
    logging.getLogger("penstock.publisher").addHandler(logging.NullHandler())
    end_on_signals()
    console.print("Penstock demo: a LangGraph agent whose worker is killed", style="bold")
    with (
        tempfile.TemporaryDirectory(prefix="penstock-demo-") as scratch,
        EmbeddedServer() as server,
        DemoWorkers(server.url, Path(scratch), f"{AGENT}:agent") as workers,
        Client(settings=Settings(redis=server.url)) as client,
    ):
        pids = " and ".join(str(worker.pid) for worker in workers.workers)
        about = f"{server.kind} {server.version()} on {server.url}, workers {pids}"
        console.print(f"{about}\n", style="dim", soft_wrap=True)
        return _Demo(agent, Path(scratch) / "trace", workers, client).run(console)


def _load() -> Any:
    try:
        return importlib.import_module(AGENT)
    except ImportError as error:
        raise ConfigurationError(
            "the agent of the demo is a LangGraph graph, and LangGraph is not installed; "
            "pip install 'penstock[embedded,langgraph]'."
        ) from error


@dataclass(slots=True)
class _Kill:
    """The worker that was killed, and what a reader had then."""

    pid: int
    moment: float
    heard: int
    """Letters of the sentence."""


class _Alone(threading.Thread):
    """Has the same conversation in this process, by LangGraph without Penstock."""

    def __init__(self, agent: Any) -> None:
        super().__init__(name="demo-alone", daemon=True)
        self._agent = agent
        self.said: list[str] | None = None

    def run(self) -> None:
        self.said = self._agent.alone()


class _Demo:
    def __init__(self, agent: Any, trace: Path, workers: DemoWorkers, client: Client) -> None:
        self._agent = agent
        self._trace = trace
        self._workers = workers
        self._client = client
        self._run_id = f"agent-{uuid.uuid4().hex[:8]}"
        self._alone = _Alone(agent)
        self._kill: _Kill | None = None
        self._heard = 0
        """Letters of the sentence that the agent says."""
        self._asked = ""

    def run(self, console: Console) -> int:
        live, restless = self._follower(), self._follower(restless=True)
        transcript = Transcript(console)
        handle = self._enqueue()
        transcript.print(f"run {self._run_id} enqueued, two subscribers follow it")
        transcript.quote("customer", self._agent.COMPLAINT)
        self._alone.start()
        self._watch(live, handle, transcript)
        transcript.print(f"the run is {handle.status()}", style="bold")
        evidence = self._evidence(handle, live, restless)
        for error in (live.error, restless.error):
            if error is not None:
                transcript.print(f"a subscriber failed: {error}", style="red")
        return conclude(console, judge_agent(evidence))

    def _enqueue(self) -> RunHandle:
        complaint = {"role": "user", "content": self._agent.COMPLAINT}
        return self._client.enqueue(
            "agent",
            {"messages": [complaint]},
            run_id=self._run_id,
            context={"trace": str(self._trace)},
        )

    def _follower(self, *, restless: bool = False) -> Follower:
        follower = Follower(self._client.settings.redis, self._run_id, restless=restless)
        follower.start()
        return follower

    # -- while it runs --------------------------------------------------------------------------

    def _watch(self, live: Follower, handle: RunHandle, transcript: Transcript) -> None:
        """Show the events of the live subscriber; kill the worker in the middle of a sentence."""
        for event in live.arrivals():
            if event is None:
                self._workers.check(self._kill.pid if self._kill else 0)
            else:
                self._show(event, handle, transcript)

    def _show(self, event: Event, handle: RunHandle, transcript: Transcript) -> None:
        if event.mode == "run.started" and event.attempt == 1 and not self._asked:
            pid = self._workers.pid_of(handle.info().worker)
            transcript.print(f"worker {pid} executes the graph")
        elif event.mode == "step.retry" and self._kill is not None:
            self._show_resumed(self._kill, handle, transcript)
        elif event.mode == "run.interrupted":
            self._answer(handle, transcript)
        elif event.mode == "graph" and event.data["mode"] == "messages":
            self._show_message(event.data["chunk"][0], transcript)
            if self._kill is None and self._heard > len(self._agent.SORRY) / 2:
                self._kill_worker(handle, transcript)
        elif event.mode == "graph" and event.data["mode"] == "updates":
            self._heard = 0
            transcript.end()

    def _show_message(self, message: Any, transcript: Transcript) -> None:
        calls = ", ".join(call["name"] for call in message.get("tool_calls") or ())
        if calls:
            transcript.quote("agent", f"calls {calls}")
        elif message["type"] == "tool":
            transcript.quote("tool", message["content"])
        elif message["type"] == "AIMessageChunk":
            is_known = self._kill is not None and self._heard < self._kill.heard
            transcript.say("agent", message["content"], "dim" if is_known else "")
            self._heard += len(message["content"])

    def _kill_worker(self, handle: RunHandle, transcript: Transcript) -> None:
        pid = self._workers.pid_of(handle.info().worker)
        if self._workers.kill(pid):
            self._kill = _Kill(pid, time.monotonic(), self._heard)
            transcript.print(
                f"SIGKILL to worker {pid}, in the middle of the sentence", style="bold red"
            )

    def _show_resumed(self, kill: _Kill, handle: RunHandle, transcript: Transcript) -> None:
        seconds = time.monotonic() - kill.moment
        transcript.print(
            f"worker {self._workers.pid_of(handle.info().worker)} continues",
            style="bold green",
            detail=f"{seconds:.1f} s after the kill; what it said is void",
        )
        self._heard = 0

    def _answer(self, handle: RunHandle, transcript: Transcript) -> None:
        question = handle.result(PATIENCE)["__interrupt__"][0].value
        transcript.quote("asks", question)
        self._asked = handle.status()
        transcript.print(f"the run is {self._asked}", detail="it takes no process and no thread")
        time.sleep(THOUGHT)
        transcript.quote("answered", "yes")
        handle.resume(True)

    # -- when it is over ------------------------------------------------------------------------

    def _evidence(self, handle: RunHandle, live: Follower, restless: Follower) -> AgentEvidence:
        late = self._follower()
        for each in (live, restless, late, self._alone):
            each.join(PATIENCE)
        run = handle.info()
        if run.reason:
            raise DemoError(f"the run is {run.status}: {run.reason}")
        return AgentEvidence(
            status=run.status,
            messages=handle.result()["messages"] if run.status == "completed" else [],
            expected=self._alone.said,
            live=live.events,
            late=late.events,
            returning=restless.events,
            returns=restless.returns,
            executions=_read_trace(self._trace),
            killed_pid=self._kill.pid if self._kill else 0,
            asked=self._asked,
        )


def _read_trace(path: Path) -> list[tuple[int, str]]:
    if not path.exists():
        return []
    lines = (line.split(" ", 1) for line in path.read_text().splitlines())
    return [(int(pid), name) for pid, name in lines]
