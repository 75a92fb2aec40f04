"""How an app gets runs done by workers."""

from __future__ import annotations

__all__ = ["Client"]

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Unpack

from penstock.runtime.client.enqueue_span import enqueue_span
from penstock.runtime.client.feed import Feed
from penstock.runtime.client.run import RunHandle
from penstock.runtime.client.thread import ThreadHandle, run_id_of, thread_name
from penstock.runtime.client.transport import Transport
from penstock.runtime.client.webhooks import Webhooks
from penstock.runtime.errors import ConfigurationError, ResumeError, WrongKindError
from penstock.runtime.journal.run_input import Accepting
from penstock.runtime.redis.calls import OnBusy
from penstock.runtime.redis.plans.bulk import Bulk
from penstock.runtime.redis.plans.creation import Wanted
from penstock.runtime.redis.plans.failures import failures
from penstock.runtime.redis.plans.queues import queue_states
from penstock.runtime.types.breakpoints import Nodes, check_no_breakpoints, with_breakpoints
from penstock.runtime.types.bulk import (
    BULK,
    BulkAction,
    BulkOptions,
    BulkProgress,
    bulk_order,
)
from penstock.runtime.types.config import merged
from penstock.runtime.types.durability import Durability
from penstock.runtime.types.failure_group import FailureGroup
from penstock.runtime.types.feed_entry import FeedQuery, feed_filter
from penstock.runtime.types.interrupt import NOTHING, Command
from penstock.runtime.types.queue import checked_queue
from penstock.runtime.types.run_filter import RunFilter, RunPage, RunQuery, StatusQuery
from penstock.runtime.types.tags import Tags, checked_tags
from penstock.runtime.types.validation import listed
from penstock.runtime.workflow.definition import Declared
from penstock.runtime.workflow.entrypoint import Entrypoint

NAME_LIMIT: Final = 1000


