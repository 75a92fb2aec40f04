"""What the current code belongs to: one execution of a body or of a step."""

from __future__ import annotations

__all__ = ["Scope", "TaskFactory", "current", "current_branch"]

import asyncio
import contextvars
import inspect
import zlib
from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from penstock.runtime.errors import OutsideRunError
from penstock.runtime.lineage import Branch, namespace
from penstock.runtime.order import Order
from penstock.runtime.parking import Parkable

if TYPE_CHECKING:
    from penstock.runtime.perform import Step

T = TypeVar("T")

FRAMES: Final = 8
"""How many calls lie between `asyncio.as_completed` and the factory of its asyncio tasks."""

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


class Scope:
    """One execution of an entrypoint's body or of a step, with what is counted in it."""

    __slots__ = (
        "_futures", "_namespace", "_salt", "attempt", "is_abandoned", "is_forked", "order",
        "progress", "step", "step_id",
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

    def advance(self) -> None:
        """Take note that the code goes on: what it does from here on has seen what came before."""
        self.progress += 1
        if self.step.deadline is not None:
            self.step.deadline.touch()


class BranchTask(asyncio.Task[T]):
    """An asyncio task that a run's code has created."""

    def __init__(self, coro: Any, *, scope: Scope, **options: Any) -> None:
        self._hash = scope.hash_of_next()  # asyncio asks for it at once
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._hash


class TaskFactory:
    """Numbers the asyncio tasks that a run's code creates, on one event loop.

    Stands in front of the loop's own factory while a run is active there, and leaves when the last
    one ends.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._previous = loop.get_task_factory()
        self._runs = 0

    @classmethod
    def enter(cls, loop: asyncio.AbstractEventLoop) -> TaskFactory:
        """Put a factory on the loop, or join the one that is there."""
        factory = loop.get_task_factory()
        if not isinstance(factory, TaskFactory):
            factory = cls(loop)
            loop.set_task_factory(factory)
        factory._runs += 1
        return factory

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Undo one `enter`."""
        self._runs -= 1
        if self._runs == 0 and loop.get_task_factory() is self:
            loop.set_task_factory(self._previous)

    def __call__(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any] | asyncio.Future[Any],
        **options: Any,
    ) -> asyncio.Future[Any]:
        """Create an asyncio task, in a branch of its own when a run's code asks for it."""
        if isinstance(coro, asyncio.Future):  # as a call of a step returns
            coro = _outcome(coro)
        branch = current.get(None)
        if branch is None or options.get("context") is not None or _closes_generator(coro):
            return self._create(loop, coro, options)
        fork = _fork(branch, coro)
        options["context"] = context = contextvars.copy_context()
        context.run(current.set, fork)
        scope = branch.scope
        coroutine = Parkable[Any](cast(Any, coro), scope, scope.step.runner.watch)
        if self._previous is None:
            options["scope"] = scope
        fork.owner = coroutine.task = task = self._create(loop, coroutine, options)
        return task

    def _create(
        self, loop: asyncio.AbstractEventLoop, coro: Any, options: dict[str, Any]
    ) -> asyncio.Future[Any]:
        if "scope" in options:
            return BranchTask(coro, loop=loop, **options)
        if self._previous is None:
            return asyncio.Task(coro, loop=loop, **options)
        return self._previous(loop, coro, **options)


def _fork(branch: Branch, coro: Any) -> Branch:
    """Open the branch of an asyncio task that is created now."""
    fork = branch.listed.pop(coro, None)
    if fork is not None:
        return fork
    for each in _listed():
        if each not in branch.listed:
            branch.listed[each] = branch.fork()
    return branch.listed.pop(coro, None) or branch.fork()


def _listed() -> list[Any]:
    """Return the coroutines for which `as_completed` creates asyncio tasks now, in their order.

    It creates them in the order of a set, which is another one in each attempt.
    """
    frame = inspect.currentframe()
    for _ in range(FRAMES):
        frame = frame.f_back if frame is not None else None
        if frame is not None and frame.f_code is asyncio.as_completed.__code__:
            given: Any = frame.f_locals["fs"]
            found = [each for each in given if asyncio.iscoroutine(each)]
            return found if isinstance(given, (list, tuple)) else sorted(found, key=_described)
    return []


def _described(coro: Any) -> str:
    return f"{coro.__qualname__} {getattr(coro.cr_frame, 'f_locals', '')}"


async def _outcome(future: asyncio.Future[Any]) -> Any:
    return await future


def _closes_generator(coro: object) -> bool:
    """Tell whether this is what a loop does with an async generator that was left early.

    It comes later, the body may have gone on by then or not: so it must not take a number.
    """
    return type(coro).__name__ == "async_generator_athrow"
