"""Clients that enqueue hundreds of runs, answer, replace and cancel them; and what is right."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol, cast

import redis

from penstock.publisher.errors import RedisUnavailableError
from penstock.publisher.event import Event
from penstock.runtime import Client
from penstock.runtime.errors import ResumeError, RunFailedError, ThreadBusyError
from penstock.runtime.redis.facets import ALL
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import Settings
from penstock.runtime.types.run import RunStatus
from tests.faults.support.hearers import Hearers
from tests.faults.support.journeys import Journey, answer_to, oracle
from tests.faults.support.snapshot import Snapshot
from tests.faults.support.storm import Listener
from tests.support.branching.chance import chosen
from tests.support.branching.code import code_of
from tests.support.branching.oracle import FAILED, is_right
from tests.support.branching.oracle import answer_to as answer_of_branches
from tests.support.branching.program import Node, Tree

OPEN: Final = 40
"""Runs that are under way at once, about."""

FOLLOWED: Final = 4
"""Of so many runs one is followed from before it exists."""

PATIENCE: Final = 60.0
"""Seconds for which a client asks again and again."""

BRANCHING: Final = 0.4
"""Of so many runs, that part are random programs with branches."""

NAP: Final = 0.4
"""Seconds of a nap in them."""

OPEN_STATUSES: Final = ("queued", "running", "suspended")

KEYS: Final = Keys("penstock")

POLICIES: Final = ("queue", "queue", "reject", "interrupt", "rollback")


class Follower(Protocol):
    """Follows the facts of one run."""

    def all(self) -> list[Event]:
        """Wait for the terminal event; returns all there were."""
        ...


class Traffic:
    """Asks, by chance, for what plain Python can tell the outcome of."""

    def __init__(self, url: str, chance: random.Random) -> None:
        self.journeys: dict[str, Journey] = {}
        self.trees: dict[str, Tree] = {}
        self.followers: dict[str, Follower] = {}
        self._url = url
        self._chance = chance
        self._client = Client(url, settings=Settings(redis=url))
        self._raw = redis.Redis.from_url(url, socket_timeout=5)
        self._hearers = Hearers(url)
        self._replaceable: set[str] = set()
        self.asked = 0
        """How many runs were asked for."""
        self._refused: set[str] = set()
        """Runs whose thread was busy."""
        self._doomed: dict[str, float] = {}
        self._gone: set[str] = set()

    def close(self) -> None:
        """Let go of Redis."""
        self._hearers.close()
        self._raw.close()
        self._client.close()

    def turn(self) -> None:
        """Do what is due now: answer, cancel, ask for another run."""
        self.answer()
        self._cancel()
        if sum(len(self._client.runs(each, 100)) for each in ("queued", "running")) < OPEN:
            self._enqueue()

    # -- asking ---------------------------------------------------------------------------------

    def _enqueue(self) -> None:
        chance, run_id = self._chance, f"soak-{self.asked}"
        told: dict[str, Any] = {"run_id": run_id, "durability": chance.choice(["async", "sync"])}
        told |= self._place(run_id)
        if self.asked % FOLLOWED == 0 and told.get("on_busy") != "reject":
            self.followers[run_id] = self._follow(run_id)
        entrypoint, given = self._wish(run_id)
        self.asked += 1
        try:
            _persist(lambda: self._client.enqueue(entrypoint, given, **told))
        except ThreadBusyError:
            self._refused.add(run_id)
        if chance.random() < 0.1:
            self._doomed[run_id] = time.monotonic() + chance.uniform(0.0, 3.0)

    def _wish(self, run_id: str) -> tuple[str, Any]:
        """Choose an entrypoint and its input, and keep in mind which."""
        chance = self._chance
        if chance.random() < BRANCHING:
            tree = self.trees[run_id] = chosen(chance)
            return "branching", {"tree": tree, "nap": NAP}
        journey = self.journeys[run_id] = Journey(
            seed=self.asked,
            width=chance.randint(1, 6),
            questions=chance.choice([0, 0, 1, 2]),
            seconds=chance.choice([0.0, 0.05, 0.3, 1.0]),
            nap=chance.choice([0.0, 0.0, 0.1, 1.0, 3.0]),
        )
        return chance.choice(["walk", "awalk", "roam"]), journey.model_dump()

    def _place(self, run_id: str) -> dict[str, Any]:
        where = self._chance.random()
        if where < 0.4:
            return {}
        if where < 0.8:
            return {"thread_id": f"thread-of-{run_id}"}
        self._replaceable.add(run_id)
        shared = f"shared-{self._chance.randrange(4)}"
        return {"thread_id": shared, "on_busy": self._chance.choice(POLICIES)}

    def _follow(self, run_id: str) -> Follower:
        if self._chance.random() < 0.5:
            return Listener(self._url, run_id)
        return self._hearers.follow(run_id)

    def answer(self) -> None:
        """Answer whatever is asked."""
        for run in self._client.runs("suspended", 200):
            handle = self._client.get(run.run_id)
            with suppress(ResumeError):  # its answer was lost on the way back, or it was replaced
                for each in self._questions(run.run_id):
                    handle.resume({each.id: _answer(each.value)})

    def _questions(self, run_id: str) -> list[Any]:
        return self._client.do(self._client.plans.interrupts(run_id))

    def _cancel(self) -> None:
        for run_id, due in list(self._doomed.items()):
            if due < time.monotonic() and run_id not in self._refused:
                if self._client.get(run_id).cancel() is RunStatus.CANCELLED:
                    self._gone.add(run_id)
                self._replaceable.add(run_id)
                del self._doomed[run_id]

    # -- the end --------------------------------------------------------------------------------

    def is_over(self) -> bool:
        """Tell whether nothing is under way, and nothing asked."""
        self.answer()
        return not self._raw.zcard(KEYS.open(ALL))

    def unfinished(self) -> Iterator[str]:
        """Say of the runs that are not over what they are."""
        for status in OPEN_STATUSES:
            for run in self._client.runs(status, 200):
                tree = self.trees.get(run.run_id)
                what = code_of(Node(tree, "p", NAP)) if tree else repr(self.journeys[run.run_id])
                yield f"{run}:\n{what}"

    def attempts(self) -> int:
        """Count the attempts that were lost."""
        return sum(self._client.get(run_id).info().attempt - 1 for run_id in self._created())

    def wrong(self, now: Snapshot) -> Iterator[str]:
        """Say which runs did not come to what plain Python comes to, or were not seen so."""
        runs = now.runs()
        for run_id in self._created():
            if run_id not in runs:
                yield f"run {run_id} is not there"
                continue
            yield from self._outcome(run_id, runs[run_id])
        for run_id, follower in self.followers.items():
            seen = [(event.seq, event.mode, event.attempt) for event in follower.all()]
            stored = [(entry.seq, entry.mode, entry.attempt) for entry in now.events(run_id)]
            if seen != stored:
                yield f"I15 run {run_id}: seen {seen}, stored {stored}"

    def _created(self) -> list[str]:
        return [each for each in (*self.journeys, *self.trees) if each not in self._refused]

    def _outcome(self, run_id: str, run: Mapping[str, str]) -> Iterator[str]:
        if run["status"] == "cancelled":
            if run_id not in self._replaceable:
                yield f"run {run_id} was cancelled by nobody: {run.get('reason')}"
            return
        if run_id in self._gone:
            yield f"run {run_id} is {run['status']}, though it was cancelled"
            return
        if run_id in self.trees:
            yield from self._outcome_of_branches(run_id)
            return
        if run["status"] != "completed":
            yield f"run {run_id} is {run['status']}: {run.get('reason')}"
            return
        expected = oracle(self.journeys[run_id])
        result = cast("dict[str, Any]", self._client.get(run_id).result(1))
        if result != expected:
            yield f"run {run_id} came to {result}, not {expected}"

    def _outcome_of_branches(self, run_id: str) -> Iterator[str]:
        root = Node(self.trees[run_id], "p", NAP)
        try:
            result = self._client.get(run_id).result(1)
        except RunFailedError as error:
            if type(error.__cause__).__name__ != "PlannedError":
                yield f"run {run_id} failed: {error}\n{code_of(root)}"
                return
            result = FAILED
        if not is_right(root, result):
            yield f"run {run_id} came to {result}\n{code_of(root)}"


def _answer(question: Any) -> Any:
    return answer_of_branches(question) if isinstance(question, str) else answer_to(question)


def _persist(act: Callable[[], Any]) -> None:
    """Do it, as often as it takes."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            act()
            return
        except RedisUnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
