"""What can go wrong with a run: the branch of the error tree that belongs to workflows.

PenstockError (penstock.publisher.errors)
├── ConfigurationError         also ValueError
│   ├── GeneratorError         a task or entrypoint that yields (also NotImplementedError)
│   └── WrongKindError         a value, an option or an annotation of a wrong kind (also TypeError)
│       └── RootlessError      an entrypoint with checkpointer=True called by itself
├── OutsideRunError            a task, a writer, ... used where no run is active (also RuntimeError)
├── UnknownEntrypointError     no such entrypoint in this process
├── UnknownTaskError           no such task with a queue in this process
├── InputError                 pydantic refused the input of a run (also ValueError)
│   └── AnswerError            an answer does not fit the response_schema of its question
├── EmptyInputError            nothing to run and nothing to resume
│   └── UnknownCheckpointError no such checkpoint to go on from
├── ThreadNotFoundError        nobody knows the thread
├── ThreadExistsError          the id of a new thread is taken
├── NoWorkerError              no worker has done in time what only a worker can (also TimeoutError)
├── ResumeError                an answer that no waiting interrupt asked for
│   └── RunGoesOnError         the run goes on already, with another config
├── InvalidUpdateError         a Command or an update that no entrypoint can follow
├── StepCancelledError         a body raised CancelledError itself (also RuntimeError)
├── ReplayError                the code no longer matches what is recorded
├── LeaseLostError             another attempt owns the run
├── FeedExpiredError           entries of the feed behind a cursor are no longer kept
├── FeedRewoundError           the feed has lost entries that were read
├── WebhookNotFoundError       there is no webhook of an id
└── RunError                   has run_id
    ├── RunNotFoundError
    ├── RunConflictError       the run id is taken by another input
    ├── RunFailedError         the run ended with an error; its cause where it can be rebuilt
    │   └── PoisonRunError     the run killed its workers
    ├── RunCancelledError
    ├── InterruptTimeoutError  nobody answered in time (also TimeoutError)
    ├── RunDrainedError        in process: its RunControl was asked to drain; None goes on
    └── ThreadBusyError        another run of the thread is at work

Control flow, never failures, so that `except Exception` lets it pass:

BaseException
├── Suspend                    leave the process, come back later
└── Stop                       leave the process: the attempt is over
    ├── Cancelled              somebody cancelled the run
    ├── Drained                the process is about to end; another goes on
    └── Fenced                 another attempt owns the run
        └── LeaseUnconfirmed   or may own it: Redis has not answered for the length of a lease
"""

from __future__ import annotations

__all__ = [
    "AnswerError",
    "Cancelled",
    "ConfigurationError",
    "Drained",
    "EmptyInputError",
    "FeedExpiredError",
    "FeedRewoundError",
    "Fenced",
    "GeneratorError",
    "InputError",
    "InterruptTimeoutError",
    "InvalidUpdateError",
    "LeaseLostError",
    "NoWorkerError",
    "OutsideRunError",
    "PenstockError",
    "PoisonRunError",
    "ReplayError",
    "ResumeError",
    "RootlessError",
    "RunCancelledError",
    "RunConflictError",
    "RunDrainedError",
    "RunError",
    "RunFailedError",
    "RunGoesOnError",
    "RunNotFoundError",
    "StepCancelledError",
    "Stop",
    "Suspend",
    "ThreadBusyError",
    "ThreadExistsError",
    "ThreadNotFoundError",
    "UnknownCheckpointError",
    "UnknownEntrypointError",
    "UnknownTaskError",
    "WebhookNotFoundError",
    "WrongKindError",
]

from collections.abc import Iterable

from penstock.publisher.errors import ConfigurationError, PenstockError


class GeneratorError(ConfigurationError, NotImplementedError):
    """A function that yields was declared a task or an entrypoint."""


class WrongKindError(ConfigurationError, TypeError):
    """Something of a wrong kind was given, or under a name that means nothing here."""


class OutsideRunError(PenstockError, RuntimeError):
    """Something that belongs to a run was used where no run is active."""

    def __init__(self, what: str, where: str = "") -> None:
        """Take what was used, and where, if there is a run but nothing of it that it belongs to."""
        super().__init__(
            f"{what} was called {where}: call it from a node."
            if where
            else f"{what} was called outside of a run. Call it from an entrypoint or a task that "
            "runs by invoke, stream or a worker; a thread of your own needs the context: "
            "contextvars.copy_context().run(...)."
        )


