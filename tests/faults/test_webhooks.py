"""F110 and I38: workers that die while they deliver, and programs that end in deliveries."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.runtime import Client
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker
from penstock.worker.webhooks.sender import Sender
from tests.faults.support.hooked import hooked_wrongly
from tests.faults.support.snapshot import Snapshot
from tests.support.receiver import Handler, Receiver, is_signed, status, well
from tests.support.until import Patience, until
from tests.support.webhook_flow import HERE, flow

pytestmark = [
    pytest.mark.open_runs,
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
]

EVENTS = ("run.queued", "run.interrupted", "run.resumed", "run.finished")

SENDING = """
import sys
from penstock.runtime.settings import Settings
from penstock.worker.webhooks.sender import Sender

sender = Sender(sys.argv[1], Settings(webhook_hosts=("127.0.0.1",)), claim=0.5)
sender.need(True)
sys.stdin.read()
"""


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with Client(redis_url, settings=HERE) as client:
        yield client


def test_f110_what_a_worker_sent_before_it_was_killed_is_sent_again_under_the_same_id(
    redis_url: str, client: Client
) -> None:
    killed: list[int] = []

    def kill(handler: Handler) -> None:  # it has sent, and cannot note it any more
        if not killed:
            os.kill(process.pid, signal.SIGKILL)
            killed.append(process.wait())
        handler.answer(204)

    with (
        Receiver(kill) as receiver,
        subprocess.Popen(
            [sys.executable, "-c", SENDING, redis_url], stdin=subprocess.PIPE
        ) as process,
    ):
        secret = client.webhooks.put("w", receiver.url).secret
        client.enqueue("flow", "x", run_id="r", queue="nobody").cancel()
        receiver.wait_for(1)
        until(lambda: killed, 15.0)

        other = Sender(redis_url, HERE, claim=0.5)
        other.need(True)
        first, second = receiver.wait_for(2)
        until(lambda: client.webhooks.get("w").delivered == 1, 15.0)
        other.close(5.0)

        assert (first.id, first.body) == (second.id, second.body)
        assert is_signed(second, secret)
        assert client.webhooks.get("w").waiting == 0
        assert [each.number for each in client.webhooks.deliveries("w")] == [1]


def test_f110_a_worker_process_delivers_while_a_receiver_hangs(
    redis_url: str, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "hooked.py").write_text(
        "from penstock.runtime import entrypoint\n\n@entrypoint()\ndef flow(x):\n    return x\n"
    )
    environment = {
        **os.environ,
        "PENSTOCK_REDIS_URL": redis_url,
        "PENSTOCK_WEBHOOK_HOSTS": "127.0.0.1",
    }
    is_over: list[bool] = []
    with (
        Receiver() as receiver,
        Receiver(lambda handler: until(lambda: is_over, 60.0)) as slow,
    ):
        client.webhooks.put("w", receiver.url)
        client.webhooks.put("slow", slow.url)
        command = [sys.executable, "-m", "penstock.worker.cli", "worker", "hooked.py"]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment)
        try:
            for number in range(6):
                assert client.enqueue("flow", number).result(30) == number
            received = receiver.wait_for(6)
            slow.wait_for(4)
            began = time.monotonic()
        finally:
            process.terminate()
            code = process.wait(20)
        took = time.monotonic() - began
        is_over.append(True)

    assert {each.json["data"]["status"] for each in received} == {"completed"}
    assert code == 0
    assert took < 6


def test_two_senders_deliver_each_change_once_while_nothing_fails(
    redis_url: str, client: Client
) -> None:
    with Receiver() as receiver:
        client.webhooks.put("w", receiver.url, events=EVENTS)
        senders = [Sender(redis_url, HERE) for _ in range(3)]
        for each in senders:
            each.need(True)
        for number in range(30):
            client.enqueue("flow", "x", run_id=str(number), queue="nobody").cancel()

        receiver.wait_for(60, 30.0)
        until(lambda: client.webhooks.get("w").delivered == 60, 15.0)
        for each in senders:
            each.close(5.0)

        assert set(Counter(each.id for each in receiver.received).values()) == {1}


@pytest.mark.parametrize("seed", range(8))
def test_i38_each_change_has_a_delivery_or_a_record_that_says_why_not(seed: int) -> None:
    program = Program(random.Random(seed))
    with Receiver() as receiver, InMemoryWorker([flow], settings=FED) as worker:
        client = worker.client
        client.webhooks.put("w", receiver.url, events=EVENTS)
        client.webhooks.put("failed", receiver.url + "?f", where={"status": "failed"})
        sender = Sender(worker.connection, FED)
        for _ in range(40):
            program.step(worker, sender, receiver)
            assert list(hooked_wrongly(Snapshot.take(worker.connection))) == []
        receiver.behaviour = well
        for each in client.webhooks.list():
            client.webhooks.enable(each.id)
        finish(worker, sender)
        rows: Any = worker.connection.xrange(Keys().feed)
        skipped = {each.id: each.skipped for each in client.webhooks.list()}

    changes: dict[str, bytes] = {
        (fields[b"run"] + b"." + fields[b"seq"]).decode(): fields[b"status"] for _, fields in rows
    }
    wanted = {"/in": set(changes), "/in?f": {id for id in changes if changes[id] == b"failed"}}
    for path, webhook in (("/in", "w"), ("/in?f", "failed")):
        got = {each.id for each in receiver.received if each.path == path}
        assert got <= wanted[path]
        assert len(wanted[path] - got) == skipped[webhook]


FED = Settings(feed=1000, webhook_hosts=("127.0.0.1",))


class Program:
    """Does one thing after another to runs, their worker and the receiver, drawn at random."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._count = 0

    def step(self, worker: InMemoryWorker, sender: Sender, receiver: Receiver) -> None:
        act = self._chance.choice(["enqueue"] * 3 + ["work", "change", "look", "behave"])
        if act == "enqueue":
            self._count += 1
            what = self._chance.choice(["ask", "fail", "x"])
            worker.client.enqueue(flow, what, run_id=f"r{self._count}")
        elif act == "work":
            worker.work()
        elif act == "change":
            self._change(worker)
        elif act == "look":
            sender.look()
        else:
            receiver.behaviour = self._chance.choice([well, well, status(500), status(410)])

    def _change(self, worker: InMemoryWorker) -> None:
        """Answer, resume or cancel a run."""
        for run in worker.client.runs(self._chance.choice(["suspended", "failed", "queued"]), 1):
            handle = worker.client.get(run.run_id)
            if run.status == "queued":
                handle.cancel()
            else:
                handle.resume(*(["yes"] if run.status == "suspended" else []))


def finish(worker: InMemoryWorker, sender: Sender) -> None:
    """Send what waits until nothing does."""
    keys, connection = Keys(), worker.connection
    patience = Patience(20)
    while True:
        sender.look()
        waiting = [each.id for each in worker.client.webhooks.list() if each.waiting]
        if not waiting and not connection.exists(keys.hooks):
            break
        patience.look()
        for each in waiting:
            due, sending = keys.webhook(f"{each}:due"), keys.webhook(f"{each}:sending")
            for delivery in connection.zrange(due, 0, -1):
                if connection.zscore(sending, delivery) is None:
                    connection.zadd(due, {delivery: 1})
            connection.zadd(keys.webhooks_due, {each: 1})
        time.sleep(0.005)
    sender.close(5.0)
