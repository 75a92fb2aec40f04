"""Which steps of an attempt are running."""

from __future__ import annotations

__all__ = ["RunningSteps"]

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from penstock.runtime.engine.waiting.future import retrieve


class RunningSteps:
    """Counts the running steps, so that a run does not end before them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._tasks: dict[int, tuple[asyncio.Task[Any], str]] = {}
        self._in_threads: dict[str, int] = {}
        self._idle: Callable[[], object] | None = None
        self.on_end: Callable[[], object] = bool
        """Called as a step ends, from any thread."""
        self.held: set[str] = set()
        """Steps that wait for the end of a replay before they begin."""
        self.parked: set[str] = set()
        """Steps on the loop that wait outside of their bodies: for a try, or another queue."""
        self.recorded: set[str] = set()
        """Steps on the loop that have ended, and whose callers cannot know it yet."""
        self.has_cancelled = False
        """Whether the steps on the loop were cancelled, and so whoever waits for one of them."""

    def began(self, step_id: str, task: asyncio.Task[Any] | None = None) -> None:
        """Count a step in; with its asyncio task, if it has one, which counts it out again."""
        with self._lock:
            self._running += 1
            if task is None:
                self._in_threads[step_id] = self._in_threads.get(step_id, 0) + 1
        if task is not None:
            self._tasks[id(task)] = task, step_id  # the hash of a step's task is not C's
            task.add_done_callback(self._task_ended)

    def ended(self, step_id: str) -> None:
        """Count a step out that has no asyncio task."""
        with self._lock:
            left = self._in_threads.pop(step_id) - 1
            if left:  # it was counted in more than once
                self._in_threads[step_id] = left
            idle = self._count_out()
        self._tell(idle)

    def _count_out(self) -> Callable[[], object] | None:
        """Count a step out, with the lock; returns what is to be told if it was the last."""
        self._running -= 1
        return self._idle if self._running == 0 else None

    def _tell(self, idle: Callable[[], object] | None) -> None:
        self.on_end()
        if idle is not None:
            idle()

    def at_work(self) -> tuple[str, ...]:
        """Return the ids of the steps that run; call it on the loop."""
        with self._lock:
            in_threads = tuple(self._in_threads)
        return (*in_threads, *(step_id for _, step_id in self._tasks.values()))

    def _task_ended(self, task: asyncio.Task[Any]) -> None:
        retrieve(task)
        del self._tasks[id(task)]
        with self._lock:
            idle = self._count_out()
        self._tell(idle)

    @property
    def tasks(self) -> set[asyncio.Task[Any]]:
        """The asyncio tasks of the steps that run on the loop."""
        return {task for task, _ in self._tasks.values()}

    def cancel_tasks(self) -> None:
        """Cancel the steps that run on the loop; call it on the loop."""
        self.has_cancelled = True
        for task, _ in tuple(self._tasks.values()):
            task.cancel()

    def cancel_below(self, step_id: str) -> None:
        """Cancel the steps on the loop that a step has called; call it on the loop."""
        for task, below in tuple(self._tasks.values()):
            if below.startswith(f"{step_id}/"):
                task.cancel()

    def join(self) -> None:
        """Return when no step is running."""
        done = threading.Event()
        if not self._when_idle(done.set):
            done.wait()

    async def ajoin(self) -> None:
        """As `join`, without blocking the loop."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        if not self._when_idle(lambda: loop.call_soon_threadsafe(done.set)):
            await done.wait()

    def _when_idle(self, tell: Callable[[], object]) -> bool:
        with self._lock:
            self._idle = tell
            return self._running == 0