class UnknownEntrypointError(PenstockError):
    """No entrypoint of this name is known here."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = ", ".join(sorted(known)) or "none"
        super().__init__(
            f"no entrypoint named {name!r} (known here: {names}). "
            "Start the worker with the module that defines it: penstock worker flows.py"
        )
        self.name = name


class UnknownTaskError(PenstockError):
    """No task of this name that has a queue is known here."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = ", ".join(sorted(known)) or "none"
        super().__init__(
            f"no task named {name!r} with a queue (known here: {names}). Start the queue's worker "
            "with a module that defines or imports it at its top level: penstock worker flows.py"
        )
        self.name = name


class InputError(PenstockError, ValueError):
    """The input of a run does not fit the entrypoint's annotation."""


class AnswerError(InputError):
    """An answer does not fit the schema of its question, which stays open."""


class EmptyInputError(PenstockError):
    """The input is None and the thread has nothing to resume."""


class UnknownCheckpointError(EmptyInputError):
    """The thread's history has no such checkpoint, so there is nothing to go on from."""


class InvalidUpdateError(PenstockError):
    """A Command, or a change of a thread's state, that no entrypoint can follow."""


class NoWorkerError(PenstockError, TimeoutError):
    """No worker has done in time what takes the code of a graph; it will not be done later."""


class ThreadNotFoundError(PenstockError):
    """No thread has this id: nothing ever ran on it, or its retention is over."""


class ThreadExistsError(PenstockError):
    """The id of a thread that is to be made is taken."""


class ResumeError(PenstockError):
    """An answer does not fit what the run waits for."""


class RunGoesOnError(ResumeError):
    """The run goes on already, with another config than it was to be given."""


class StepCancelledError(PenstockError, RuntimeError):
    """A body raised CancelledError itself: nobody had cancelled it."""


class ReplayError(PenstockError):
    """The code no longer matches what the run has recorded."""


class LeaseLostError(PenstockError):
    """Another attempt owns the run; what this one still writes is refused."""


class RunError(PenstockError):
    """Something about one run."""

    def __init__(self, run_id: str, message: str) -> None:
        super().__init__(message)
        self.run_id = run_id

    def __reduce__(self) -> tuple[type[RunError], tuple[str, str]]:
        return type(self), (self.run_id, str(self))


class RunNotFoundError(RunError):
    """No run has this id: it never existed, or its retention is over."""


class RunConflictError(RunError):
    """The run id is taken by a run with another entrypoint, input or thread."""


class RunFailedError(RunError):
    """The run ended with an error."""


class PoisonRunError(RunFailedError):
    """The run was given up because its workers kept dying of it."""


class FeedExpiredError(PenstockError):
    """Entries of the feed behind a cursor are no longer kept."""

    def __init__(self, after: str, oldest: str) -> None:
        super().__init__(
            f"cursor {after} of the feed has expired: the oldest entry kept is {oldest}. "
            "Following with after='0' begins with it; the setting `feed` says how many are kept."
        )
        self.after = after
        self.oldest = oldest


class FeedRewoundError(PenstockError):
    """The feed does not have the entry of a cursor, though it has older ones, or none at all."""

    def __init__(self, after: str, newest: str) -> None:
        super().__init__(
            f"the feed has no entry {after}, its newest is {newest or 'none'}: Redis has lost "
            "entries, as at a failover, or was emptied. What they told of may not have happened: "
            "look at the runs, then follow without a cursor, or with after='0'."
        )
        self.after = after
        self.newest = newest


class WebhookNotFoundError(PenstockError):
    """There is no webhook of this id."""

    def __init__(self, webhook_id: str) -> None:
        super().__init__(
            f"there is no webhook {webhook_id!r}: `penstock webhooks list` names those there are."
        )
        self.webhook_id = webhook_id


class RunCancelledError(RunError):
    """The run was cancelled."""


class InterruptTimeoutError(RunError, TimeoutError):
    """Nobody answered an interrupt in time, and it has no default; raised in the run's code."""


class RunDrainedError(RunError):
    """The run was asked to drain: it is put back, and goes on with None as the input."""


class ThreadBusyError(RunError):
    """Another run of the thread is at work and the new one was not to wait."""


class Suspend(BaseException):
    """Leaves the process until something named happens; if you caught it, raise it again.

    `waits` names what it waits for.
    """

    def __init__(self, message: str, *waits: str) -> None:
        super().__init__(message)
        self.waits = waits


class Stop(BaseException):
    """Leaves the process because the attempt is over."""


class Cancelled(Stop):
    """The run was cancelled."""


class Drained(Stop):
    """The process is about to end; another one goes on with the run."""


class Fenced(Stop):
    """Another attempt owns the run."""


class LeaseUnconfirmed(Fenced):
    """Another attempt may own the run: Redis has not answered for the length of a lease."""


class RootlessError(WrongKindError, RuntimeError):
    """An entrypoint that keeps its state on the thread of a parent was called without one."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"entrypoint {name!r} has checkpointer=True, which is for entrypoints nested in "
            "others: to call it by itself, give it a saver."
        )
