"""The thread of a worker that delivers webhooks."""

from __future__ import annotations

__all__ = ["Sender"]

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from redis import Redis
from redis.exceptions import RedisError

from penstock.publisher.chance import chance
from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import EncryptionError, PenstockError
from penstock.publisher.plan import follow
from penstock.publisher.redis.cause import explained
from penstock.publisher.redis.connection import connect
from penstock.publisher.redis.script import run_all
from penstock.runtime.concurrency.patient_pool import start
from penstock.runtime.redis.plans.hook_outbox import PAGE, HookOutbox, Outcome, Taken
from penstock.runtime.redis.plans.requests import Plan, Request, RequestPlans
from penstock.runtime.redis.transport import send
from penstock.runtime.settings import Settings
from penstock.runtime.types.webhook import WebhookRecord
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

Post = Callable[[str, Mapping[str, str], bytes, AllowedHosts], Outcome]

T = TypeVar("T")


class Sender:
    """Makes deliveries of the changes of runs, and sends those that are due.

    It has threads and connections of its own, so that no receiver keeps the worker from anything.
    The threads do not keep the process from its end: what was not sent then, or not noted as sent,
    is claimed by another worker.
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
        self._connection: Redis | None = None
        self._outbox: HookOutbox | None = None
        self._records: Mapping[str, WebhookRecord] = {}
        self._is_needed = threading.Event()
        self._ended = threading.Event()
        self._changed = threading.Event()
        self._sending: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._was_unreadable = False

    def need(self, is_needed: bool) -> None:
        """Work from now on, or look for nothing, as long as there are no webhooks."""
        if not is_needed:
            return self._is_needed.clear()
        self._is_needed.set()
        if self._thread is None and not self._ended.is_set():
            self._thread = threading.Thread(target=self._work, name="penstock-hooks", daemon=True)
            start(self._thread)

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
        except EncryptionError as error:
            if not self._was_unreadable:
                logger.error("this worker delivers no webhooks: %s", error)
            self._was_unreadable = True
            return False
        except (RedisError, OSError) as error:
            logger.warning("no webhooks for now: %s", explained(error))
            return False
        except Exception:
            logger.exception("the webhooks broke off")
            return False
        self._was_unreadable = False
        return True

    def look(self) -> int:
        """Make deliveries of all changes that wait, and begin to send what is due.

        Returns how many are begun.
        """
        outbox = self._open()
        self._records = self._do(outbox.records())
        assert self._connection is not None
        while not self._ended.is_set():
            changes = self._do(outbox.changes())
            if changes:
                run_all(self._connection, [outbox.route(each, self._records) for each in changes])
            if len(changes) < PAGE:
                break
        with self._lock:
            room = AT_ONCE - len(self._sending)
        taken = self._do(outbox.take(room, self._claim)) if room > 0 else []
        for each in taken:
            self._begin(each)
        return len(taken)

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

    def _begin(self, taken: Taken) -> None:
        thread = threading.Thread(
            target=self._deliver, args=(taken,), name="penstock-hook", daemon=True
        )
        with self._lock:
            self._sending.add(thread)
        try:
            thread.start()
        except RuntimeError as error:  # the system refuses it: its claim ends by itself
            logger.warning("webhook %s is not sent yet: %s", taken.webhook_id, error)
            with self._lock:
                self._sending.discard(thread)

    def _deliver(self, taken: Taken) -> None:
        try:
            self._note(taken, self.sent(taken))
        except (RedisError, OSError, PenstockError) as error:
            logger.warning("delivery %s is not noted: %s", taken.id, explained(error))
        finally:
            with self._lock:
                self._sending.discard(threading.current_thread())
            self._changed.set()

    def sent(self, taken: Taken) -> Outcome:
        """Send a delivery, signed with the secrets of its webhook."""
        record, now = self._records.get(taken.webhook_id), time.time()
        url, secrets = taken.url, tuple(filter(None, (self._settings.webhook_secret,)))
        if not url:
            if record is None:
                return Outcome(0, "it was deleted", 0.0, now)
            url, secrets = record.url, record.secrets_at(now)
        body = taken.body.encode("utf-8", "surrogatepass")
        headers = signed_headers(taken.id, int(now), body, secrets)
        return self._post(url, headers, body, self._allowed)

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
