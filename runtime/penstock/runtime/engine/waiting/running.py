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

    def began(self, step_id: str) -> None:
        """Count a step in that has no asyncio task."""
        with self._lock:
            self._in_threads[step_id] = self._in_threads.get(step_id, 0) + 1

    def ended(self, step_id: str) -> None:
        """Count a step out that has no asyncio task."""
        with self._lock:
            left = self._in_threads.pop(step_id) - 1
            if left:  # it was counted in more than once
                self._in_threads[step_id] = left
        self.on_end()
        if self._idle is not None:
            self._tell(self._idle)

    def task_began(self, step_id: str, task: asyncio.Task[Any]) -> None:
        """Count a step in that has an asyncio task; call it on the loop."""
        self._tasks[id(task)] = task, step_id  # the hash of a step's task is not C's

    def task_ended(self, task: asyncio.Task[Any]) -> None:
        """Count a step out that has an asyncio task, once; call it on the loop."""
        if self._tasks.pop(id(task), None) is not None:
            self.on_end()
            if self._idle is not None:
                self._tell(self._idle)

    def watch_task(self, step_id: str, task: asyncio.Task[Any]) -> None:
        """Count a step in until its asyncio task is done; call it on the loop."""
        self.task_began(step_id, task)
        task.add_done_callback(retrieve)
        task.add_done_callback(self.task_ended)

    def _tell(self, idle: Callable[[], object]) -> None:
        if self._is_idle:
            idle()

    @property
    def _is_idle(self) -> bool:
        # Whoever counts the last one out has taken it off before, and so sees both empty.
        return not self._tasks and not self._in_threads

    def at_work(self) -> tuple[str, ...]:
        """Return the ids of the steps that run; call it on the loop."""
        with self._lock:
            in_threads = tuple(self._in_threads)
        return (*in_threads, *(step_id for _, step_id in self._tasks.values()))

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
        self._idle = tell
        return self._is_idle
