"""W5: streams that are cut, and LangGraph's own clients, which come back to them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from langgraph_sdk import get_sync_client

from tests.gateway.compatible.served import Served
from tests.support.proxy import Proxy


@pytest.fixture
def proxy(served: Served) -> Proxy:
    return Proxy(int(served.url.rpartition(":")[2]))


@pytest.fixture
def sdk(proxy: Proxy) -> Iterator[Any]:
    """A client whose connections are cut."""
    found = get_sync_client(url=f"http://127.0.0.1:{proxy.port}", api_key=None)
    yield found
    found.http.client.close()


def read(parts: Iterator[Any], proxy: Proxy, end: str) -> list[Any]:
    """Read a stream whose connection is cut once, behind its fifth event."""
    found: list[Any] = []
    for part in parts:
        found.append(part)
        if len(found) == 5:
            proxy.cut()
        if part.event == end or end in str(part.data):
            break
    return [part.data for part in found if part.event == "custom"]


WORK = {"numbers": 12, "pause": 0.05}


def test_w5_a_run_goes_on_where_it_was_cut_in_the_same_modes(
    served: Served, sdk: Any, proxy: Proxy
) -> None:
    run = served.create(None, "paced", input=WORK, on_completion="keep")  # asked for as values
    thread, run_id = run["thread_id"], run["run_id"]

    joined = read(sdk.runs.join_stream(thread, run_id, stream_mode="custom"), proxy, "end")
    begun = read(sdk.runs.stream(None, "paced", input=WORK, stream_mode="custom"), proxy, "end")

    assert joined == begun == list(range(12))


def test_w5_a_thread_goes_on_where_it_was_cut(served: Served, sdk: Any, proxy: Proxy) -> None:
    run = served.create(
        None, "paced", input=WORK, on_completion="keep", stream_mode=["custom", "values"]
    )

    parts = sdk.threads.join_stream(run["thread_id"], last_event_id="-1")

    assert read(parts, proxy, "run_done") == list(range(12))


def test_w5_what_is_waited_for_comes_though_the_wait_was_cut(
    served: Served, sdk: Any, proxy: Proxy
) -> None:
    cutting = threading.Timer(0.4, proxy.cut)
    cutting.start()

    with pytest.warns(UserWarning, match="reconnect"):
        assert sdk.runs.wait(None, "paced", input={"numbers": 20, "pause": 0.05}) == 20

    cutting.join()
