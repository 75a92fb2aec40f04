"""A step while it is performed: its tries, and the branches of code in each."""

from __future__ import annotations

__all__ = ["Branch", "Scope", "Step", "StepRunner", "current", "current_branch", "flow"]

import asyncio
import contextvars
import hashlib
import threading
import time
import zlib
from asyncio import events
from collections.abc import Awaitable, Callable, Hashable
from contextvars import copy_context
from typing import Any, Protocol
from urllib.parse import quote

from penstock.runtime.concurrency.limiter import Limiter
from penstock.runtime.concurrency.thread_pool import ThreadPool
from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.effects import Effect
from penstock.runtime.engine.function.step_function import StepFunction
from penstock.runtime.engine.waiting.future import OutcomeUse, StepFuture
from penstock.runtime.engine.waiting.order import Order
from penstock.runtime.engine.waiting.own_timers import OwnTimers
from penstock.runtime.engine.waiting.parking import Watch
from penstock.runtime.engine.waiting.place import Place
from penstock.runtime.engine.waiting.running import RunningSteps
from penstock.runtime.errors import OutsideRunError, Stop
from penstock.runtime.journal.assignment import Assignment
from penstock.runtime.journal.step_id import caller, namespace
from penstock.runtime.types.cache import CachedCall
from penstock.runtime.types.timeout import Deadline

current: contextvars.ContextVar[Branch] = contextvars.ContextVar("penstock_branch")


def current_branch(what: str) -> Branch:
    """Return the branch that the calling code runs in.

    Raises:
        OutsideRunError: no run is active here.
    """
    branch = current.get(None)
    if branch is None:
        raise OutsideRunError(what)
    return branch


def flow() -> Hashable:
    """Return what runs right now: the asyncio task, or the thread where no loop runs."""
    loop = events._get_running_loop()
    return threading.get_ident() if loop is None else asyncio.current_task(loop)


class Step:
    """One call of a task, while it is performed."""

    __slots__ = (
        "args", "arguments", "assignment", "attempt", "began", "cached", "caller", "children",
        "context", "counted", "deadline", "digest", "ended", "function", "gate", "id", "injects",
        "is_async", "is_recorded", "keeps_state", "kwargs", "name", "parent", "place", "policies",
        "queue", "runner", "scope", "task", "timeout", "tries", "use",
    )  # fmt: skip

    def __init__(
        self,
        runner: StepRunner,
        parent: Scope | None,
        step_id: str,
        task: StepFunction,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        digest: str = "",
        arguments: str | None = None,
    ) -> None:
        self.runner = runner
        self.attempt: Attempt = runner.attempt
        self.parent = parent
        self.assignment: Assignment = (
            parent.step.assignment if parent is not None else runner.attempt.assignment
        )
        self.is_recorded: bool = parent is None or parent.step.is_recorded
        self.keeps_state = False
        self.queue = ""
        self.id: str = step_id
        self.name = task.name
        self.function = task.function
        self.is_async = task.is_async
        self.policies = task.policies
        self.timeout = task.timeout
        self.injects = task.injects
        self.args = args
        self.kwargs = kwargs
        self.digest = digest
        self.arguments = arguments
        self.context = copy_context()
        self.cached: CachedCall | None = None
        self.deadline: Deadline | None = None
        self.use: OutcomeUse | None = None
        self.place: Place | None = None
        self.task: asyncio.Task[Any] | None = None
        """Its own asyncio task, if it has one."""
        self.gate: asyncio.Future[None] | None = None
        """What it waits for before it begins, where a replay is under way."""
        self.tries = 1
        self.began = time.time()
        self.caller: Step | None = None
        """The step that counts as waiting for this one, if this one takes a slot."""
        self.children = 0
        self.counted = False
        self.ended = False
        self.scope = Scope(self)

    @property
    def called_in(self) -> tuple[str, ...]:
        """The path of the step that made the call, () where the entrypoint's body did."""
        return self.parent.namespace if self.parent is not None else caller(self.id)

    def performer(self) -> Step | None:
        """Return the step that runs this one's code: itself, but for entrypoints called in line."""
        return self.calling_step() if self.id.rpartition("/")[2][:1] in ("^", "") else self

    def calling_step(self) -> Step | None:
        """Return the step whose code has called this one, None for the entrypoint's body."""
        return self.parent.step.performer() if self.parent is not None else None


