"""Tickets off RQ's queues: what happens to one whose worker dies with it in its hand."""

from __future__ import annotations

from typing import Any, cast

import pytest
import redis
from rq import Queue
from rq.intermediate_queue import IntermediateQueue

from penstock.publisher.redis.script import run as send
from penstock.runtime import Client
from penstock.runtime.redis.calls import Calls
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import Settings
from penstock.worker.process.consumer import Consumer

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.open_runs,
]

JOB = "tests.support.jobs.multiply"


def intake(connection: redis.Redis, *queues: str) -> Consumer:
    return Consumer(connection, Calls(Keys("penstock")), Settings(), "one", queues)


def is_dry(queues: Consumer) -> bool:
    return queues.is_dry


class LosesAnswers(redis.Redis):
    """Loses its first answer."""

    has_lost = False

    def execute_command(self, *args: Any, **options: Any) -> Any:
        answer = cast(Any, super()).execute_command(*args, **options)
        if not self.has_lost and answer:
            self.has_lost = True
            raise redis.ConnectionError("lost")
        return answer


def popped(connection: redis.Redis, queue: str = "default") -> list[str]:
    return IntermediateQueue(f"rq:queue:{queue}", connection).get_job_ids()


def test_an_ordinary_job_is_where_rq_looks_for_it_while_it_is_popped_and_not_begun(
    redis_client: redis.Redis,
) -> None:
    job = Queue("default", connection=redis_client).enqueue(JOB, 2, 3)

    ticket = intake(redis_client, "default").pop(1)

    assert ticket == ("default", job.id)
    assert popped(redis_client) == [job.id]


def test_an_ordinary_job_that_is_begun_is_there_once(redis_client: redis.Redis) -> None:
    job = Queue("default", connection=redis_client).enqueue(JOB, 2, 3)
    queues = intake(redis_client, "default")

    ticket = queues.pop(1)
    assert ticket is not None
    taken = queues.claim(8, 0, ticket)

    assert taken.job == ("default", job.id)
    assert popped(redis_client) == [job.id]


def test_a_look_that_brings_less_than_was_asked_for_has_taken_all(
    redis_client: redis.Redis,
) -> None:
    client, queue = Client(redis_client), Queue("default", connection=redis_client)
    queues = intake(redis_client, "default")
    assert not is_dry(queues)
    assert not queues.claim(8, 0)
    assert is_dry(queues)

    for _ in range(2):
        client.enqueue("main", {"x": 1})
    assert len(queues.claim(2, 0).claims) == 2
    assert not is_dry(queues)  # there may be more

    client.enqueue("main", {"x": 1})
    queue.enqueue(JOB, 2, 3)
    client.enqueue("main", {"x": 1})
    taken = queues.claim(8, 0)
    assert (len(taken.claims), taken.job is not None) == (1, True)
    assert not is_dry(queues)  # the look ended at the ordinary job

    assert len(queues.claim(8, 0).claims) == 1
    assert is_dry(queues)


def test_a_worker_of_several_queues_looks_before_it_waits(redis_client: redis.Redis) -> None:
    queues = intake(redis_client, "first", "default")

    assert not queues.claim(8, 0)

    assert not is_dry(queues)


def test_after_a_look_that_went_unanswered_the_queue_is_not_taken_for_empty(
    redis_url: str, redis_client: redis.Redis
) -> None:
    queues = intake(redis_client, "default")
    queues.claim(8, 0)
    run = Client(redis_client).enqueue("main", {"x": 1})
    lost = intake(LosesAnswers.from_url(redis_url), "default")
    lost.is_dry = True

    with pytest.raises(redis.ConnectionError):
        lost.claim(8, 0)
    assert not is_dry(lost)

    assert [claim.lease.run_id for claim in lost.claim(8, 0).claims] == [run.run_id]


