"""The thread of a worker that delivers webhooks."""

from __future__ import annotations

__all__ = ["Sender"]

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from redis import Redis
from redis.exceptions import RedisError

from penstock.publisher.chance import chance
from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import PenstockError
from penstock.publisher.plan import follow
from penstock.publisher.redis.cause import explained
from penstock.publisher.redis.connection import connect
from penstock.publisher.redis.script import run_all
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.redis.plans.feed_row import read_cursor
from penstock.runtime.redis.plans.hook_outbox import PAGE, Hook, HookOutbox, Outcome, Taken
from penstock.runtime.redis.plans.requests import Plan, Request, RequestPlans
from penstock.runtime.redis.transport import send
from penstock.runtime.settings import Settings
from penstock.runtime.types.webhook import checked_secret
from penstock.runtime.types.webhook_url import AllowedHosts
from penstock.worker.webhooks.post import post
from penstock.worker.webhooks.signature import signed_headers

logger = logging.getLogger(__name__)

EVERY: Final = 1.0
"""Seconds between two looks at what is due."""

AT_ONCE: Final = 16
"""Deliveries that one process sends at once."""

CLAIM: Final = 60.0
"""Seconds after which another worker may send what this one has claimed."""

RESTS: Final = 5.0
"""Seconds for which a worker without a key that others may have lets these read changes."""

Post = Callable[[str, Mapping[str, str], bytes, AllowedHosts], Outcome]

T = TypeVar("T")


