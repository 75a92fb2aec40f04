from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from penstock.worker.health import http as module
from penstock.worker.health.address import Address
from penstock.worker.health.http import Answer, HTTPServer


def echo(path: str) -> Answer:
    if path == "/broken":
        raise ValueError("no metrics today")
    return Answer(200 if path == "/here" else 503, f"this is {path}\n", "text/plain")


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    server, ended = HTTPServer(Address("127.0.0.1", 0), echo), threading.Event()

    def work() -> None:
        while not ended.is_set():
            server.serve(0.05)

    thread = threading.Thread(target=work)
    thread.start()
    yield server
    ended.set()
    thread.join()
    server.close()


def ask(server: HTTPServer, method: str = "GET", path: str = "/here") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request(method, path)
    response = connection.getresponse()
    return response.status, response.read()


def test_a_request_is_answered(server: HTTPServer) -> None:
    assert ask(server) == (200, b"this is /here\n")
    assert ask(server, path="/there?x=1") == (503, b"this is /there\n")


def test_a_head_has_no_body_and_a_post_is_refused(server: HTTPServer) -> None:
    assert ask(server, "HEAD") == (200, b"")
    assert ask(server, "POST")[0] == 405


def test_a_client_that_sends_nothing_keeps_nobody_waiting_and_is_dropped(
    server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    with socket.create_connection(("127.0.0.1", server.port), 5) as silent:
        silent.sendall(b"GET /he")

        assert ask(server)[0] == 200

        assert silent.recv(10) == b""


@pytest.mark.parametrize("request_", [b"\r\n\r\n", b"GET\r\n\r\n", b"x" * 10_000])
def test_what_is_no_request_ends_the_connection_alone(server: HTTPServer, request_: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 5) as odd:
        with suppress(OSError):  # it may be cut before all is sent
            odd.sendall(request_)
            odd.shutdown(socket.SHUT_WR)
            while odd.recv(4096):
                pass

    assert ask(server)[0] == 200


def test_more_clients_than_there_is_room_for_push_the_oldest_out(server: HTTPServer) -> None:
    clients = [
        socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(module.MOST + 1)
    ]

    assert clients[0].recv(10) == b""
    assert ask(server)[0] == 200
    for client in clients:
        client.close()


def test_a_newcomer_that_pushes_out_a_client_which_has_just_sent_its_request_ends_nothing() -> None:
    # given all places but one are taken, and the oldest client has not sent its request
    server = HTTPServer(Address("127.0.0.1", 0), echo)
    clients = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(module.MOST)]
    for _ in clients:
        server.serve(1.0)

    # when it does so, and another one comes, before the server looks again
    with socket.create_connection(("127.0.0.1", server.port), 5) as newcomer:
        clients[0].sendall(b"GET /here HTTP/1.1\r\n\r\n")
        server.serve(1.0)
        newcomer.sendall(b"GET /here HTTP/1.1\r\n\r\n")
        server.serve(1.0)

        # then the newcomer is answered
        assert newcomer.recv(12) == b"HTTP/1.1 200"

    for client in clients:
        client.close()
    server.close()


def test_an_answer_that_raises_is_a_500_and_a_line_of_the_log(
    server: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert ask(server, path="/broken")[0] == 500

    assert ask(server)[0] == 200
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert "/broken" in record.getMessage()
    assert "no metrics today" in caplog.text