class Scope:
    """One execution of an entrypoint's body or of a step, with what is counted in it."""

    __slots__ = (
        "_futures", "_namespace", "_salt", "attempt", "is_abandoned", "is_forked", "order",
        "progress", "step", "step_id", "timers",
    )  # fmt: skip

    def __init__(self, step: Step) -> None:
        self.step = step
        self.attempt = step.attempt
        self.step_id = step.id
        self._namespace: tuple[str, ...] | None = None
        self._salt = -1
        self._futures = 0
        self.progress = 0
        self.is_abandoned = False
        self.is_forked = False
        """Whether it has several branches."""
        self.order: Order | None = None
        """The order in which its code on the loop gets to know things, once it is needed."""
        self.timers: OwnTimers | None = None
        """The timers that its code on the loop has begun, if any."""

    @property
    def namespace(self) -> tuple[str, ...]:
        """The path of the step."""
        if self._namespace is None:
            self._namespace = namespace(self.step_id)
        return self._namespace

    def branch(self) -> Branch:
        """Open the branch in which the body begins."""
        return Branch(self, f"{self.step_id}/" if self.step_id else "")

    def hash_of_next(self) -> int:
        """Return the hash of the next future that its code gets: the same in every attempt.

        So a set of futures, as `asyncio.wait` returns, is in the same order in every attempt. The
        low bits count the futures of the scope, the high ones tell the scopes of a loop apart.
        """
        if self._salt < 0:
            where = f"{self.attempt.assignment.run_id}/{self.step_id}"
            self._salt = zlib.crc32(where.encode(errors="surrogatepass")) << 24
        self._futures += 1
        return self._salt + self._futures

    def is_left_behind(self) -> bool:
        """Tell whether this try is over and the calling code its own, not that of the next try.

        A writer that an object has kept from the try before says what the next one has to say.
        """
        if not self.is_abandoned:
            return False
        branch = current.get(None)
        here = branch.scope if branch is not None else self
        return here.is_abandoned or here.step_id != self.step_id

    def go_on(self) -> None:
        """Take note that the code goes on, unless the attempt is over, or the try of this code.

        What it does from here on has seen what came before.

        Raises:
            Stop, Suspend: as `check`.
        """
        attempt = self.attempt
        if self.is_abandoned or attempt.is_over or attempt.is_leaving or attempt.stopping:
            self.check()
        self.progress += 1
        if self.step.deadline is not None:
            self.step.deadline.touch()

    def check(self) -> None:
        """Leave, if the attempt is over, or the try that the calling code belongs to.

        Raises:
            Stop: it has ended, was cancelled, drained, or lost its lease; or the try has failed.
            Suspend: the run leaves its process.
        """
        if self.is_abandoned and not self.attempt.is_over and self.is_left_behind():
            step = f"of step {self.step_id!r} " if self.step_id else ""
            raise Stop(f"the try {step}is over; what comes late does not count")
        self.attempt.check()

    def asked(self, step_id: str) -> None:
        """Take note that the code has asked for a step, which may be on the record."""
        if self.order is not None:
            self.order.asked(step_id)


