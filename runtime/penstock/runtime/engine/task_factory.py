"""The asyncio tasks that a run's code creates: each is a branch with a number of its own."""

from __future__ import annotations

__all__ = ["TaskFactory"]

import asyncio
import contextvars
import inspect
from collections.abc import Coroutine, Generator
from typing import Any, Final, TypeVar, cast

from penstock.runtime.engine.step import Branch, Scope, current
from penstock.runtime.engine.waiting.parking import Parkable
from penstock.runtime.engine.waiting.watched_task import WatchedTask

T = TypeVar("T")

FRAMES: Final = 8
"""How many calls lie between `asyncio.as_completed` and the factory of its asyncio tasks."""


class BranchTask(WatchedTask[T]):
    """An asyncio task that a run's code has created."""

    def __init__(self, coro: Any, *, scope: Scope, **options: Any) -> None:
        self._hash = scope.hash_of_next()  # asyncio asks for it at once
        self.places = ()
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
        coroutine = Parkable[Any](cast(Any, coro), scope)
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
