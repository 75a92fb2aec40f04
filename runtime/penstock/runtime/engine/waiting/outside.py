"""What a coroutine waits for that the run's own code does not bring about: threads, sockets."""

from __future__ import annotations

__all__ = ["waits_outside"]

import asyncio
import gc
from asyncio import base_events, base_subprocess, selector_events, streams, unix_events
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from penstock.runtime.engine.waiting.parking import Parkable, Parked

_WAIT: Final = asyncio.tasks._wait.__code__  # type: ignore[attr-defined]
_SLEEP: Final = asyncio.sleep.__code__
_SERVES: Final = asyncio.Server.serve_forever.__code__

_IO: Final = {
    module.__file__
    for module in (base_events, base_subprocess, selector_events, streams, unix_events)
}
"""Where asyncio itself waits for sockets and processes."""

DEPTH: Final = 6
"""References from a connection's protocol to a future that it resolves."""

MOST_LOOKED_AT: Final = 10_000
"""Objects of one connection among which such a future is looked for."""

_NO_STATE: Final = (
    type, ModuleType, FunctionType, CodeType, asyncio.AbstractEventLoop, asyncio.Task, str, bytes,
    int, float,
)  # fmt: skip


def waits_outside(
    coroutine: Parkable[Any], loop: asyncio.AbstractEventLoop, *, sleep: bool = True
) -> bool:
    """Tell whether a coroutine waits for something that the run's own code does not bring about.

    An `asyncio.sleep` is that unless `sleep` is False.
    """
    awaited: Any = coroutine.left or coroutine.blocked_on
    if any(map(_comes_from_thread, _leaves(awaited))):
        return True
    inner = _innermost(coroutine.coroutine)
    code = getattr(inner, "cr_code", None)
    if code is _WAIT:
        waited: Iterable[Any] = inner.cr_frame.f_locals["fs"]
        return any(map(_comes_from_thread, waited))
    if code is _SLEEP:
        return sleep
    if code is not None and code.co_filename in _IO:
        return code is not _SERVES
    return type(awaited) is asyncio.Future and _comes_from_socket(awaited, loop)


def _leaves(awaited: Any) -> Iterator[Any]:
    """Give what is gathered in something awaited, which may be itself."""
    children = getattr(awaited, "_children", None)
    if children is None:
        yield awaited
        return
    for child in children:
        yield from _leaves(child)


def _comes_from_thread(awaited: Any) -> bool:
    """Tell whether a future is one of `run_in_executor`, and its thread still at work."""
    if awaited is None or awaited.done() or isinstance(awaited, Parked):
        return False
    return any(
        "_chain_future" in getattr(callback, "__qualname__", "")
        for callback, _ in getattr(awaited, "_callbacks", None) or ()
    )


def _comes_from_socket(awaited: Any, loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether the protocol of an open connection holds a future, as it will resolve it."""
    return any(_reaches(protocol, awaited) for protocol in _protocols(loop))


def _protocols(loop: Any) -> Iterator[Any]:
    selector: Any = getattr(loop, "_selector", None)
    keys: tuple[Any, ...] = tuple(selector.get_map().values()) if selector is not None else ()
    for key in keys:
        handle: Any
        for handle in key.data or ():
            transport = getattr(getattr(handle, "_callback", None), "__self__", None)
            protocol = getattr(transport, "_protocol", None)
            if protocol is not None:
                yield protocol


def _reaches(start: object, wanted: object) -> bool:
    seen, level = {id(start)}, [start]
    for _ in range(DEPTH):
        below: list[object] = []
        for each in gc.get_referents(*level):
            if each is wanted:
                return True
            if id(each) not in seen and not isinstance(each, _NO_STATE):
                seen.add(id(each))
                below.append(each)
        level = below
        if len(seen) > MOST_LOOKED_AT:
            return False
    return False


def _innermost(coroutine: Any) -> Any:
    """Return the innermost coroutine, or async generator, that a coroutine waits in."""
    inner = coroutine
    while hasattr(inner, "cr_code") or hasattr(inner, "ag_code"):
        coroutine = getattr(inner, "coroutine", inner)
        inner = _awaited_in(coroutine)
    return coroutine


def _awaited_in(coroutine: Any) -> Any:
    inner = getattr(coroutine, "ag_await", None) or getattr(coroutine, "cr_await", None)
    if type(inner).__name__ not in ("async_generator_asend", "async_generator_athrow"):
        return inner
    generators: list[Any] = [each for each in gc.get_referents(inner) if hasattr(each, "ag_await")]
    return generators[0] if generators else None
