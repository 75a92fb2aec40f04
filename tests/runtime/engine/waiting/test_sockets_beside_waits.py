"""A branch that waits for a socket or a process can go on: the run does not leave meanwhile."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import pytest

from penstock.runtime import entrypoint, interrupt, task
from tests.runtime.engine.waiting.steps import asking
from tests.runtime.flows import Calls
from tests.support.ways import Way, finish, questions

LATE = 0.2


def late_line() -> socket.socket:
    """Return a socket that gets a line after a while."""
    near, far = socket.socketpair()

    def write() -> None:
        with far:
            far.sendall(b"line\n")

    threading.Timer(LATE, write).start()
    return near


async def reads_a_stream() -> str:
    reader, writer = await asyncio.open_connection(sock=late_line())
    try:
        return (await reader.readline()).decode().strip()
    finally:
        writer.close()


async def reads_in_a_generator() -> str:
    reader, writer = await asyncio.open_connection(sock=late_line())

    async def lines() -> AsyncGenerator[str]:
        async for line in reader:
            yield line.decode().strip()

    try:
        (line,) = [line async for line in lines()]
        return line
    finally:
        writer.close()


class Receiver(asyncio.Protocol):
    """Tells of data by an event, as HTTP clients do."""

    def __init__(self) -> None:
        self.came = asyncio.Event()
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.came.set()


async def waits_for_a_protocol() -> str:
    loop = asyncio.get_running_loop()
    transport, receiver = await loop.create_connection(Receiver, sock=late_line())
    try:
        await receiver.came.wait()
        return receiver.data.decode().strip()
    finally:
        transport.close()


async def waits_for_a_process() -> str:
    code = f"import time; time.sleep({LATE})"
    process = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", code)
    await process.wait()
    return "line"


READS = [reads_a_stream, reads_in_a_generator, waits_for_a_protocol, waits_for_a_process]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("place", ["body", "step"])
def test_a_run_does_not_leave_while_a_branch_waits_for_io(
    way: Way, calls: Calls, read: Callable[[], Coroutine[Any, Any, str]], place: str
) -> None:
    async def read_once() -> str:
        value = await read()
        calls(value)
        return value

    @task
    async def both() -> list[str]:
        return list(await asyncio.gather(asking("?"), read_once()))

    @entrypoint()
    async def flow(_: str) -> list[str]:
        if place == "step":
            return await both()
        return list(await asyncio.gather(asking("?"), read_once()))

    way.begin(flow)
    assert questions(way) == ["?"]
    assert calls.made == ["line"]

    assert finish(way) == ["<?>", "line"]


def test_a_connection_that_nobody_reads_keeps_no_run_in_its_process(way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> str:
        near, far = socket.socketpair()
        with far:
            _reader, writer = await asyncio.open_connection(sock=near)
            try:
                return str(interrupt("?"))
            finally:
                writer.close()

    way.begin(flow)
    assert questions(way) == ["?"]

    assert finish(way) == "<?>"
