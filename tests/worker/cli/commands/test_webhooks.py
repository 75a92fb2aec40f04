"""`penstock webhooks`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from penstock.runtime import Client
from penstock.worker.webhooks.sender import Sender
from tests.support.receiver import Receiver, is_signed, status
from tests.support.until import until
from tests.support.webhook_flow import HERE
from tests.worker.commands import penstock, refused, rows

URL = "https://example.com/in"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with Client(redis_url, settings=HERE) as client:
        yield client


@pytest.fixture
def receiver(redis_url: str) -> Iterator[Receiver]:
    """A receiver, and something that sends."""
    sender, ended = Sender(redis_url, HERE), threading.Event()

    def send() -> None:
        while not ended.wait(0.02):
            sender.look()

    thread = threading.Thread(target=send)
    with Receiver() as receiver:
        thread.start()
        yield receiver
        ended.set()
        thread.join()
        sender.close(5.0)


def test_a_webhook_is_put_and_its_secret_shown_once(redis_url: str, client: Client) -> None:
    made = penstock("webhooks", "put", "w", URL, "--tag", "tenant=acme", url=redis_url)
    again = penstock("webhooks", "put", "w", URL, "--event", "run.queued", "--json", url=redis_url)

    first, secret = made.stdout.splitlines()
    assert first == "webhook w is told of run.finished"
    assert secret.startswith("whsec_")
    assert "not shown again" in made.stderr
    (row,) = rows(again)
    assert (row["events"], row["where"], "secret" in row) == (["run.queued"], {}, False)
    assert client.webhooks.get("w").events == ("run.queued",)


def test_a_secret_is_read_from_standard_input(redis_url: str, client: Client) -> None:
    command = ("webhooks", "put", "w", URL, "--secret", "-")
    made = penstock(*command, url=redis_url, stdin=f"{SECRET}\n")

    assert made.exit_code == 0
    assert SECRET not in made.output
    assert client.webhooks.put("w", URL, secret=SECRET).secret == SECRET


def test_webhooks_are_listed_and_shown(redis_url: str, client: Client) -> None:
    client.webhooks.put("w", URL, where={"status": ["failed"], "tag": {"tenant": "acme"}})
    client.webhooks.put("v", URL)
    client.webhooks.disable("v", "maintenance")

    listed = penstock("webhooks", "list", url=redis_url).stdout
    shown = penstock("webhooks", "show", "w", url=redis_url).stdout

    assert [line.split()[0] for line in listed.splitlines()] == ["webhook", "v", "w"]
    assert "disabled" in listed.splitlines()[1]
    assert 'status=["failed"]  tenant=acme' in shown
    (row,) = rows(penstock("webhooks", "show", "v", "--json", url=redis_url))
    assert (row["disabled"], row["deliveries"], "secret" in row) == ("maintenance", [], False)
    assert [row["id"] for row in rows(penstock("webhooks", "list", "--json", url=redis_url))] == [
        *("v", "w"),
    ]


def test_a_test_tells_what_came_of_it(redis_url: str, client: Client, receiver: Receiver) -> None:
    secret = client.webhooks.put("w", receiver.url).secret
    good = penstock("webhooks", "test", "w", url=redis_url)
    receiver.behaviour = status(500)
    bad = penstock("webhooks", "test", "w", url=redis_url)
    bad_json = penstock("webhooks", "test", "w", "--json", url=redis_url)

    assert good.exit_code == 0
    assert good.stdout.endswith("the receiver answered 204\n")
    assert is_signed(receiver.received[0], secret)
    assert refused(bad) == "webhook 'w' did not take it: it answered 500."
    assert (bad_json.exit_code, json.loads(bad_json.stdout)["status"]) == (1, 500)
    tries = rows(penstock("webhooks", "deliveries", "w", "-n", "2", "--json", url=redis_url))
    assert [each["error"] for each in tries] == ["it answered 500"] * 2
    shown = penstock("webhooks", "show", "w", url=redis_url).stdout
    assert shown.count("webhook.test") == 3


def test_a_test_that_nobody_sends_says_so(redis_url: str, client: Client) -> None:
    client.webhooks.put("w", URL)

    waited = penstock("webhooks", "test", "w", "--timeout", "0.1", url=redis_url)
    asked = penstock("webhooks", "test", "w", "--timeout", "0", url=redis_url)

    assert waited.exit_code == 1
    assert "is a `penstock worker` alive?" in waited.stderr
    assert asked.exit_code == 0
    assert client.webhooks.get("w").waiting == 2


def test_a_webhook_is_disabled_enabled_and_deleted(redis_url: str, client: Client) -> None:
    client.webhooks.put("w", URL)

    penstock("webhooks", "disable", "w", "--reason", "moved", url=redis_url)
    assert client.webhooks.get("w").disabled == "moved"
    penstock("webhooks", "enable", "w", url=redis_url)
    assert client.webhooks.get("w").disabled == ""
    assert "is deleted" in penstock("webhooks", "delete", "w", url=redis_url).stdout
    until(lambda: client.webhooks.list() == [])
    assert "penstock webhooks" in refused(penstock("webhooks", "delete", "w", url=redis_url))


@pytest.mark.parametrize("command", ["show", "deliveries", "test", "enable", "disable"])
def test_a_webhook_that_is_not_there_is_named(redis_url: str, command: str) -> None:
    assert "'nix'" in refused(penstock("webhooks", command, "nix", url=redis_url))


def test_where_there_is_none_it_is_said_how_one_is_put(redis_url: str) -> None:
    assert "webhooks put" in penstock("webhooks", "list", url=redis_url).stderr


def test_a_webhook_that_cannot_be_read_is_listed_as_such(redis_url: str, client: Client) -> None:
    client.webhooks.put("w", URL)
    client.connection.hset("penstock:webhooks", "torn", "no JSON")

    listed = penstock("webhooks", "list", url=redis_url).stdout

    assert "enabled" in listed
    assert "unreadable" in listed
    assert [row["id"] for row in rows(penstock("webhooks", "list", "--json", url=redis_url))] == [
        "torn",
        "w",
    ]
