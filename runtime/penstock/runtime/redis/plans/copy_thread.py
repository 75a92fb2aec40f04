"""Copying a thread, as a plan without IO: what it keeps is written again for the new one."""

from __future__ import annotations

__all__ = ["copy_thread"]

import uuid

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.journal.thread_values import PARTS, Kept
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.redis.plans.threads import ThreadPlans, check_known
from penstock.runtime.redis.thread_calls import Copy


def copy_thread(threads: ThreadPlans, source: str, target: str) -> Plan[None]:
    """Give a new thread the history and the values of another.

    Raises:
        ThreadNotFoundError: nobody knows the thread.
        ConfigurationError: the other thread has a history already.
    """
    old, new = Kept(threads.codec, source), Kept(threads.codec, target)
    nonce, word = uuid.uuid4().hex, "MOVED"
    is_of_graph = yield from _copy_graph(threads, source, target, nonce)
    while word == "MOVED":  # it has got another checkpoint since it was read
        name = thread_key(source)
        fields: dict[bytes, bytes] = yield ("HGETALL", threads.keys.thread(name))
        if not fields and (yield threads.calls.own(source)):
            continue
        entries: list[bytes] = yield ("LRANGE", threads.keys.history(name), 0, -1)
        state = {name.decode(): text for name, text in fields.items()}
        moved = {name: _field(name, text, old, new) for name, text in state.items()}
        copied = Copy(source, target, moved, [_moved(entry, old, new) for entry in entries])
        word = threads.plans.calls.word((yield threads.calls.copy(copied, nonce)))
    check_known(source, word)
    if word == "TAKEN":
        if is_of_graph:
            yield from threads.of_graphs.delete(target)
        raise ConfigurationError(
            f"thread {target!r} has a history of its own: copy to another, or delete it first."
        )


def _copy_graph(threads: ThreadPlans, source: str, target: str, nonce: str) -> Plan[bool]:
    """Copy what a graph has on a thread, if one is executed there; tells whether one is."""
    if not (yield ("HEXISTS", threads.keys.graph(thread_key(source)), "hosted")):
        return False
    yield from threads.of_graphs.copy(source, target, nonce)
    return True


def _field(name: str, text: bytes, old: Kept, new: Kept) -> bytes | str:
    if name in PARTS:
        return new.moved(text, old, name)
    part, _, child = name.partition(":")
    return new.moved(text, old, part, child) if child else text


def _moved(entry: bytes, old: Kept, new: Kept) -> bytes:
    place, entrypoint, metadata, *own = entry.split(b"\n")
    lines = [place, entrypoint, new.moved(metadata, old, "metadata").encode()]
    for part, text in zip(PARTS, own, strict=False):
        lines.append(new.moved(text, old, part).encode())
    return b"\n".join(lines)
