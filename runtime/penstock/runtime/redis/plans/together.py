"""Several plans at once: what they read next is read in one round trip."""

from __future__ import annotations

__all__ = ["together"]

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from penstock.publisher.errors import RedisRightsError
from penstock.publisher.redis.script import Call
from penstock.runtime.redis.plans.requests import Plan, Reads, Request

T = TypeVar("T")


def together(plans: Iterable[Plan[T]]) -> Plan[list[T]]:
    """Follow plans side by side, and return what each returns.

    Script calls are sent one by one. If the Redis user may not read something, only the plan that
    asked for it gets the error. Other errors, and those of a plan itself, end all of them.
    """
    followed = [_Followed(plan) for plan in plans]
    while waiting := [each for each in followed if each.request is not None]:
        calling = [each for each in waiting if isinstance(each.request, Call)]
        if len(calling) < len(waiting):
            yield from _read([each for each in waiting if each not in calling])
        for each in calling:
            yield from each.alone()
    return [outcome for each in followed for outcome in each.outcome]


class _Followed(Generic[T]):
    """A plan, and what it asks for now."""

    def __init__(self, plan: Plan[T]) -> None:
        self._plan = plan
        self.request: Request | None = None
        """None when it is over."""
        self.outcome: tuple[T] | tuple[()] = ()
        self.answer(None)

    @property
    def commands(self) -> Sequence[tuple[str | bytes | int, ...]]:
        """The commands of the request, which is no script call."""
        if isinstance(self.request, Reads):
            return self.request.commands
        return [self.request] if isinstance(self.request, tuple) else []

    def take(self, replies: Sequence[Any]) -> None:
        """Pass on the replies to the commands."""
        self.answer(list(replies) if isinstance(self.request, Reads) else replies[0])

    def answer(self, reply: Any) -> None:
        """Let the plan go on with a reply."""
        try:
            self.request = self._plan.send(reply)
        except StopIteration as stop:
            self.request, self.outcome = None, (stop.value,)

    def alone(self) -> Plan[None]:
        """Send the request of this plan alone, and pass on the reply or the refusal."""
        assert self.request is not None
        try:
            reply = yield self.request
        except RedisRightsError as error:
            try:
                self.request = self._plan.throw(error)
            except StopIteration as stop:
                self.request, self.outcome = None, (stop.value,)
        else:
            self.answer(reply)


def _read(reading: Sequence[_Followed[Any]]) -> Plan[None]:
    try:
        replies = yield Reads([command for each in reading for command in each.commands])
    except RedisRightsError:
        for each in reading:
            yield from each.alone()
        return
    at = 0
    for each in reading:
        size = len(each.commands)
        each.take(replies[at : at + size])
        at += size