def test_an_ordinary_job_whose_popping_went_unanswered_is_given_when_it_is_asked_again(
    redis_client: redis.Redis,
) -> None:
    run = Client(redis_client).enqueue("main", {"x": 1})
    queue = Queue("default", connection=redis_client)
    jobs = [queue.enqueue(JOB, 2, number) for number in (3, 4)]
    calls = Calls(Keys("penstock"))
    call = calls.take("one", "nonce", 8.0, 8, ["default"])
    send(redis_client, call)  # and the answer is lost

    taken = calls.taken(send(redis_client, call))

    assert [claim.lease.run_id for claim in taken.claims] == [run.run_id]
    assert taken.job == ("default", jobs[0].id)
    assert popped(redis_client) == [jobs[0].id]
    assert queue.job_ids == [jobs[1].id]


def test_a_ticket_given_back_to_workers_that_pause_is_given_back_once(
    redis_client: redis.Redis,
) -> None:
    queue = Queue("default", connection=redis_client)
    job = queue.enqueue(JOB, 2, 3)
    ticket = intake(redis_client, "first", "default").pop(1)
    assert ticket is not None
    redis_client.set("rq:suspended", 1, ex=60)
    calls = Calls(Keys("penstock"))
    call = calls.take("one", "nonce", 8.0, 8, ["first", "default"], ticket)
    send(redis_client, call)  # and the answer is lost

    assert not calls.taken(send(redis_client, call))

    assert queue.job_ids == [job.id]


@pytest.mark.parametrize("names", [("default",), ("first", "default")])
def test_a_run_that_is_claimed_leaves_no_ticket(
    redis_client: redis.Redis, names: tuple[str, ...]
) -> None:
    run = Client(redis_client).enqueue("main", {"x": 1})
    queues = intake(redis_client, *names)

    ticket = queues.pop(1)
    assert ticket is not None
    taken = queues.claim(8, 0, ticket)

    assert [claim.lease.run_id for claim in taken.claims] == [run.run_id]
    assert popped(redis_client) == []


@pytest.mark.parametrize("names", [("default",), ("first", "default")])
def test_a_ticket_put_back_is_first_in_its_queue_again(
    redis_client: redis.Redis, names: tuple[str, ...]
) -> None:
    first = Queue("default", connection=redis_client).enqueue(JOB, 2, 3)
    second = Queue("default", connection=redis_client).enqueue(JOB, 4, 5)
    queues = intake(redis_client, *names)

    ticket = queues.pop(1)
    assert ticket is not None
    queues.put_back(ticket)

    assert Queue("default", connection=redis_client).job_ids == [first.id, second.id]
    assert popped(redis_client) == []


def test_a_ticket_is_kept_while_all_workers_are_suspended(redis_client: redis.Redis) -> None:
    job = Queue("default", connection=redis_client).enqueue(JOB, 2, 3)
    queues = intake(redis_client, "default")
    ticket = queues.pop(1)
    assert ticket is not None
    redis_client.set("rq:suspended", 1)

    assert not queues.claim(8, 0, ticket)

    assert Queue("default", connection=redis_client).job_ids == [job.id]
    assert popped(redis_client) == []


def test_the_ticket_of_a_dead_worker_goes_as_recovery_rings_again(
    redis_client: redis.Redis,
) -> None:
    calls = Calls(Keys("penstock"))
    run = Client(redis_client).enqueue("main", {"x": 1})
    intake(redis_client, "default").pop(1)
    assert popped(redis_client) == [run.run_id]

    requeued = calls.recovered(send(redis_client, calls.recover(3, 0.0))).requeued

    assert requeued == [run.run_id]
    assert popped(redis_client) == []
    assert Queue("default", connection=redis_client).job_ids == [run.run_id]


def test_pops_come_by_the_order_of_the_queues(redis_client: redis.Redis) -> None:
    late = Queue("late", connection=redis_client).enqueue(JOB, 2, 3)
    soon = Queue("soon", connection=redis_client).enqueue(JOB, 4, 5)
    queues = intake(redis_client, "soon", "late")

    assert [queues.pop(1), queues.pop(1)] == [("soon", soon.id), ("late", late.id)]
    assert queues.pop(1) is None
