"""Orders of operations that chance seldom finds: each is a race that was thought of beforehand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.faults.support.protocol import QUEUE, Protocol
from tests.faults.support.world import Held


def begin(protocol: Protocol, run_id: str = "run-0", worker: str = "left") -> Held:
    """A run that a worker has just claimed."""
    protocol.enqueue(run_id, "queue")
    protocol.take(worker, 1)
    return protocol.held[-1]


def ask(protocol: Protocol) -> Held:
    """A run that waits for an answer to i0."""
    held = begin(protocol)
    protocol.record(held)
    protocol.suspend(held, 1)
    return held


def a_zombie_is_fenced(protocol: Protocol) -> None:
    zombie = begin(protocol)
    protocol.record(zombie)
    protocol.expire("run-0")
    protocol.recover()
    for expected in ("FENCED", "FENCED"):  # while nobody owns the run, and when another does
        assert protocol.record(zombie) == expected
        assert protocol.suspend(zombie, 1) == expected
        assert protocol.handover(zombie) == expected
        assert protocol.finish(zombie, "completed") == expected
        protocol.take("right", 1)


def a_zombie_takes_nothing_off_the_indexes(protocol: Protocol) -> None:
    zombie = begin(protocol)
    protocol.expire("run-0")
    protocol.recover()
    protocol.finish(zombie, "completed")
    protocol.check()
    protocol.client.delete(protocol.keys.queue(QUEUE))
    protocol.recover()
    assert protocol.tickets() == ["run-0"]


def a_lost_answer_is_no_second_effect(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.record(held, again=True)
    protocol.record(held, step=False, again=True)
    protocol.handover(held, again=True)
    protocol.take("right", 1, again=True)
    protocol.suspend(protocol.held[-1], 2, again=True)
    protocol.resume("run-0", {"i0": '"A"', "i1": '"A"'}, again=True)
    protocol.acquire("run-0", "right", again=True)
    protocol.finish(protocol.held[-1], "completed", again=True)


def a_failover_that_sets_the_epoch_back_fences_the_old_owner(protocol: Protocol) -> None:
    zombie = begin(protocol)
    protocol.client.hset("penstock:run:run-0", "epoch", 0)
    protocol.world.runs["run-0"].epoch = 0
    protocol.expire("run-0")
    protocol.recover()
    protocol.take("right", 1)
    owner = protocol.held[-1]
    assert owner.fence.partition(".")[0] == zombie.fence.partition(".")[0]
    assert protocol.record(zombie) == "FENCED"


def a_cancel_between_a_question_and_its_suspension_ends_the_run(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.cancel("run-0")
    assert protocol.suspend(held, 1) == "CANCELLED"
    assert protocol.resume("run-0", {"i0": '"A"'}) == "cancelled"


def nothing_brings_a_cancelled_run_back(protocol: Protocol) -> None:
    held = ask(protocol)
    protocol.cancel("run-0", again=True)
    protocol.client.zadd(protocol.keys.leases, {"run-0": 0})
    protocol.client.zadd(protocol.keys.ready, {"run-0": 0})
    protocol.client.zadd(protocol.keys.timers, {"run-0": 0})
    protocol.recover("left")
    protocol.client.rpush(protocol.keys.queue(QUEUE), "run-0")
    protocol.take("right", 1)
    protocol.acquire("run-0", "right")
    protocol.wake("run-0")
    assert protocol.resume("run-0", {"i0": '"A"'}) == "cancelled"
    assert protocol.record(held) == "FENCED"


def a_second_bell_does_not_steal_a_running_run(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.client.rpush(protocol.keys.queue(QUEUE), "run-0", "run-0")
    assert protocol.take("right", 3) == "0"
    assert protocol.acquire("run-0", "right") == "running"
    assert protocol.record(held) == "OK"


def a_lease_that_was_renewed_in_time_is_not_ended(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.expire("run-0")
    protocol.renew("left")
    protocol.recover()
    assert protocol.record(held) == "OK"


def a_lost_bell_is_rung_again(protocol: Protocol) -> None:
    protocol.enqueue("run-0", "queue")
    protocol.client.delete(protocol.keys.queue(QUEUE))
    protocol.recover()
    assert protocol.take("left", 1) == "1"


def a_recovered_run_rings_at_once_and_goes_first(protocol: Protocol) -> None:
    begin(protocol)
    protocol.expire("run-0")
    protocol.client.rpush(protocol.keys.queue(QUEUE), "another's")
    protocol.recover()
    assert protocol.tickets() == ["run-0", "another's"]


def a_lost_lease_is_not_renewed(protocol: Protocol) -> None:
    begin(protocol)
    protocol.renew("left")
    protocol.expire("run-0")
    protocol.recover()
    protocol.renew("left")  # nobody owns the run
    protocol.take("right", 1)
    protocol.record(protocol.held[-1])
    protocol.expire("run-0")
    protocol.renew("left")  # another does
    protocol.recover()
    assert protocol.tickets() == ["run-0"]
    protocol.take("right", 1)
    protocol.finish(protocol.held[-1], "completed")
    protocol.renew("right")


def a_cancel_is_told_with_the_renewal(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.cancel("run-0")
    protocol.renew("left")
    protocol.finish(held, "cancelled")


def a_woken_run_rings(protocol: Protocol) -> None:
    ask(protocol)
    assert protocol.wake("run-0") == "queued"
    assert protocol.tickets() == ["run-0"]


def a_suspect_has_a_worker_of_its_own(protocol: Protocol) -> None:
    begin(protocol)
    protocol.expire("run-0")
    protocol.recover()
    assert protocol.take("right", 1, busy=1) == "0"
    protocol.recover()
    assert protocol.take("left", 1) == "0"  # the other one keeps it back
    assert protocol.take_kept("run-0", "right") == "claimed"
    held = protocol.held[-1]
    assert protocol.world.runs["run-0"].isolated
    protocol.record(held)
    assert not protocol.world.runs["run-0"].suspect


def a_life_that_is_told_of_is_no_death(protocol: Protocol) -> None:
    owner = begin(protocol)
    protocol.expire("run-0")
    protocol.recover()
    assert protocol.world.runs["run-0"].crashes == 1
    protocol.forgo(owner, again=True)
    protocol.check()
    assert protocol.world.runs["run-0"].crashes == 0
    protocol.take("right", 1, busy=1)
    protocol.forgo(protocol.held[-1])
    protocol.expire("run-0")
    protocol.recover()
    protocol.check()
    assert protocol.world.runs["run-0"].crashes == 0


def a_life_that_is_told_of_is_no_death_before_a_recorded_step(protocol: Protocol) -> None:
    owner = begin(protocol)
    protocol.expire("run-0")
    protocol.recover()
    assert protocol.take("right", 1) == "1"
    protocol.record(protocol.held[-1])
    protocol.expire("run-0")
    protocol.recover()
    protocol.forgo(owner)
    protocol.check()
    assert protocol.world.runs["run-0"].crashes == 1


def a_life_that_is_told_of_changes_nothing_that_is_over(protocol: Protocol) -> None:
    owner = begin(protocol)
    protocol.expire("run-0")
    protocol.recover()
    protocol.take("right", 1)
    protocol.finish(protocol.held[-1], "completed")
    protocol.forgo(owner)
    protocol.check()


def a_ticket_put_back_lets_a_failed_run_go_on(protocol: Protocol) -> None:
    protocol.finish(begin(protocol), "failed")
    protocol.client.rpush(protocol.keys.queue(QUEUE), "run-0")
    assert protocol.take("right", 1) == "0"
    protocol.requeue("run-0")
    assert protocol.take("right", 1) == "1"
    protocol.check()
    protocol.finish(protocol.held[-1], "completed")
    protocol.requeue("run-0")
    assert protocol.take("right", 1) == "0"


def an_answer_to_nothing_asked_is_refused(protocol: Protocol) -> None:
    ask(protocol)
    assert protocol.resume("run-0", {"i7": '"A"'}) == "unknown"
    assert protocol.resume("run-0", {"i0": '"A"'}) == "queued"
    assert protocol.resume("run-0", {"i0": '"B"'}) == "answered"


def a_question_asked_no_more_takes_no_answer(protocol: Protocol) -> None:
    protocol.suspend(begin(protocol), 2)
    protocol.wake("run-0")
    protocol.take("left", 1)
    protocol.suspend(protocol.held[-1], 1)
    assert protocol.resume("run-0", {"i1": '"A"'}) == "unknown"


def the_next_run_of_a_thread_begins_when_the_last_one_ends(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.enqueue("run-1", "queue")
    protocol.enqueue("run-2", "queue")
    assert protocol.take("right", 3) == "0"
    protocol.cancel("run-1")
    protocol.finish(held, "failed")
    assert protocol.tickets() == ["run-2"]


def a_rolled_back_run_keeps_nothing_of_its_end(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.enqueue("run-1", "rollback")
    assert protocol.finish(held, "completed", again=True) == "CANCELLED"


def a_rolled_back_run_is_so_though_another_interrupts_it(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.enqueue("run-1", "rollback")
    protocol.enqueue("run-2", "interrupt")
    assert protocol.finish(held, "completed") == "CANCELLED"


def an_update_completes_what_waits_once(protocol: Protocol) -> None:
    ask(protocol)
    assert protocol.update(again=True) == "OK"
    assert protocol.world.runs["run-0"].status == "completed"
    assert protocol.resume("run-0", {"i0": '"A"'}) == "completed"
    protocol.check()
    protocol.enqueue("run-1", "reject")
    protocol.deliver(protocol.sent[1], "late")


def an_update_completes_what_failed(protocol: Protocol) -> None:
    protocol.finish(begin(protocol), "failed")
    assert protocol.update(again=True) == "OK"
    assert protocol.resume("run-0", {}) == "completed"


def an_update_waits_for_no_run_at_work(protocol: Protocol) -> None:
    protocol.enqueue("run-0", "queue")
    assert protocol.update() == "BUSY"
    protocol.take("left", 1)
    protocol.enqueue("run-1", "queue")
    assert protocol.update(again=True) == "BUSY"
    protocol.finish(protocol.held[-1], "completed")
    assert protocol.update() == "BUSY"
    protocol.take("left", 1)
    protocol.finish(protocol.held[-1], "completed")
    assert protocol.update() == "OK"


def an_update_of_an_older_checkpoint_cancels_what_waits(protocol: Protocol) -> None:
    protocol.finish(begin(protocol), "completed")
    protocol.enqueue("run-1", "queue")
    protocol.take("left", 1)
    protocol.suspend(protocol.held[-1], 1)
    assert protocol.update("2", again=True) == "OK"
    assert protocol.world.runs["run-1"].status == "cancelled"
    protocol.check()
    protocol.enqueue("run-2", "reject")


def a_deadly_run_is_given_up(protocol: Protocol) -> None:
    begin(protocol)
    for _ in range(2):
        protocol.expire("run-0")
        protocol.recover()
        protocol.take("right", 1)
    assert protocol.world.runs["run-0"].status == "failed"


def the_death_of_a_worker_does_not_end_the_lease_of_another(protocol: Protocol) -> None:
    begin(protocol)
    protocol.expire("run-0")
    protocol.recover()
    protocol.take("right", 1)
    protocol.client.sadd(protocol.keys.executions("left"), "run-0:1.n1")
    protocol.recover("left")
    assert protocol.record(protocol.held[-1]) == "OK"


def a_timer_that_is_due_wakes_once(protocol: Protocol) -> None:
    protocol.suspend(begin(protocol), 0, timed=True)
    protocol.let_be_due("run-0")
    protocol.recover()
    protocol.recover()
    assert protocol.tickets() == ["run-0"]
    assert protocol.take("right", 1) == "1"


def a_late_timer_does_not_wake_a_run_that_asks_again(protocol: Protocol) -> None:
    protocol.suspend(begin(protocol), 1, timed=True)
    protocol.resume("run-0", {"i0": '"A"'})
    protocol.take("right", 1)
    protocol.suspend(protocol.held[-1], 1)
    protocol.let_be_due("run-0")
    protocol.recover()
    assert protocol.tickets() == []


def a_stale_timer_does_not_wake_what_runs(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.client.zadd(protocol.keys.timers, {"run-0": 0})
    protocol.recover()
    assert protocol.record(held) == "OK"


def a_question_whose_time_is_over_takes_no_answer(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.suspend(held, 1, timed=True)
    protocol.client.hset(protocol.keys.checkpoints("run-0"), ":i0", 1)
    protocol.world.runs["run-0"].recorded[":i0"] = "1"
    protocol.let_be_due("run-0")
    protocol.recover()
    protocol.world.runs["run-0"].questions.clear()
    assert protocol.resume("run-0", {"i0": '"A"'}) == "unknown"
    assert "!i0" not in protocol.world.runs["run-0"].recorded
    assert protocol.client.exists(protocol.keys.questions("run-0")) == 0


def two_answers_at_the_same_time_both_count(protocol: Protocol) -> None:
    protocol.suspend(begin(protocol), 2)
    assert protocol.resume("run-0", {"i0": '"A"'}) == "queued"
    assert protocol.resume("run-0", {"i1": '"B"'}, again=True) == "queued"
    assert protocol.tickets() == ["run-0"]
    protocol.take("right", 1)
    assert {"!i0", "!i1"} <= protocol.held[-1].known.keys()


def a_run_that_sleeps_keeps_its_thread(protocol: Protocol) -> None:
    protocol.suspend(begin(protocol), 0, timed=True)
    assert protocol.enqueue("run-1", "reject") == "busy"
    assert protocol.enqueue("run-2", "queue") == "created"
    assert protocol.tickets() == []
    protocol.enqueue("run-3", "interrupt")
    assert protocol.world.runs["run-0"].status == "cancelled"
    assert protocol.tickets() == ["run-2"]


def a_run_sleeps_though_others_wait_for_its_thread(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.enqueue("run-1", "queue")
    assert protocol.suspend(held, 0, timed=True) == "OK"
    assert protocol.world.runs["run-0"].status == "suspended"
    protocol.cancel("run-0")
    assert protocol.tickets() == ["run-1"]


def an_attempt_whose_write_redis_has_lost_is_fenced(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.record(held)
    protocol.record(held)
    protocol.client.hset(protocol.keys.run("run-0"), "batch", 1)  # as a failover leaves it
    protocol.world.runs["run-0"].batch = 1
    for end in (protocol.record, protocol.handover):
        assert end(held) == "FENCED"
    assert protocol.finish(held, "completed") == "FENCED"


def a_run_that_is_to_be_cancelled_is_not_handed_over(protocol: Protocol) -> None:
    held = begin(protocol)
    protocol.cancel("run-0")
    assert protocol.handover(held, again=True) == "CANCELLED"
    assert protocol.tickets() == []


SCHEDULES: Final[tuple[Callable[[Protocol], None], ...]] = (
    a_zombie_is_fenced,
    a_zombie_takes_nothing_off_the_indexes,
    a_lost_answer_is_no_second_effect,
    a_failover_that_sets_the_epoch_back_fences_the_old_owner,
    a_cancel_between_a_question_and_its_suspension_ends_the_run,
    nothing_brings_a_cancelled_run_back,
    a_second_bell_does_not_steal_a_running_run,
    a_lease_that_was_renewed_in_time_is_not_ended,
    a_lost_bell_is_rung_again,
    a_recovered_run_rings_at_once_and_goes_first,
    a_lost_lease_is_not_renewed,
    a_cancel_is_told_with_the_renewal,
    a_woken_run_rings,
    a_suspect_has_a_worker_of_its_own,
    a_life_that_is_told_of_is_no_death,
    a_life_that_is_told_of_is_no_death_before_a_recorded_step,
    a_life_that_is_told_of_changes_nothing_that_is_over,
    a_ticket_put_back_lets_a_failed_run_go_on,
    an_answer_to_nothing_asked_is_refused,
    a_question_asked_no_more_takes_no_answer,
    the_next_run_of_a_thread_begins_when_the_last_one_ends,
    a_rolled_back_run_keeps_nothing_of_its_end,
    a_rolled_back_run_is_so_though_another_interrupts_it,
    an_update_completes_what_waits_once,
    an_update_completes_what_failed,
    an_update_waits_for_no_run_at_work,
    an_update_of_an_older_checkpoint_cancels_what_waits,
    a_deadly_run_is_given_up,
    the_death_of_a_worker_does_not_end_the_lease_of_another,
    a_timer_that_is_due_wakes_once,
    a_late_timer_does_not_wake_a_run_that_asks_again,
    a_stale_timer_does_not_wake_what_runs,
    a_question_whose_time_is_over_takes_no_answer,
    two_answers_at_the_same_time_both_count,
    a_run_that_sleeps_keeps_its_thread,
    a_run_sleeps_though_others_wait_for_its_thread,
    an_attempt_whose_write_redis_has_lost_is_fenced,
    a_run_that_is_to_be_cancelled_is_not_handed_over,
)
