"""Orders of what clients and workers do to webhooks, on the real scripts alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import redis

from penstock.publisher.redis.script import Call, run
from penstock.runtime.redis.calls import Calls, Creation
from penstock.runtime.redis.hook_calls import HookCalls
from penstock.runtime.redis.keys import Keys

RECORD: Final = "a record"
MINUTE: Final = 60_000
MOST: Final = 100_000
"""Deliveries that may wait for a webhook."""

OWN: Final = "~digest"
QUEUED: Final = '{"mode":"run.queued","data":{},"time":1}'


class Outbox:
    """A Redis with webhooks, written and sent by nothing but calls of scripts."""

    def __init__(self, client: redis.Redis) -> None:
        client.flushall()
        self.client: Any = client
        self.calls = Calls(Keys())
        self.hooks = HookCalls(self.calls.keys)
        self.names = self.calls.keys

    def ask(self, call: Call) -> Any:
        return run(self.client, call)

    def put(self, name: str = "w", record: str = RECORD, before: str = "", most: int = 9) -> str:
        return self.calls.word(self.ask(self.hooks.put(name, before, record, most)))

    def enqueue(self, run_id: str, url: str = "", **fields: str | int) -> None:
        """Enqueue a run, perhaps with a webhook of its own."""
        given: dict[str, str | int] = {"entrypoint": "main", "keep": 0, "retention": MINUTE}
        recorded = {"webhook": url} if url else {}
        creation = Creation(
            *(run_id, run_id, "q", "d", "1", QUEUED), fields=given | fields, recorded=recorded
        )
        self.ask(self.calls.enqueue(creation))

    def cancel(self, run_id: str) -> None:
        self.ask(self.calls.cancel(run_id, "cancelled"))

    def changes(self, reader: str = "r", after: str = "", count: int = 100, left: int = 0) -> Any:
        return self.look(reader, after, count, left)[1]

    def look(
        self, reader: str = "r", after: str = "", count: int = 100, left: int = 0
    ) -> tuple[int, Any]:
        """Read until when changes are given up, and the changes."""
        call = self.hooks.changes(reader, MINUTE, after, count, left=left, patience=MINUTE)
        given_up, rows = self.ask(call)
        return int(given_up), rows

    def field(self, row: Any, name: bytes) -> str:
        fields = dict(zip(row[1][::2], row[1][1::2], strict=True))
        return str(fields[name].decode())

    def route(
        self, row: Any, *names: str, run_id: str = "", record: str = RECORD, most: int = MOST
    ) -> int:
        """Make deliveries of a change for webhooks, of which each has at most so many."""
        change, own = row[0].decode(), self.field(row, b"run")
        delivery, seq = f"{own}.{self.field(row, b'seq')}", self.field(row, b"seq")
        targets = [(name, delivery, record) for name in names]
        call = self.hooks.route_change(change, run_id or own, seq, targets)
        given = [most if each == MOST else each for each in call.args]
        return int(self.ask(replace(call, args=tuple(given))))

    def add(self, *deliveries: str, name: str = "w") -> int:
        """Make deliveries of nothing."""
        targets = [(name, each, RECORD) for each in deliveries]
        return int(self.ask(self.hooks.route_change("", "", "", targets)))

    def take(self, room: int = 16, claim: int = MINUTE) -> list[Any]:
        return list(self.ask(self.hooks.take_deliveries(room, claim)))

    def sent(self, taken: Any, word: str, delay: int | None = MINUTE, line: str = "a line") -> str:
        name, delivery, _, claim, _ = taken
        call = self.hooks.note_delivery(
            name.decode(), delivery.decode(), claim, word, delay, line, "an error"
        )
        return self.calls.word(self.ask(call))

    def switch(self, disabled: str, name: str = "w") -> str:
        return self.calls.word(self.ask(self.hooks.switch(name, disabled)))

    def count(self, what: str, name: str = "w") -> int:
        return int(self.client.hget(self.names.webhook(name), what) or 0)

    def has(self, field: str, name: str = "w") -> bool:
        return bool(self.client.hexists(self.names.webhook(name), field))

    def waiting(self, name: str = "w") -> set[str]:
        """The deliveries that wait, as all keys have them."""
        due = {each.decode() for each in self.client.zrange(self.due(name), 0, -1)}
        stored = {each.decode() for each in self.client.hkeys(self.part("waiting", name))}
        assert {each for each in stored if "/" not in each} == due
        assert {each.partition("/")[0] for each in stored} == due
        return due

    def part(self, part: str, name: str = "w") -> str:
        return self.names.webhook(f"{name}:{part}")

    def due(self, name: str = "w") -> str:
        return self.part("due", name)

    def left(self, name: str) -> list[bytes]:
        """All keys of a webhook."""
        return list(self.client.keys(f"{self.names.webhook(name)}*"))

    def later(self, delivery: str) -> float:
        """How many ms from now a delivery is due."""
        seconds, micros = self.client.time()
        due = float(self.client.zscore(self.due(), delivery))
        return due - int(seconds) * 1000 - int(micros) / 1000


def a_webhook_is_written_as_it_was_read(outbox: Outbox) -> None:
    assert outbox.put() == "OK"
    assert outbox.put() == "OK"  # sent twice
    assert outbox.put(record="b") == "MOVED"
    assert outbox.put(record="b", before=RECORD) == "OK"
    assert outbox.put("v", most=1) == "FULL"
    assert outbox.put(record="c", before="b", most=1) == "OK"


def nothing_is_left_of_a_webhook_that_is_deleted(outbox: Outbox) -> None:
    outbox.put()
    outbox.add("a", "b")
    outbox.sent(outbox.take(1)[0], "failed")
    assert outbox.put(record="", before=RECORD) == "OK"
    assert outbox.left("w") == []
    assert not outbox.client.exists(outbox.names.webhooks, outbox.names.webhooks_due)
    assert outbox.add("late") == 0
    assert outbox.left("w") == []


def changes_of_runs_are_kept_while_there_are_webhooks(outbox: Outbox) -> None:
    outbox.enqueue("before")
    assert not outbox.client.exists(outbox.names.hooks)
    outbox.put()
    outbox.enqueue("r")
    outbox.enqueue("own", "a url", hooks="own")
    outbox.enqueue("forked", "a url")  # it has the URL of the run before among its records
    urls = [outbox.field(row, b"url") for row in outbox.changes()]
    assert urls == ["", "a url", ""]
    fill = "for at = 1, 100000 do redis.call('XADD', KEYS[1], '*', 'a', 'b') end"
    outbox.client.eval(fill, 1, outbox.names.hooks)
    outbox.cancel("r")
    outbox.cancel("own")
    assert outbox.client.get(outbox.names.hooks_lost) == b"2"
    assert 0 < outbox.client.ttl(outbox.names.hooks_lost)


def one_worker_reads_changes(outbox: Outbox) -> None:
    outbox.put()
    for run_id in ("a", "b", "c"):
        outbox.enqueue(run_id)
    rows = outbox.changes("one", count=2)
    assert [outbox.field(row, b"run") for row in rows] == ["a", "b"]
    assert outbox.changes("other") == []
    rest = outbox.changes("one", after=rows[-1][0].decode(), count=2)
    assert [outbox.field(row, b"run") for row in rest] == ["c"]
    outbox.changes("other", count=0)
    assert outbox.changes("other") == []
    assert 0 < outbox.client.pttl(outbox.names.hooks_reader) <= MINUTE
    outbox.changes("one", count=0)
    assert len(outbox.changes("other")) == 3


def changes_are_given_up_that_readers_have_left_for_a_minute(outbox: Outbox) -> None:
    unread = outbox.names.hooks_unread
    outbox.put()
    outbox.enqueue("r")
    outbox.changes("one", count=0)
    assert not outbox.client.exists(unread)
    outbox.changes("one", count=0, left=1)
    since = int(outbox.client.get(unread))
    assert 0 < outbox.client.pttl(unread) <= MINUTE
    assert outbox.look()[0] == 0
    outbox.changes(count=0, left=1)
    assert int(outbox.client.get(unread)) == since
    outbox.client.set(unread, since - MINUTE)
    given_up, rows = outbox.look()
    assert since - MINUTE <= given_up < int(rows[0][0].partition(b"-")[0])
    outbox.changes(count=0)
    assert not outbox.client.exists(unread)


def a_change_that_no_worker_can_read_is_counted(outbox: Outbox) -> None:
    outbox.put()
    outbox.client.xadd(outbox.names.hooks, {"a": "b"}, id="1-1")
    outbox.client.xadd(outbox.names.hooks, {"run": "r", "seq": "1"}, id="1-2")
    outbox.ask(outbox.hooks.lose_change("1-1", b"r", b"1"))  # the stream began anew
    assert outbox.client.xlen(outbox.names.hooks) == 2
    for cursor, run_id, seq in (("1-1", b"", b""), ("1-2", b"r", b"1"), ("1-1", b"", b"")):
        outbox.ask(outbox.hooks.lose_change(cursor, run_id, seq))
    assert not outbox.client.exists(outbox.names.hooks)
    assert outbox.client.get(outbox.names.hooks_lost) == b"2"
    assert 0 < outbox.client.ttl(outbox.names.hooks_lost)


def a_change_becomes_deliveries_once(outbox: Outbox) -> None:
    outbox.put()
    outbox.put("v")
    outbox.enqueue("r")
    (row,) = outbox.changes()
    assert outbox.route(row, "w", run_id="another") == 0  # the stream began anew
    assert outbox.route(row, "w", "v", "deleted") == 2
    assert not outbox.client.exists(outbox.names.hooks)
    assert (outbox.waiting(), outbox.waiting("v"), outbox.left("deleted")) == ({"r.1"}, {"r.1"}, [])
    for taken in outbox.take():
        assert outbox.sent(taken, "ok") == "OK"
    assert outbox.route(row, "w") == 0
    assert outbox.waiting() == set()


def what_is_not_told_is_counted(outbox: Outbox) -> None:
    outbox.put()
    for number in range(5):
        outbox.enqueue(f"r{number}")
    rows = outbox.changes()
    assert [outbox.route(row, "w", most=2) for row in rows[:3]] == [1, 1, 0]
    outbox.route(rows[3], "w", record="")  # no worker can read the webhook
    outbox.switch("by hand")
    outbox.route(rows[4], "w")
    assert outbox.add("by hand") == 0  # no change
    assert (outbox.count("dropped"), outbox.count("skipped")) == (1, 2)
    assert len(outbox.waiting()) == 2


def the_keys_of_the_url_of_a_run_end(outbox: Outbox) -> None:
    outbox.put()
    outbox.enqueue("r", "a url", hooks="own")
    assert outbox.route(outbox.changes()[0], OWN) == 1
    assert all(outbox.client.pttl(each) > 0 for each in outbox.left(OWN))
    assert outbox.sent(outbox.take()[0], "failed") == "OK"
    assert all(outbox.client.pttl(each) > 0 for each in outbox.left(OWN))
    assert not outbox.client.exists(outbox.part("log", OWN))
    outbox.client.zadd(outbox.due(OWN), {"r.1": 1})
    assert outbox.sent(outbox.take()[0], "gone") == "OK"  # given up, and never disabled
    assert outbox.waiting(OWN) == set()
    assert not outbox.has("disabled", OWN)


def the_urls_of_runs_are_counted_together(outbox: Outbox) -> None:
    outbox.put()
    for number in range(5):
        outbox.enqueue(f"r{number}", "a url", hooks="own")
    rows = outbox.changes()
    outbox.route(rows[0], OWN)
    outbox.route(rows[1], f"{OWN}2")
    for taken, word in zip(outbox.take(), ("ok", "gone"), strict=True):
        outbox.sent(taken, word, None)
    ends = outbox.client.pttl(outbox.names.webhook("~"))
    outbox.client.persist(outbox.names.webhook("~"))
    outbox.route(rows[2], OWN, most=0)
    assert min(ends, outbox.client.pttl(outbox.names.webhook("~"))) > 0
    outbox.route(rows[3], "~", record="")  # no worker can read the URL
    outbox.route(rows[4], "w", record="")
    outbox.add("named")
    outbox.sent(outbox.take()[0], "ok")
    found = outbox.client.hgetall(outbox.names.webhook("~"))
    assert found == {b"delivered": b"1", b"failed": b"1", b"dropped": b"1", b"skipped": b"1"}


def a_delivery_is_claimed_by_one(outbox: Outbox) -> None:
    outbox.put()
    outbox.add("a")
    ((name, delivery, record, claim, tries),) = outbox.take()
    assert (name, delivery, record) == (b"w", b"a", RECORD.encode())
    assert (claim, tries) == (1, b"0")
    assert outbox.take() == []
    assert 0.9 * MINUTE < outbox.later("a") <= MINUTE


def a_claim_that_is_over_is_worth_nothing(outbox: Outbox) -> None:
    outbox.put()
    outbox.add("a")
    (old,) = outbox.take(claim=0)
    (new,) = outbox.take()
    assert (new[3], new[4]) == (2, b"0")  # claims are no tries
    assert outbox.sent(old, "failed") == "STALE"
    assert outbox.sent(old, "later") == "STALE"
    assert outbox.count("last_failed") == 0
    assert outbox.sent(old, "ok") == "OK"  # it has come
    assert outbox.sent(new, "failed") == "STALE"
    assert (outbox.waiting(), outbox.count("delivered")) == (set(), 1)


def four_are_sent_to_a_webhook_at_once(outbox: Outbox) -> None:
    outbox.put()
    outbox.put("v")
    outbox.add(*(f"d{at}" for at in range(9)))
    assert len(outbox.take(3)) == 3
    outbox.add("other", name="v")
    rest = outbox.take()
    assert sorted(each[0] for each in rest) == [b"v", b"w"]
    assert outbox.take() == []
    mine = next(each for each in rest if each[0] == b"w")
    outbox.sent(mine, "ok")
    (free,) = outbox.take()
    outbox.client.zadd(outbox.part("sending"), {free[1]: 1})  # its worker has died
    outbox.client.zadd(outbox.names.webhooks_due, {"w": 1})
    assert len(outbox.take()) == 1


def no_more_is_claimed_than_there_is_room(outbox: Outbox) -> None:
    for name in ("v", "w"):
        outbox.put(name)
        outbox.add("a", "b", "c", name=name)
    assert len(outbox.take(4)) == 4
    assert len(outbox.take(16)) == 2


def only_what_is_due_is_sent(outbox: Outbox) -> None:
    outbox.put()
    outbox.add("a", "gone")
    outbox.client.hdel(outbox.part("waiting"), "gone")
    (taken,) = outbox.take()
    assert outbox.waiting() == {"a"}
    outbox.sent(taken, "failed", MINUTE)
    assert outbox.take() == []
    outbox.switch("by hand")
    outbox.client.zadd(outbox.due(), {"a": 1})
    outbox.client.zadd(outbox.names.webhooks_due, {"w": 1})
    assert outbox.take() == []


def a_failed_try_is_made_again_later(outbox: Outbox) -> None:
    outbox.put()
    outbox.add("a")
    (taken,) = outbox.take()
    assert outbox.sent(taken, "failed", 5000) == "OK"
    assert 4000 < outbox.later("a") <= 5000
    assert outbox.client.zcard(outbox.part("sending")) == 0
    assert outbox.has("failing") and outbox.has("error")
    outbox.client.zadd(outbox.due(), {"a": 1})
    (again,) = outbox.take()
    assert (again[3], again[4]) == (2, b"1")
    assert outbox.sent(again, "ok") == "OK"
    assert outbox.sent(again, "ok") == "STALE"  # sent twice
    assert (outbox.waiting(), outbox.count("delivered")) == (set(), 1)
    assert not outbox.has("failing") and outbox.has("last_delivered")
    assert not outbox.client.exists(outbox.names.webhooks_due)
    assert outbox.client.llen(outbox.part("log")) == 2


def the_last_failure_gives_up(outbox: Outbox) -> None:
    outbox.put()
    outbox.add("a", "b")
    first, second = outbox.take()
    outbox.sent(first, "failed", None)
    assert (outbox.count("failed"), outbox.waiting()) == (1, {second[1].decode()})
    assert outbox.has("failing")
    outbox.sent(second, "failed", None)
    assert not outbox.has("failing")  # nothing is tried any more
    assert not outbox.client.exists(outbox.names.webhooks_due)


def what_cannot_be_read_is_no_try(outbox: Outbox) -> None:
    outbox.put()
    outbox.add("a")
    (taken,) = outbox.take()
    assert outbox.sent(taken, "later", 0) == "OK"
    assert not outbox.has("failing") and outbox.has("unread")
    assert not outbox.client.exists(outbox.part("log"))
    assert outbox.client.zcard(outbox.part("sending")) == 0
    (again,) = outbox.take()
    assert (again[3], again[4]) == (2, b"0")


def days_of_failures_disable(outbox: Outbox) -> None:
    outbox.put()
    outbox.add("a", "b", "c")
    first, second, third = outbox.take()
    outbox.sent(first, "failed")
    outbox.client.hincrby(outbox.names.webhook("w"), "failing", -5 * 24 * 3600_000)
    assert outbox.sent(second, "failed") == "DISABLED"
    assert 0 < outbox.client.ttl(outbox.part("waiting")) <= 5 * 24 * 3600
    assert 0 < outbox.client.ttl(outbox.due()) <= 5 * 24 * 3600
    assert not outbox.client.exists(outbox.names.webhooks_due)
    assert outbox.sent(third, "gone") == "DISABLED"
    assert "for days" in outbox.client.hget(outbox.names.webhook("w"), "disabled").decode()


def a_receiver_that_is_gone_is_disabled(outbox: Outbox) -> None:
    outbox.put()
    outbox.add("a")
    assert outbox.sent(outbox.take()[0], "gone") == "DISABLED"
    assert outbox.waiting() == {"a"}
    assert outbox.client.hget(outbox.names.webhook("w"), "disabled") == b"an error"


def an_enabled_webhook_is_sent_what_waits(outbox: Outbox) -> None:
    outbox.put()
    assert outbox.switch("", "nix") == "UNKNOWN"
    outbox.add("a", "b")
    outbox.sent(outbox.take(1)[0], "failed", MINUTE)
    outbox.take(1)
    outbox.switch("by hand")
    later = {f"x{at}": 9e12 for at in range(1500)}
    outbox.client.zadd(outbox.due(), later)
    outbox.client.hset(outbox.part("waiting"), mapping=dict.fromkeys(later, RECORD))
    assert outbox.switch("") == "MORE"
    assert outbox.switch("") == "OK"
    assert outbox.client.ttl(outbox.due()) == outbox.client.ttl(outbox.part("waiting")) == -1
    assert not (outbox.has("disabled") or outbox.has("disabled_at") or outbox.has("failing"))
    assert outbox.client.zcount(outbox.due(), 8e12, "+inf") == 0
    (sending,) = outbox.client.zrange(outbox.part("sending"), 0, -1)
    assert outbox.later(sending.decode()) > 0  # not twice at once
    assert len(outbox.take(2)) == 2


def only_so_many_tries_are_remembered(outbox: Outbox) -> None:
    outbox.put()
    for number in range(102):
        outbox.add(f"d{number}")
        outbox.sent(outbox.take()[0], "ok", line=str(number))
    log = outbox.client.lrange(outbox.part("log"), 0, -1)
    assert (len(log), log[0]) == (100, b"101")


def runs_that_are_open_are_marked(outbox: Outbox) -> None:
    for number in range(3):
        outbox.enqueue(f"r{number}")
    outbox.enqueue("own", "a url", hooks="own")
    for run_id, field in (("step", "home"), ("update", "op")):
        outbox.enqueue(run_id)
        outbox.client.hset(outbox.names.run(run_id), field, "x")
    created = {"own": 5, "r2": 4, "r1": 4, "step": 3, "update": 2, "r0": 1}
    outbox.client.zadd(outbox.names.open("all"), created)
    at = "+inf"
    for _ in range(9):
        at = outbox.ask(outbox.hooks.mark(at, 2)).decode()
        if not at:
            break
    assert at == ""
    found = {
        name: outbox.client.hget(outbox.names.run(name), "hooks")
        for name in ("r0", "r1", "r2", "own", "step", "update")
    }
    assert found == {
        **dict.fromkeys(("r0", "r1", "r2"), b"all"),
        **{"own": b"own", "step": None, "update": None},
    }


HOOK_SCHEDULES: Final[tuple[Callable[[Outbox], None], ...]] = (
    a_webhook_is_written_as_it_was_read,
    nothing_is_left_of_a_webhook_that_is_deleted,
    changes_of_runs_are_kept_while_there_are_webhooks,
    one_worker_reads_changes,
    changes_are_given_up_that_readers_have_left_for_a_minute,
    a_change_that_no_worker_can_read_is_counted,
    a_change_becomes_deliveries_once,
    what_is_not_told_is_counted,
    the_keys_of_the_url_of_a_run_end,
    the_urls_of_runs_are_counted_together,
    a_delivery_is_claimed_by_one,
    a_claim_that_is_over_is_worth_nothing,
    four_are_sent_to_a_webhook_at_once,
    no_more_is_claimed_than_there_is_room,
    only_what_is_due_is_sent,
    a_failed_try_is_made_again_later,
    the_last_failure_gives_up,
    what_cannot_be_read_is_no_try,
    days_of_failures_disable,
    a_receiver_that_is_gone_is_disabled,
    an_enabled_webhook_is_sent_what_waits,
    only_so_many_tries_are_remembered,
    runs_that_are_open_are_marked,
)
