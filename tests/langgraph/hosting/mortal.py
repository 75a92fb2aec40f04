"""A sender that dies at one of its writes, and sends each of them by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal

from penstock.publisher.redis.script import Argument, Call
from penstock.runtime.errors import LeaseLostError
from penstock.runtime.redis.journal.journal import RedisJournal
from penstock.runtime.redis.journal.sender import Outbox, Sender

DEATH = "the process died, as it was to"


class Mortal(Sender):
    """Sends what is noticed at once; before or after the n-th call nothing reaches Redis any more.

    So what one call of the journal adds is one write, and each gap between two can be died in.
    """

    def __init__(self, connection: Any, call: int, when: Literal["before", "after"]) -> None:
        super().__init__(connection)
        self._left = call
        self.calls = 0
        self._when = when
        self.is_dead = False
        self._turn = threading.Lock()

    def notice(self, outbox: Outbox, *, urgent: bool = False) -> None:
        self.flush(outbox)

    def ask(self, request: Call | tuple[Argument, ...], check: Callable[[], None]) -> Any:
        if self.is_dead:
            raise LeaseLostError(DEATH)
        return super().ask(request, check)

    def _send(self, outboxes: Sequence[Outbox], calls: Sequence[Call]) -> bool:
        with self._turn:  # threads of the graph send, too
            if not self.is_dead:
                self._left -= 1
                self.calls += 1
                self.is_dead = self._left == 0
                if not self.is_dead or self._when == "after":
                    taken = super()._send(outboxes, calls)
                    if not self.is_dead:
                        return taken
        for outbox in outboxes:
            if isinstance(outbox, RedisJournal):
                outbox.fail(LeaseLostError(DEATH))
        return True
