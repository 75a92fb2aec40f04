"""How long a body may take, and what happens when it takes longer."""

from __future__ import annotations

__all__ = ["Deadline", "Seconds", "StepTimeoutError", "TimeoutPolicy", "Timeouts", "seconds_of"]

import asyncio
import contextvars
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeAlias, get_args

from penstock.runtime.errors import ConfigurationError, PenstockError, WrongKindError

Seconds: TypeAlias = "float | timedelta"
Kind: TypeAlias = Literal["run", "idle"]
Refresh: TypeAlias = Literal["auto", "heartbeat"]


@dataclass(frozen=True, slots=True)
class TimeoutPolicy:
    """Limits of one try of a body, in seconds.

    `run_timeout` is for the whole try; `idle_timeout` for the time without a sign of life: an
    event, a step started, `runtime.heartbeat()`; with `refresh_on="heartbeat"` only the last.
    """

    run_timeout: Seconds | None = None
    idle_timeout: Seconds | None = None
    refresh_on: Refresh = "auto"

    def __post_init__(self) -> None:
        for limit in (self.run_timeout, self.idle_timeout):
            if limit is not None:
                _check(limit)
        if self.refresh_on not in get_args(Refresh):
            raise ConfigurationError(
                f'refresh_on is "auto" or "heartbeat", not {self.refresh_on!r}.'
            )


Timeouts: TypeAlias = "TimeoutPolicy | float | timedelta | None"


class StepTimeoutError(PenstockError):
    """A body took longer than its policy allows.

    `kind` is "run" or "idle", `timeout` its limit, `elapsed` the time of this try; `run_timeout`
    and `idle_timeout` are both limits. Times are in seconds.
    """

    __stored_name__ = "penstock.runtime.StepTimeoutError"

    def __init__(
        self,
        name: str,
        kind: Kind,
        timeout: float,
        elapsed: float,
        run_timeout: float | None = None,
        idle_timeout: float | None = None,
    ) -> None:
        super().__init__(name, kind, timeout, elapsed, run_timeout, idle_timeout)
        self.node = self.name = name
        self.kind = kind
        self.timeout = timeout
        self.elapsed = elapsed
        self.run_timeout = run_timeout
        self.idle_timeout = idle_timeout

    def __str__(self) -> str:
        what = "took longer than" if self.kind == "run" else "gave no sign of life for"
        return f"{self.name!r} {what} {self.timeout:g} s (ended after {self.elapsed:.2f} s)"


def policy_of(timeouts: Timeouts) -> TimeoutPolicy | None:
    """Convert the forms of a `timeout` to a policy; a bare number is the run timeout.

    A policy without limits is None.

    Raises:
        ConfigurationError: it is not greater than 0.
        WrongKindError: it is not a duration.
    """
    if timeouts is None:
        return None
    policy = timeouts if isinstance(timeouts, TimeoutPolicy) else TimeoutPolicy(timeouts)
    return policy if (policy.run_timeout, policy.idle_timeout) != (None, None) else None


class Deadline:
    """Watches one try of a body, and cancels the asyncio task that runs it or waits for it."""

    def __init__(self, policy: TimeoutPolicy, name: str) -> None:
        self._name = name
        self._policy = policy
        self._run = seconds_of(policy.run_timeout) if policy.run_timeout is not None else None
        self._idle = seconds_of(policy.idle_timeout) if policy.idle_timeout is not None else None
        self._clock = asyncio.get_running_loop().time
        self._began = self._alive = self._clock()
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._expired: Kind | None = None
        self._paused = 0
        self._rests_since = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the time is over."""
        return self._expired is not None

    def touch(self, *, heartbeat: bool = False) -> None:
        """Take note of a sign of life; from any thread."""
        if heartbeat or self._policy.refresh_on == "auto":
            self._alive = self._clock()

    def pause(self) -> None:
        """Stop the clock, while the body waits for an answer, a time or a remote step."""
        if self._paused == 0 and self._timer is not None:
            self._timer.cancel()
            self._rests_since = self._clock()
        self._paused += 1

    def go_on(self) -> None:
        """Let the clock go on where it stopped."""
        self._paused -= 1
        if self._paused == 0 and self._task is not None and self._expired is None:
            rested = self._clock() - self._rests_since
            self._began, self._alive = self._began + rested, self._alive + rested
            self._look()

    def start(self) -> None:
        """Begin to watch the current asyncio task."""
        self._began = self._alive = self._clock()
        self._task = asyncio.current_task()
        self._look()

    def finish(self) -> None:
        """Stop watching.

        Raises:
            StepTimeoutError: the time was over, whatever the body made of its cancellation.
        """
        if self._timer is not None:
            self._timer.cancel()
        task, self._task = self._task, None
        if self._expired is not None:
            limit = self._run if self._expired == "run" else self._idle
            if task is not None:
                task.uncancel()
            elapsed = self._clock() - self._began
            raise StepTimeoutError(
                self._name, self._expired, limit or 0.0, elapsed, self._run, self._idle
            )

    def _look(self) -> None:
        now = self._clock()
        ends: list[tuple[float, Kind]] = []
        if self._run is not None:
            ends.append((self._began + self._run, "run"))
        if self._idle is not None:
            ends.append((self._alive + self._idle, "idle"))
        end, kind = min(ends)
        assert self._task is not None
        if end <= now:
            self._expired = kind
            self._task.cancel()
        else:
            # In no context: it is not the run's code that waits for it.
            self._timer = self._task.get_loop().call_later(
                end - now, self._look, context=contextvars.Context()
            )


def _check(limit: Any) -> None:
    if isinstance(limit, bool) or not isinstance(limit, (int, float, timedelta)):
        raise WrongKindError(
            f"a timeout is seconds, a timedelta or a TimeoutPolicy, not {limit!r}."
        )
    if not seconds_of(limit) > 0:
        raise ConfigurationError(f"a timeout must be greater than 0, not {limit!r}.")


def seconds_of(limit: Seconds) -> float:
    """Return a duration in seconds."""
    return limit.total_seconds() if isinstance(limit, timedelta) else float(limit)