class Branch:
    """One flow of control inside a step; calls made in it are numbered by name.

    The id of a step is the path of its parent, the branch, its task's name and its number there:
    `load:0/parse:2`, and `load:0/~1/parse:0` in the second asyncio task that `load:0` created.
    Asyncio tasks get their number when they are created, which is the same order in every attempt,
    however their awaits interleave. A call by a flow that could not be numbered (a thread of the
    user's) is told apart by its arguments: `load:0/parse@5f3a9c01d2e4b687:0`. A call with a key
    needs neither: `load:0/parse=page-7`.
    """

    __slots__ = (
        "calls", "counts", "forks", "listed", "owner", "prefix", "reused", "scope", "timers",
    )  # fmt: skip

    def __init__(self, scope: Scope, prefix: str, owner: Hashable = None) -> None:
        self.scope = scope
        self.prefix = prefix
        self.owner = owner
        self.counts: dict[str, int] = {}
        self.calls = 0
        """How many calls, questions and sleeps it has numbered."""
        self.timers: tuple[int, dict[str, int]] = (0, {})
        self.forks = 0
        self.listed: dict[Hashable, Branch] = {}
        """The branches of coroutines for which asyncio is about to create its tasks."""
        self.reused: set[str] = set()

    @property
    def function(self) -> Callable[..., Any]:
        """The function whose code the branch is in."""
        return self.scope.step.function

    @property
    def path(self) -> str:
        """Where the branch is: its step's id and its own number, as in the ids of its steps."""
        return self.prefix.rstrip("/")

    def fork(self) -> Branch:
        """Open the branch of the next asyncio task created in this one."""
        number, self.forks = self.forks, self.forks + 1
        self.scope.is_forked = True
        return Branch(self.scope, f"{self.prefix}~{number}/")

    def identify(self, name: str, digest: str, key: str | None) -> str:
        """Give the id of the call made now."""
        if key is None and flow() == self.owner:
            return f"{self.prefix}{name}:{self._count(name)}"
        label = self._label(name, digest, key)
        return self._id(label, self._count(label), key)

    def next_id(self, name: str, digest: str, key: str | None) -> str:
        """Return the id that a call made now would have, without counting it."""
        label = self._label(name, digest, key)
        return self._id(label, self.counts.get(label, 0), key)

    def _label(self, name: str, digest: str, key: str | None) -> str:
        if key is not None:
            return f"{name}={quote(key, safe='', errors='surrogatepass')}"
        return name if flow() == self.owner else f"{name}@{digest}"

    def _id(self, label: str, count: int, key: str | None) -> str:
        if key is not None and count == 0:
            return f"{self.prefix}{label}"
        return f"{self.prefix}{label}:{count}"

    def number(self, kind: str, value: object) -> tuple[str, int]:
        """Number a question or a sleep of this branch; returns where it is, and its number there.

        Those of threads that have no number themselves are told apart by their value.
        """
        path = self.path
        if flow() != self.owner:
            path = f"{path}@{hashlib.blake2b(repr(value).encode(), digest_size=6).hexdigest()}"
        return path, self._count(f"{kind}{path}")

    def mark(self, kind: str, name: str) -> tuple[str, int]:
        """Number a passage of the branch's code, which is no call; as `number` does."""
        path = self.path
        if flow() != self.owner:
            path = f"{path}@"
        label = f"{kind}{path}/{name}"
        with self.scope.attempt.lock:
            number = self.counts.get(label, 0)
            self.counts[label] = number + 1
        return path, number

    def _count(self, label: str) -> int:
        with self.scope.attempt.lock:
            self.calls += 1
            number = self.counts.get(label, 0)
            self.counts[label] = number + 1
        return number


class Orders(Protocol):
    """The orders of one attempt, one for each scope."""

    def of(self, scope: Scope, /) -> Order | None:
        """Return the order in which a scope's code gets to know things, None where it has none."""
        ...

    def enter(self, order: Order, step: Step, what: str, /) -> Place:
        """Give a step its place; in a replay, let a new one begin when that is over."""
        ...


class StepRunner(Protocol):
    """Performs the steps of one attempt: what their code and their plans use of it."""

    attempt: Attempt
    running_steps: RunningSteps
    limiter: Limiter
    threads: ThreadPool
    loop: asyncio.AbstractEventLoop | None

    @property
    def watch(self) -> Watch | None:
        """What is told of the run's coroutines, None without a loop."""
        ...

    @property
    def orders(self) -> Orders:
        """The orders of the attempt's scopes."""
        ...

    @property
    def is_on_loop(self) -> bool:
        """Whether the calling code runs on the attempt's loop."""
        ...

    def call(
        self,
        branch: Branch,
        task: StepFunction,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: str | None = None,
    ) -> StepFuture[Any]:
        """Start a step, or give back what it is recorded to have done."""
        ...

    def perform(self, step: Step) -> Any:
        """Perform a step in this thread."""
        ...

    def watched(self, step: Step) -> Any:
        """Perform a step that has a timeout, which the loop watches, and wait for it here."""
        ...

    def from_thread(
        self, step: Step, use: OutcomeUse, launch: Callable[[], asyncio.Task[Any]]
    ) -> StepFuture[Any]:
        """Launch an asyncio task for code in a thread; returns what the thread waits for."""
        ...

    def effect(self, step: Step, effect: Effect) -> Any:
        """Do what a plan asks for, in this thread."""
        ...

    def aeffect(self, step: Step, effect: Effect) -> Awaitable[Any]:
        """Do what a plan asks for, on the loop."""
        ...
