"""A client of the thread protocol that reads what is on the wire."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import httpx

from tests.gateway.compatible.served import Served

CHANNELS: Final = (
    "values",
    "updates",
    "messages",
    "tools",
    "lifecycle",
    "input",
    "checkpoints",
    "tasks",
    "custom",
)

_ENDS: Final = ("completed", "failed", "interrupted")


def command(served: Served, thread: str, method: str, **params: Any) -> Any:
    """Send a command; returns its answer."""
    body = {"id": 7, "method": method, "params": params}
    found = served.http.post(f"/threads/{thread}/commands", json=body)
    assert found.status_code == 200, found.text
    return found.json()


def start(served: Served, thread: str, assistant: str, given: Any, **params: Any) -> Any:
    """Begin a run; returns its answer."""
    found = command(served, thread, "run.start", assistant_id=assistant, input=given, **params)
    assert found["type"] == "success", found
    return found


def is_over(event: Any) -> bool:
    """Tell whether an event is the end of a leg."""
    params = event["params"]
    is_root = event["method"] == "lifecycle" and not params["namespace"]
    return is_root and params["data"]["event"] in _ENDS


def stream(
    url: str, thread: str, channels: Sequence[str] = CHANNELS, **params: Any
) -> Iterator[Any]:
    """Give the events of a thread as they come."""
    body = {"channels": list(channels), **params}
    path = f"{url}/threads/{thread}/stream/events"
    with httpx.stream("POST", path, json=body, timeout=20.0) as response:
        assert response.status_code == 200, response.read()
        event: Any = None
        for line in response.iter_lines():
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
            elif line.startswith("id: "):
                assert line == f"id: {event['seq']}"
                yield event


def until(
    found: Iterator[Any], is_last: Callable[[Any], bool] = is_over, times: int = 1
) -> list[Any]:
    """Read events up to one, or up to the last of several."""
    events: list[Any] = []
    for event in found:
        events.append(event)
        times -= is_last(event)
        if not times:
            break
    return events


def shown(events: Sequence[Any], *methods: str) -> list[Any]:
    """Return the data of events, with their methods unless one is named."""
    data = [(each["method"], each["params"]["data"]) for each in events]
    return [found for name, found in data if name in methods] if methods else data
