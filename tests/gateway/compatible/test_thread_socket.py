"""A WebSocket is no side door: it is opened by those who may follow the thread by requests."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect
from websockets.sync.client import connect

from penstock.gateway.app import guarded
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.compatible.owners import auth as own
from tests.gateway.compatible.served import Served
from tests.gateway.flows import FLOWS

PATH = "ws://localhost/threads/{}/stream/events"

SUBSCRIBE: Any = {"id": 1, "method": "subscription.subscribe", "params": {"channels": ["values"]}}


@contextmanager
def client(*, is_open: bool = False, auth: Any = None) -> Generator[TestClient]:
    with InMemoryWorker(FLOWS) as worker:
        app, _ = guarded(worker.aclient, is_open=is_open, auth=auth)
        with TestClient(app, base_url="http://localhost") as found:
            yield found


def refused(found: TestClient, thread: str, **headers: str) -> int:
    """Return the status that a connection is refused with."""
    with pytest.raises(WebSocketDenialResponse) as error:
        with found.websocket_connect(PATH.format(thread), headers=headers):
            pass
    return error.value.status_code


def test_commands_and_subscriptions_share_a_connection(served: Served) -> None:
    path = f"/threads/{served.thread()}/stream/events"
    with connect(f"ws{served.url.removeprefix('http')}{path}") as socket:

        def asked(message: Any) -> Any:
            socket.send(message if isinstance(message, str) else json.dumps(message))
            return json.loads(socket.recv(10.0))

        subscribed = asked(SUBSCRIBE)
        name = {"subscription_id": subscribed["result"]["subscription_id"]}
        sent: list[tuple[str, Any]] = [
            ("subscription.unsubscribe", name),
            ("subscription.unsubscribe", name),
            ("subscription.subscribe", {"channels": ["colours"]}),
            ("run.dance", {}),
            ("state.get", {"namespace": []}),
        ]
        answers = [
            asked({"id": number, "method": method, "params": params})
            for number, (method, params) in enumerate(sent)
        ]
        answers.append(asked("no JSON"))

    assert subscribed["type"] == "success"
    assert [each["id"] for each in answers] == [0, 1, 2, 3, 4, None]
    assert answers[0]["type"] == "success"
    assert [each["error"] for each in answers[1:]] == [
        *("no_such_subscription", "invalid_argument", "unknown_command", "unknown_error"),
        "invalid_argument",
    ]


def test_pages_of_others_open_none() -> None:
    with client(is_open=True) as found, pytest.raises(WebSocketDisconnect) as error:
        with found.websocket_connect(PATH.format("t"), headers={"origin": "https://evil.example"}):
            pass
    assert error.value.code == 4403


def test_other_names_of_the_gateway_open_none() -> None:
    with client(is_open=True) as found, pytest.raises(WebSocketDisconnect):
        with found.websocket_connect(PATH.format("t"), headers={"host": "evil.example"}):
            pass


def test_a_key_is_needed() -> None:
    with client() as found:
        assert refused(found, "t") == 401


def test_an_auth_object_is_asked() -> None:
    with client(auth=own) as found:
        made = found.post("/threads", json={}, headers={"x-api-key": "key-ann"})
        thread, bob = made.json()["thread_id"], {"x-api-key": "key-bob"}

        assert refused(found, thread) == 401
        assert refused(found, thread, **bob) == 404
        assert refused(found, "none", **bob) == 404
