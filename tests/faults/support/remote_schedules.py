"""Orders of operations on a run and the performer of its remote step, on the real scripts alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import redis

from penstock.publisher.redis.script import Call, run
from penstock.runtime.journal.endings import Ending, Finished, HandedOver, Suspended
from penstock.runtime.journal.fact import Fact
from penstock.runtime.journal.remote_call import RemoteCall
from penstock.runtime.redis.calls import Calls, Creation, Write
from penstock.runtime.redis.journal.journal import RedisJournal
from penstock.runtime.redis.journal.sender import Sender
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.replies import Claim, Lease
from tests.faults.support.invariants import Checker

STEP: Final = "far:0"
DONE: Final = Finished("completed", None)


class Remote:
    """A run `home` whose step `far:0` goes to the queue `far`."""

    def __init__(self, client: redis.Redis) -> None:
        client.flushall()
        self.client = client
        self.calls = Calls(Keys())
        self.names = self.calls.keys
        self.checker = Checker(client)
        self._nonces = 0
        told: dict[str, str | int] = {"entrypoint": "main", "keep": 0}
        told |= {"retention": 60_000, "thread_retention": 0}
        event = '{"mode":"run.queued","data":{},"time":1}'
        self.ask(self.calls.enqueue(Creation("home", "home", "near", "d", "1", event, fields=told)))
        self.home = self.claim("home")

    def ask(self, call: Call) -> Any:
        """Send a call twice; the second must change nothing."""
        answer = run(self.client, call)
        run(self.client, call)
        return answer

    def claim(self, run_id: str) -> Lease:
        """Take a run, with a nonce of its own."""
        claim = self.claimed(run_id)
        assert isinstance(claim, Claim), claim
        return claim.lease

    def claimed(self, run_id: str) -> Claim | str:
        self._nonces += 1
        call = self.calls.acquire(run_id, "w", f"n{self._nonces}", 8)
        return self.calls.acquired(run(self.client, call))

    def send(self, lease: Lease, digest: str = "d") -> str:
        """Send the step; returns the answer."""
        return self.calls.word(
            self.ask(self.calls.send(lease, RemoteCall(STEP, "far", "far", digest, "[[],{}]")))
        )

    @property
    def performer(self) -> str:
        """The run that performs the step, "" for none."""
        name: Any = self.client.hget(self.names.remote("home"), STEP)
        return (name or b"").decode()

    def write(
        self,
        lease: Lease,
        number: int = 1,
        ending: Ending | None = None,
        recorded: Mapping[str, str] | None = None,
    ) -> str:
        mode = "step.finished" if recorded else "custom"
        data = {"id": next(iter(recorded))} if recorded else {}
        tree: dict[str, Any] = {"mode": mode, "data": data, "time": 1.0}
        if lease.run_id != "home" and not recorded:
            tree["ns"] = [STEP]
        write = Write(number, dict(recorded or {}), [json.dumps(tree), ""], ending)
        return self.calls.word(self.ask(self.calls.write(lease, write, 0)))

    def suspend(self, number: int = 1) -> str:
        """Let the home wait for its step."""
        fact = Fact("run.suspended", {"steps": [STEP]}, (), 0.0)
        return self.write(self.home, number, Suspended(fact, {}, remote=(STEP,)))

    def status(self, run_id: str) -> str:
        value: Any = self.client.hget(self.names.run(run_id), "status")
        return (value or b"").decode()

    def outcome(self) -> str:
        value: Any = self.client.hget(self.names.checkpoints("home"), STEP)
        return (value or b"").decode()


def a_result_brings_its_run_back(remote: Remote) -> None:
    assert remote.send(remote.home) == "SENT"
    assert remote.suspend() == "OK"
    assert remote.status("home") == "suspended"
    performer = remote.claim(remote.performer)
    assert remote.write(performer) == "OK"
    assert remote.write(performer, 2, DONE, {STEP: "7"}) == "OK"
    assert (remote.status("home"), remote.outcome()) == ("queued", "7")
    remote.claim("home")


def a_result_that_comes_before_its_run_waits_is_not_lost(remote: Remote) -> None:
    remote.send(remote.home)
    performer = remote.claim(remote.performer)
    remote.write(performer, 1, DONE, {STEP: "7"})
    assert remote.status("home") == "running"
    assert remote.suspend() == "OK"
    assert remote.status("home") == "queued"
    again = remote.claim("home")
    assert remote.send(again) == "DONE"


def a_step_is_sent_once_by_all_attempts(remote: Remote) -> None:
    remote.send(remote.home)
    first = remote.performer
    remote.client.zadd(remote.names.leases, {"home": 0}, xx=True)
    run(remote.client, remote.calls.recover(3, 60))
    zombie, remote.home = remote.home, remote.claim("home")
    assert remote.send(zombie) == "FENCED"
    assert remote.send(remote.home) == "SENT"
    assert remote.performer == first
    assert remote.client.llen(remote.names.queue("far")) == 1


def other_arguments_call_the_first_call_off(remote: Remote) -> None:
    remote.send(remote.home, "one")
    first = remote.claim(remote.performer)
    assert remote.send(remote.home, "two") == "SENT"
    assert remote.performer != first.run_id
    assert remote.write(first, 1, None, {STEP: "old"}) == "FENCED"
    assert remote.outcome() == ""
    remote.write(remote.claim(remote.performer), 1, DONE, {STEP: "new"})
    assert remote.outcome() == "new"


def a_run_that_is_over_takes_no_result(remote: Remote) -> None:
    remote.send(remote.home)
    performer = remote.claim(remote.performer)
    remote.suspend()
    remote.ask(remote.calls.cancel("home", "asked"))
    assert remote.status("home") == "cancelled"
    assert remote.write(performer, 1, None, {STEP: "late"}) == "FENCED"
    assert remote.write(performer, 1, DONE, {STEP: "late"}) == "CANCELLED"
    assert remote.outcome() == ""
    assert remote.status(performer.run_id) == "cancelled"


def a_run_that_is_over_leaves_nobody_at_work_for_it(remote: Remote) -> None:
    remote.send(remote.home)
    performer = remote.performer
    remote.suspend()
    remote.ask(remote.calls.cancel("home", "asked"))
    assert remote.status(performer) == "cancelled"
    assert remote.claimed(performer) == "cancelled"


def a_performer_that_nobody_expects_is_not_begun(remote: Remote) -> None:
    remote.send(remote.home)
    fields: Any = remote.client.hgetall(remote.names.run(remote.performer))
    remote.client.hset(remote.names.run("forged"), mapping=fields)
    assert remote.claimed("forged") == "queued"
    remote.client.delete(remote.names.run("forged"))
    remote.suspend()
    remote.write(remote.claim(remote.performer), 1, DONE, {STEP: "7"})


def a_step_that_came_to_nothing_says_why(remote: Remote) -> None:
    remote.send(remote.home)
    remote.suspend()
    remote.ask(remote.calls.cancel(remote.performer, "asked"))
    assert remote.status("home") == "queued"
    assert remote.send(remote.claim("home")) == "!cancelled asked"


def a_performer_that_dies_is_followed_by_another_attempt(remote: Remote) -> None:
    remote.send(remote.home)
    remote.suspend()
    zombie = remote.claim(remote.performer)
    remote.client.zadd(remote.names.leases, {zombie.run_id: 0}, xx=True)
    run(remote.client, remote.calls.recover(3, 60))
    performer = remote.claim(remote.performer)
    assert remote.write(zombie, 1, None, {STEP: "old"}) == "FENCED"
    assert remote.write(performer, 1, DONE, {STEP: "new"}) == "OK"
    assert (remote.status("home"), remote.outcome()) == ("queued", "new")


def each_performer_stamps_after_all_before_it(remote: Remote) -> None:
    """So that a replay keeps to the order in which their outcomes became known."""
    epochs: list[int] = []
    for digest in ("a", "b", "c"):  # the arguments differ: it is sent anew
        assert remote.send(remote.home, digest) == "SENT"
        for _ in range(2):
            claim = remote.claimed(remote.performer)
            assert isinstance(claim, Claim)
            journal = RedisJournal(claim, remote.calls, Sender(remote.client))
            epochs.append(journal.epoch)
            remote.write(claim.lease, 1, HandedOver())
    assert epochs == sorted(set(epochs))


REMOTE_SCHEDULES: Final[tuple[Callable[[Remote], None], ...]] = (
    a_result_brings_its_run_back,
    a_result_that_comes_before_its_run_waits_is_not_lost,
    a_step_is_sent_once_by_all_attempts,
    other_arguments_call_the_first_call_off,
    a_run_that_is_over_takes_no_result,
    a_run_that_is_over_leaves_nobody_at_work_for_it,
    a_performer_that_nobody_expects_is_not_begun,
    a_step_that_came_to_nothing_says_why,
    a_performer_that_dies_is_followed_by_another_attempt,
    each_performer_stamps_after_all_before_it,
)


def follow(schedule: Callable[[Remote], None], client: redis.Redis) -> None:
    """Follow a schedule on an empty server, then hold it against the invariants."""
    remote = Remote(client)
    schedule(remote)
    remote.checker.check()