class Client(Transport):
    """Enqueues runs and gives handles on them; safe to share between threads."""

    @property
    def webhooks(self) -> Webhooks:
        """The webhooks: URLs that are told of changes of runs."""
        return Webhooks(self)

    def enqueue(
        self,
        entrypoint: Entrypoint[Any, Any] | Accepting | str,
        input: Any,
        *,
        thread_id: str | None = None,
        run_id: str | None = None,
        queue: str | None = None,
        on_busy: OnBusy = "queue",
        context: Any = None,
        config: Mapping[str, Any] | None = None,
        tags: Tags | None = None,
        retention: float | None = None,
        retention_failed: float | None = None,
        durability: Durability = "async",
        interrupt_before: Nodes | None = None,
        interrupt_after: Nodes | None = None,
        webhook: str | None = None,
    ) -> RunHandle:
        """Enqueue a run; returns its handle at once.

        `config` may name the thread as well, and the checkpoint to continue from. With `run_id` the
        call may be repeated: the same id is one run. `on_busy` chooses what to do if another run of
        the thread is queued or running: wait behind it, reject, interrupt it or roll it back. By
        its `tags`, at most 16 texts, the run is found again. It is kept for `retention` seconds
        after its end, or `retention_failed` if it fails; by default as the entrypoint says that is
        given itself, else as the settings say.
        `interrupt_before` and `interrupt_after` are nodes of a LangGraph graph, "*" for all, that
        the run is to stop at, in the place of those that it was compiled with.
        `webhook` is a URL that is told when the run is over, besides the webhooks of `webhooks`.

        Raises:
            InputError: pydantic refuses the input; nothing was written.
            CodecError: the input cannot be stored; nothing was written.
            ConfigurationError: a name or an id is one that no worker could take; an entrypoint
                has no nodes to stop at.
            RunConflictError: the run id is taken by another input.
            ThreadBusyError: the thread is busy, and on_busy is "reject".
            RedisUnavailableError: Redis did not answer; with a run id, try again.
        """
        wanted = wanted_run(
            entrypoint,
            input,
            Wanted(
                "",
                None,
                thread_id=thread_id,
                run_id=run_id,
                queue=self.settings.queue if queue is None else queue,
                on_busy=on_busy,
                context=context,
                config=with_breakpoints(config or {}, interrupt_before, interrupt_after),
                tags=tags or {},
                retention=retention,
                retention_failed=retention_failed,
                durability=durability,
                webhook=webhook,
            ),
        )
        with enqueue_span(self.settings, wanted) as traced:
            return RunHandle(self, *self.do(self.threads.changes.enqueue(traced)))

    def get(self, run_id: str) -> RunHandle:
        """Return a handle on a run.

        Raises:
            RunNotFoundError: there is none.
        """
        return RunHandle(self, run_id, self.do(self.plans.info(run_id)).thread_id)

    def unpin(self, run: RunHandle | str) -> None:
        """Let workers with any version of its code execute a run that is pinned to one.

        Raises:
            RunNotFoundError: there is none.
        """
        self.do(self.plans.unpin(run_id_of(run)))

    def runs(
        self,
        status: str | Iterable[str] | None = None,
        limit: int = 100,
        *,
        after: str | None = None,
        **query: Unpack[RunQuery],
    ) -> RunPage:
        """Read the newest runs: first the open ones, enqueued last first, then by their end.

        The filters are those of `RunQuery`. A page may be short or empty though more follow, as it
        looks at 10,000 runs at most: `page.after` is None at the end. A run that ends between two
        pages may be on both.

        Raises:
            ConfigurationError: there is no such status, the limit leaves none, or `after` is not
                the cursor of a page with the same filters.
        """
        wanted = RunFilter.of(status=status, **query)
        return self.do(self.search.page(wanted, limit, after))

    def count(self, **query: Unpack[StatusQuery]) -> int:
        """Count the runs that `runs` would find.

        By status, entrypoint and what the setting `index` lists, this reads a few keys; with other
        filters it reads the runs. Runs that are over count for up to an hour after their retention.
        """
        return self.do(self.search.count(RunFilter.of(**query)))

    def counts(self, by: str = "status", **query: Unpack[StatusQuery]) -> dict[str, int]:
        """Count the runs that `runs` would find by status, entrypoint, queue or `tag:<key>`.

        Raises:
            ConfigurationError: runs are not counted by this.
        """
        return self.do(self.search.counts(RunFilter.of(**query), by))

    def failures(self, limit: int = 100, *, cause: str | None = None) -> list[FailureGroup]:
        """Read the groups of failures, the one that grew last first; `cause` names the only one.

        `runs(error=group.cause)` finds the runs of a group.
        """
        return self.do(failures(self.search, limit, cause))

    def bulk(
        self,
        action: BulkAction,
        *,
        rate: float = 100.0,
        dry_run: bool = False,
        all: bool = False,
        accept: str | Iterable[str] = (),
        forget: str | Iterable[str] = (),
        after_step: str | None = None,
        **query: Unpack[StatusQuery],
    ) -> Iterator[BulkProgress]:
        """Do the same to all runs that pass the filters, `rate` runs a second; yields the progress.

        `cancel` and `unpin` are for open runs, `resume` for failed ones, `rerun`, `fork` and
        `delete` for those that are over. Each run is changed only if nobody has changed it since it
        was read: a bulk that was killed can be repeated, and two may be under way, and no run is
        changed twice. With `dry_run`, nothing is changed, and the progress names the runs that
        would be. `accept` and `forget` are steps of runs that are resumed, as `RunHandle.resume`
        takes them; `after_step` is the last step of runs that are forked which is not executed
        again. Runs without such a step are skipped.

        Raises:
            ConfigurationError: there is neither a filter nor `all`, or no run could be meant.
        """
        given = BulkOptions(rate=rate, all=all, accept=accept, forget=forget, after_step=after_step)
        order = bulk_order(action, query, **given)
        return self._each_step(Bulk(self.threads, self.search, self.settings, order, dry_run))

    def start_bulk(
        self,
        action: BulkAction,
        *,
        rate: float = 100.0,
        all: bool = False,
        accept: str | Iterable[str] = (),
        forget: str | Iterable[str] = (),
        after_step: str | None = None,
        worker_queue: str | None = None,
        **query: Unpack[StatusQuery],
    ) -> RunHandle:
        """Have a worker do the same to all runs that pass the filters, as a run of its own.

        The run is of the entrypoint `penstock.bulk`, which each `penstock worker` has. It tells its
        progress in custom events, goes on where a worker dies, and can be cancelled; its result
        says how many runs it has changed. It is on the queue `worker_queue`, by default that of the
        settings; all else is as `bulk` takes it.

        Raises:
            ConfigurationError: as `bulk`.
        """
        given = BulkOptions(rate=rate, all=all, accept=accept, forget=forget, after_step=after_step)
        order = bulk_order(action, query, **given)
        return self.enqueue(BULK, order.written(), queue=worker_queue)

    def _each_step(self, bulk: Bulk) -> Iterator[BulkProgress]:
        while not bulk.is_over:
            began = time.monotonic()
            progress = self.do(bulk.step())
            yield progress
            if progress.run_ids and not bulk.is_dry and not bulk.is_over:
                due = began + len(progress.run_ids) / bulk.order.rate
                time.sleep(max(0.0, due - time.monotonic()))

    def follow(self, *, after: str | None = None, **query: Unpack[FeedQuery]) -> Feed:
        """Follow the changes of all runs, or of those that pass the filters of `FeedQuery`.

        Each entry comes once, in order: what happens from now on, or behind the cursor `after`,
        where "0" stands for all that is kept. Runs are in the feed if the setting `feed` was on
        where they were enqueued. `feed.cursor` and `entry.cursor` are where to go on later.

        Raises:
            ConfigurationError: there is no feed, or `after` is not a cursor.
        """
        return Feed(self, feed_filter(**query), after)

    def backlog(self, queue: str | None = None) -> int:
        """Count the work of a queue: what waits for a worker, and what workers execute.

        It is the number to scale workers by. Runs that wait for something else do not count.

        Raises:
            ConfigurationError: the name is none of a queue.
        """
        name = checked_queue(self.settings.queue if queue is None else queue)
        (state,) = self.do(queue_states(self.plans.calls, [name]))
        return state.backlog

    def thread(self, thread_id: str) -> ThreadHandle:
        """Return a handle on a thread, known or not; nothing is asked of Redis."""
        return ThreadHandle(self, thread_name(thread_id))


