"""Orders of writes of an attempt that stores the state of a graph, on the real scripts alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import redis

from penstock.publisher.redis.script import Call, run
from penstock.runtime.journal.endings import Ending, Finished
from penstock.runtime.journal.put import Put
from penstock.runtime.redis.calls import Calls, Creation, Write
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.replies import Claim, Lease

RUN: Final = "run"
PLACE: Final = "thread:space"
ORDER: Final = f"{PLACE}:order"
EVENT: Final = '{"mode":"custom","data":1,"time":1}'
MINUTE: Final = 60_000
DONE: Final = Finished("completed", None)


class Hosted:
    """A run at work that stores the state of a graph."""

    def __init__(self, client: redis.Redis) -> None:
        client.flushall()
        self.client: Any = client
        self.calls = Calls(Keys())
        self.names = self.calls.keys
        self._claims = 0
        fields: dict[str, str | int] = {"entrypoint": "main", "keep": 0}
        fields |= {"retention": 60_000, "thread_retention": 0}
        queued = '{"mode":"run.queued","data":{},"time":1}'
        self.ask(self.calls.enqueue(Creation(RUN, RUN, "q", "d", "1", queued, fields=fields)))
        self.lease = self.claim()

    def ask(self, call: Call) -> Any:
        """Send a call twice; the second must change nothing."""
        answer = run(self.client, call)
        before = self.stored(PLACE), self.events()
        run(self.client, call)
        assert (self.stored(PLACE), self.events()) == before
        return answer

    def claim(self) -> Lease:
        self._claims += 1
        call = self.calls.acquire(RUN, "w", f"n{self._claims}", 8)
        claim = self.calls.acquired(run(self.client, call))
        assert isinstance(claim, Claim), claim
        return claim.lease

    def put(self, number: int, *puts: Put, ending: Ending | None = None, by: Any = None) -> str:
        """Store something with an event and a checkpoint; returns the answer."""
        write = Write(number, {f"step:{number}": "1"}, [EVENT, ""], ending, puts=list(puts))
        return self.calls.word(self.ask(self.calls.write(by or self.lease, write, 0)))

    def stored(self, name: str) -> Mapping[bytes, bytes]:
        found: Mapping[bytes, bytes] = self.client.hgetall(self.names.graph(name))
        return found

    def order(self) -> list[bytes]:
        found: list[bytes] = self.client.zrange(self.names.graph(ORDER), 0, -1)
        return found

    def events(self) -> int:
        return int(self.client.llen(self.names.events(RUN)))

    def field(self, name: str) -> bytes | None:
        value: bytes | None = self.client.hget(self.names.run(RUN), name)
        return value


def _set(field: bytes, value: bytes = b"x") -> Put:
    return Put("set", PLACE, field, value)


def _need(field: bytes) -> Put:
    return Put("need", PLACE, field)


def each_change_does_what_it_says(hosted: Hosted) -> None:
    first, second = Put("new", PLACE, b"w", b"first"), Put("new", PLACE, b"w", b"second")
    assert hosted.put(1, _set(b"p", b"one"), _set(b"p", b"two"), first, second) == "OK"
    assert hosted.stored(PLACE) == {b"p": b"two", b"w": b"first"}
    assert hosted.put(2, Put("drop", PLACE, b"p"), _set(b"q")) == "OK"
    assert hosted.stored(PLACE) == {b"w": b"first", b"q": b"x"}


def a_line_is_added_once_and_below_the_others(hosted: Hosted) -> None:
    lines = (Put("line", PLACE, b"t", text) for text in (b"a task", b"task", b"a", b"a task"))
    assert hosted.put(1, *lines) == "OK"
    assert hosted.stored(PLACE) == {b"t": b"a task\ntask\na\n"}


def a_thread_that_was_kept_for_a_time_is_kept_for_ever(hosted: Hosted) -> None:
    """A saver with a ttl has made it, before workers executed it."""
    thread = PLACE.partition(":")[0]
    names = [hosted.names.graph(each) for each in (thread, PLACE, ORDER)]
    hosted.client.hset(names[0], "space:space", "[]")
    hosted.client.hset(names[1], "p", "x")
    hosted.client.zadd(names[2], {"a": 0})
    for name in names:
        hosted.client.pexpire(name, MINUTE)
    assert hosted.put(1, Put("set", thread, b"hosted", b"agent"), _set(b"q")) == "OK"
    assert [hosted.client.pttl(name) for name in names] == [-1, -1, -1]
    hosted.client.pexpire(names[0], MINUTE)
    assert hosted.put(2, Put("set", thread, b"hosted", b"agent")) == "OK"
    assert hosted.client.pttl(names[0]) > 0, "once is enough"


def points_are_ordered_by_their_ids(hosted: Hosted) -> None:
    for number, point in enumerate((b"b", b"a", b"b"), start=1):
        assert hosted.put(number, Put("order", ORDER, point)) == "OK"
    assert hosted.order() == [b"a", b"b"]
    assert hosted.client.zscore(hosted.names.graph(ORDER), "b") == 0


def what_is_needed_is_there_or_comes_before(hosted: Hosted) -> None:
    assert hosted.put(1, _set(b"p"), _need(b"p")) == "OK"
    assert hosted.put(2, _need(b"p"), _set(b"q")) == "OK"
    assert set(hosted.stored(PLACE)) == {b"p", b"q"}


def a_write_that_needs_what_is_gone_stores_nothing(hosted: Hosted) -> None:
    hosted.put(1, _set(b"p"))
    for puts in (
        (_set(b"q"), _need(b"gone")),
        (_need(b"gone"), _set(b"gone")),  # it comes too late
        (_need(b"p"), _need(b"gone"), _set(b"q")),
        (Put("set", f"{PLACE}:other", b"gone", b"x"), _need(b"gone")),
    ):
        assert hosted.put(2, *puts) == "FENCED"
        assert (hosted.stored(PLACE), hosted.events()) == ({b"p": b"x"}, 2)
        assert not hosted.stored(f"{PLACE}:other")


def an_end_is_stored_with_what_comes_before_it(hosted: Hosted) -> None:
    assert hosted.put(1, _set(b"p"), _set(b"q"), ending=DONE) == "OK"
    assert set(hosted.stored(PLACE)) == {b"p", b"q"}
    assert (hosted.field("status"), hosted.field("graph")) == (b"completed", b"1")


def a_zombie_stores_nothing_of_a_graph(hosted: Hosted) -> None:
    zombie = hosted.lease
    hosted.client.zadd(hosted.names.leases, {RUN: 0}, xx=True)
    run(hosted.client, hosted.calls.recover(3, 60))
    hosted.lease = hosted.claim()
    assert hosted.put(1, _set(b"p", b"old"), by=zombie) == "FENCED"
    assert hosted.put(1, _set(b"p", b"new")) == "OK"
    assert hosted.put(2, _set(b"p", b"old"), by=zombie) == "FENCED"
    assert hosted.stored(PLACE) == {b"p": b"new"}


def what_is_stored_of_a_graph_is_progress(hosted: Hosted) -> None:
    hosted.client.hset(hosted.names.run(RUN), mapping={"crashes": 2, "deaths": 2})
    write = Write(1, puts=[_set(b"p")])
    assert hosted.calls.word(hosted.ask(hosted.calls.write(hosted.lease, write, 0))) == "OK"
    assert (hosted.field("crashes"), hosted.field("graph")) == (b"0", b"1")


GRAPH_SCHEDULES: Final[tuple[Callable[[Hosted], None], ...]] = (
    each_change_does_what_it_says,
    a_line_is_added_once_and_below_the_others,
    a_thread_that_was_kept_for_a_time_is_kept_for_ever,
    points_are_ordered_by_their_ids,
    what_is_needed_is_there_or_comes_before,
    a_write_that_needs_what_is_gone_stores_nothing,
    an_end_is_stored_with_what_comes_before_it,
    a_zombie_stores_nothing_of_a_graph,
    what_is_stored_of_a_graph_is_progress,
)
