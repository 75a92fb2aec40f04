"""Posting to receivers: to addresses that were checked, and for ten seconds at most."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from penstock.runtime.redis.plans.hook_outbox import Outcome
from penstock.runtime.types.webhook_url import AllowedHosts
from penstock.worker.webhooks.pinned import looked_up
from penstock.worker.webhooks.post import LIMIT, post
from tests.support.receiver import Handler, Receiver, status
from tests.support.tls import TLSPort

LOCAL = AllowedHosts(("127.0.0.0/8", "::1"))
NOBODY = AllowedHosts(())

Found = list[tuple[int, tuple[Any, ...]]]


def names(*answers: str) -> Callable[[str, int], Found]:
    """A resolver that gives one answer after the other, the last one for ever."""
    left = list(answers)

    def resolve(host: str, port: int) -> Found:
        address = left.pop(0) if len(left) > 1 else left[0]
        return looked_up(address, port)

    return resolve


@contextmanager
def hanging() -> Generator[int]:
    """A port that never answers, as its queue of connections is full."""
    with socket.socket() as full, ExitStack() as clients:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(2):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        yield full.getsockname()[1]


def sent(url: str, allowed: AllowedHosts = LOCAL, **options: Any) -> Outcome:
    return post(url, {"webhook-id": "x"}, b"{}", allowed, **options)


def test_the_address_that_was_checked_is_the_one_that_is_told() -> None:
    with Receiver() as receiver:
        resolve = names("127.0.0.1", "192.0.2.1")  # another answer a moment later

        outcome = sent(f"http://hooks.example:{receiver.port}/", resolve=resolve)

        assert (outcome.status, outcome.error) == (204, "")
        assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"


def test_a_name_is_not_looked_up_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        answers = iter([[(int(socket.AF_INET), ("93.184.216.34", receiver.port))]])
        told: list[Any] = []

        def connect(self: socket.socket, address: Any) -> None:
            told.append(address)
            raise ConnectionRefusedError("nobody there")

        monkeypatch.setattr(socket.socket, "connect", connect)

        def found(host: str, port: int) -> Found:
            return next(answers)

        url = f"http://rebinding.example:{receiver.port}/"
        outcome = sent(url, NOBODY, resolve=found)

        assert outcome.error == "ConnectionRefusedError: nobody there"
        assert told == [("93.184.216.34", receiver.port)]
        assert receiver.received == []


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost.", "[::ffff:127.0.0.1]"],
)
def test_a_private_address_in_another_guise_is_refused(host: str) -> None:
    with Receiver() as receiver:
        resolve = names("127.0.0.1")  # as a system may read it

        outcome = sent(f"http://{host}:{receiver.port}/", NOBODY, resolve=resolve)

        assert outcome.status == 0
        assert "not on the internet" in outcome.error
        assert receiver.received == []


def test_one_private_address_among_others_is_enough_to_refuse_a_host() -> None:
    both = [*looked_up("93.184.216.34", 80), *looked_up("10.0.0.1", 80)]

    def found(host: str, port: int) -> Found:
        return both

    outcome = sent("http://mixed.example/", NOBODY, resolve=found)

    assert "10.0.0.1, which is not on the internet" in outcome.error


def test_an_address_that_hangs_leaves_time_for_the_next() -> None:
    with Receiver() as receiver, hanging() as port:

        def found(host: str, _: int) -> Found:
            family = int(socket.AF_INET)
            return [(family, ("127.0.0.1", port)), (family, ("127.0.0.1", receiver.port))]

        outcome = sent("http://both.example/", resolve=found, seconds=0.6)

    assert (outcome.status, outcome.error) == (204, "")
    assert 0.25 < outcome.seconds < 0.6


def test_receivers_over_ipv6_are_told() -> None:
    with Receiver(host="::1") as receiver:
        assert sent(receiver.url).status == 204
        assert sent(receiver.url, NOBODY).status == 0


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure(code: int) -> None:
    with Receiver(status(code, Location="http://127.0.0.1:1/")) as receiver:
        outcome = sent(receiver.url)

    assert outcome.status == code
    assert outcome.error == f"it answered {code}, a redirect, which is not followed"


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_receiver_that_drips_is_cut_off(head: bytes) -> None:
    def drip(handler: Handler) -> None:
        for letter in head + b"y" * 1000:
            handler.wfile.write(bytes([letter]))
            time.sleep(0.02)

    with Receiver(drip) as receiver:
        outcome = sent(receiver.url, seconds=0.3)

    assert outcome.error == "no answer within 0.3 s"
    assert 0.25 < outcome.seconds < 2


def test_an_answer_without_end_is_read_to_the_limit() -> None:
    def pour(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 8192)

    with Receiver(pour) as receiver:
        outcome = sent(receiver.url)

    assert (outcome.status, outcome.error) == (200, "")
    assert LIMIT == 65536


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_no_http_is_a_failure(said: bytes) -> None:
    def say(handler: Handler) -> None:
        handler.wfile.write(said)

    with Receiver(say) as receiver:
        outcome = sent(receiver.url)

    assert outcome.status == 0
    assert outcome.error


def test_a_receiver_proves_that_it_is_the_host(tmp_path: Path) -> None:
    with Receiver() as receiver, TLSPort(receiver.port, tmp_path) as secure:
        trusting = ssl.create_default_context(cafile=str(secure.certificate))
        good = sent(f"https://127.0.0.1:{secure.port}/", context=trusting)
        unknown = sent(f"https://127.0.0.1:{secure.port}/")
        resolve = names("127.0.0.1")
        other = sent(f"https://a.example:{secure.port}/", resolve=resolve, context=trusting)

    assert (good.status, good.error) == (204, "")
    assert "certificate" in unknown.error.lower()
    assert "certificate" in other.error.lower()