class Sender:
    """Makes deliveries of the changes of runs, and sends those that are due.

    It has threads and connections of its own, so that no receiver keeps the worker from anything.
    The threads do not keep the process from its end: what was not sent then, or not noted as sent,
    is claimed by another worker.

    Raises:
        ConfigurationError: the setting `webhook_secret` is none.
    """

    def __init__(
        self,
        redis: Redis | str,
        settings: Settings,
        codec: Codec | None = None,
        *,
        claim: float = CLAIM,
        post: Post = post,
    ) -> None:
        self._redis = redis
        self._settings = settings
        self._codec = codec
        self._claim = claim
        self._post = post
        self._allowed = AllowedHosts(settings.webhook_hosts)
        self._secrets = _secrets_of(settings)
        self._name = uuid.uuid4().hex
        self._rests_until = 0.0
        self._connection: Redis | None = None
        self._outbox: HookOutbox | None = None
        self._is_needed = threading.Event()
        self._ended = threading.Event()
        self._changed = threading.Event()
        self._sending: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._has_complained = False

    def need(self, is_needed: bool) -> None:
        """Work from now on, or look for nothing, as long as there are no webhooks.

        Any thread may call it, again and again; it does not wait.
        """
        if not is_needed:
            return self._is_needed.clear()
        self._is_needed.set()
        with self._lock:
            if self._thread is None and not self._ended.is_set():
                self._begin_work()

    def _begin_work(self) -> None:
        thread = threading.Thread(target=self._work, name="penstock-hooks", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            logger.warning("no webhooks for now, the system refuses a thread: %s", error)
        else:
            self._thread = thread

    def close(self, patience: float = 0.0) -> None:
        """Claim nothing more; wait at most `patience` seconds for what is under way."""
        self._ended.set()
        self._changed.set()
        self._is_needed.set()
        end = time.monotonic() + patience
        with self._lock:
            threads = [*self._sending, *([self._thread] if self._thread else [])]
        for thread in threads:
            with suppress(RuntimeError):  # it has not begun
                thread.join(max(0.0, end - time.monotonic()))
        if self._connection is not None and not any(each.is_alive() for each in threads):
            self._connection.close()

    def _work(self) -> None:
        delay = EVERY
        while not self._ended.is_set():
            self._is_needed.wait()
            self._changed.clear()
            delay = EVERY if self._round() else min(2 * delay, 30.0)
            self._changed.wait(delay * chance.uniform(0.8, 1.2))

    def _round(self) -> bool:
        """Do what is due; return whether that went well. An error must not end the thread."""
        if self._ended.is_set():
            return True
        try:
            self.look()
        except (RedisError, OSError) as error:
            logger.warning("no webhooks for now: %s", explained(error))
            return False
        except Exception:
            logger.exception("the webhooks broke off")
            return False
        return True

    def look(self) -> int:
        """Make deliveries of all changes that wait, and begin to send what is due.

        Returns how many are begun.
        """
        outbox = self._open()
        if time.monotonic() >= self._rests_until:
            self._route(outbox)
        with self._lock:
            room = AT_ONCE - len(self._sending)
        taken = self._do(outbox.take(room, self._claim)) if room > 0 else []
        # Read after they were claimed: a webhook that is missing was deleted, with them.
        hooks = self._do(outbox.hooks()) if taken else {}
        return sum(self._begin(outbox, each, hooks) for each in taken)

    def _route(self, outbox: HookOutbox) -> None:
        """Make deliveries of changes, but of those that only others may have a key for."""
        after, left = "", 0
        while not self._ended.is_set():
            changes = self._do(outbox.changes(self._name, after, left))
            rows, given_up = changes.rows, changes.given_up
            if not rows:
                break
            # Read after the changes: a webhook that was put before a change is told of it.
            hooks = self._do(outbox.hooks())
            calls = [each for row in rows if (each := outbox.route(row, hooks, given_up))]
            assert self._connection is not None
            run_all(self._connection, calls)
            left += len(rows) - len(calls)
            after = read_cursor(rows[-1])
            if len(rows) < PAGE:
                self._do(outbox.let_others_read(self._name, left))
                break
        if left:
            self._rests_until = time.monotonic() + RESTS
            self._complain("a webhook or a change of a run")

    def _complain(self, what: str) -> None:
        """Log what this worker cannot read, once."""
        if not self._has_complained:
            logger.error(
                "%s cannot be read: this worker has no key for it, and leaves it to others; see "
                "the setting encryption_keys",
                what,
            )
        self._has_complained = True

    def _open(self) -> HookOutbox:
        if self._outbox is None:
            self._connection = connect(self._redis)
            codec = self._codec or self._settings.codec()
            self._outbox = HookOutbox(RequestPlans(self._settings, codec, self._connection))
        return self._outbox

    def _do(self, plan: Plan[T]) -> T:
        return follow(plan, self._ask)

    def _ask(self, request: Request) -> Any:
        assert self._connection is not None
        return send(self._connection, request)

    def _begin(self, outbox: HookOutbox, taken: Taken, hooks: Mapping[str, Hook | None]) -> bool:
        """Begin to send a delivery; return whether that is done."""
        hook = hooks.get(taken.webhook_id)
        if taken.body is None or (hook is None and taken.webhook_id in hooks):
            self._do(outbox.leave(taken))
            self._complain(f"delivery {taken.id} to webhook {taken.webhook_id}")
            return False
        if hook is None and not taken.url:
            return False  # deleted since it was claimed
        thread = threading.Thread(
            target=self._deliver, args=(taken, hook), name="penstock-hook", daemon=True
        )
        with self._lock:
            self._sending.add(thread)
        try:
            thread.start()
        except RuntimeError as error:  # the system refuses it: its claim ends by itself
            logger.warning("webhook %s is not sent yet: %s", taken.webhook_id, error)
            with self._lock:
                self._sending.discard(thread)
            return False
        return True

    def _deliver(self, taken: Taken, hook: Hook | None) -> None:
        try:
            self._note(taken, self._sent(taken, hook))
        except (RedisError, OSError, PenstockError) as error:
            logger.warning("delivery %s is not noted: %s", taken.id, explained(error))
        finally:
            with self._lock:
                self._sending.discard(threading.current_thread())
            self._changed.set()

    def _sent(self, taken: Taken, hook: Hook | None) -> Outcome:
        """Send a delivery, signed with the secrets of its webhook; raises nothing."""
        now = time.time()
        url, secrets = taken.url, self._secrets
        if hook is not None:
            url, secrets = hook.record.url, hook.record.secrets_at(now)
        try:
            body = (taken.body or "").encode("utf-8", "surrogatepass")
            headers = signed_headers(taken.id, int(now), body, secrets)
            return self._post(url, headers, body, self._allowed)
        except Exception as error:  # else it would be claimed and fail again, each minute, for ever
            logger.exception("delivery %s could not be sent", taken.id)
            return Outcome(0, f"{type(error).__name__}: {error}"[:300], 0.0, now)

    def _note(self, taken: Taken, outcome: Outcome) -> None:
        is_disabled = self._do(self._open().sent(taken, outcome))
        extra = {"webhook": taken.webhook_id, "event": "webhook.failed"}
        if outcome.error:
            logger.warning(
                "webhook %s: try %d of delivery %s failed: %s",
                *(taken.webhook_id, taken.number, taken.id, outcome.error),
                extra=extra,
            )
        if is_disabled:
            logger.error(
                "webhook %s is disabled: %s",
                *(taken.webhook_id, outcome.error),
                extra=extra | {"event": "webhook.disabled"},
            )


def _secrets_of(settings: Settings) -> tuple[str, ...]:
    """Return what deliveries to the URLs of runs are signed with."""
    if not settings.webhook_secret:
        return ()
    try:
        return (checked_secret(settings.webhook_secret),)
    except ConfigurationError as error:
        raise ConfigurationError(f"the setting webhook_secret cannot be used: {error}") from None
