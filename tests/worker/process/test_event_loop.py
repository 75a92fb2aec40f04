"""The loop of a worker at its end."""

from __future__ import annotations

import threading

from penstock.worker.process.event_loop import LoopThread


def test_a_call_after_the_end_returns_and_does_nothing() -> None:
    loop = LoopThread()
    called: list[int] = []
    loop.start()
    loop.close()

    loop.call(called.append, 1)

    assert called == []


def test_a_call_after_the_end_of_a_loop_that_never_began_returns() -> None:
    loop = LoopThread()
    loop.close()

    loop.call(print)


def test_a_call_to_a_loop_that_is_blocked_at_its_end_returns() -> None:
    loop = LoopThread()
    loop.start()
    go_on = threading.Event()
    loop.call(go_on.wait, 20)
    loop.close()

    loop.call(print)

    go_on.set()
    loop.close()
    assert loop.join(5)