def wanted_run(
    entrypoint: Entrypoint[Any, Any] | Accepting | str, argument: Any, wanted: Wanted
) -> Wanted:
    """Add the entrypoint's name and the input in its final form to a request.

    Raises:
        InputError: pydantic refuses the input.
        ResumeError: it is a Command, which is no input.
        WrongKindError: what should be an entrypoint is none.
        ConfigurationError: no worker could have an entrypoint or a queue of this name.
    """
    if isinstance(argument, Command):
        raise ResumeError(
            "a Command is not an input: answer by run.resume(answer), or where only the thread is "
            "known by client.thread(thread_id).resume(answer)."
        )
    given: Any = entrypoint
    value = asked = listed(argument)
    context, is_accepted = wanted.context, False
    if isinstance(given, Accepting):
        value, context = given.accept(asked), given.accept_context(context)
        is_accepted = given.converts(wanted.context)
    elif not isinstance(given, str):
        raise WrongKindError(
            f"a run is one of an entrypoint, which is given itself or by its name, not {given!r}."
        )
    declared = given.declared if isinstance(given, Entrypoint) else Declared()
    name = _checked_name(entrypoint if isinstance(entrypoint, str) else entrypoint.name)
    config = merged({}, wanted.config)
    if isinstance(given, Entrypoint):
        check_no_breakpoints(name, config)
    thread_id: Any = wanted.thread_id
    if thread_id is None:
        thread_id = config.get("configurable", {}).get("thread_id") or None
    return Wanted(
        name,
        value,
        thread_id=None if thread_id is None else str(thread_id),
        run_id=None if wanted.run_id is None else str(wanted.run_id),
        queue=checked_queue(wanted.queue),
        on_busy=wanted.on_busy,
        context=context,
        config=config,
        durability=wanted.durability,
        webhook=wanted.webhook,
        tags=checked_tags(wanted.tags),
        retention=_first(wanted.retention, declared.retention),
        retention_failed=_first(wanted.retention_failed, declared.retention_failed),
        is_accepted=is_accepted,
        asked=NOTHING if value is asked else asked,
    )


def _first(wanted: float | None, declared: float | None) -> float | None:
    return declared if wanted is None else wanted


def _checked_name(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"entrypoint {name[:80]!r} is no text that can be written: {error.reason}."
        ) from error
    if not 1 <= len(name) <= NAME_LIMIT:
        raise ConfigurationError(
            f"the name of an entrypoint has 1 to {NAME_LIMIT} characters, not {len(name)}: give "
            "the one that its workers know it by, or the entrypoint itself."
        )
    return name
