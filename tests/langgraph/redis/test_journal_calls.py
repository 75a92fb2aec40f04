"""What an attempt stores of a graph: what a space is, once; and what each write needs."""

from __future__ import annotations

from penstock.langgraph.redis.calls import NewWrite, Puts
from penstock.langgraph.redis.journal_calls import JournalCalls
from penstock.langgraph.redis.keys import GraphKeys, Space
from penstock.runtime.journal.graph_host import GraphHost

HOST = GraphHost("agent", "default")
SPACE = Space("t", "sub:1")
WRITE = NewWrite("task 0", b"record", first_wins=True)


def said(request: Puts) -> list[str]:
    """Return what a request says of the space itself, and how."""
    fields = ("id", "hosted", f"space:{SPACE.digest}")
    return [
        f"{put.verb} {put.field.decode()} {put.value.decode()}"
        for put in request.puts
        if put.field.decode() in fields
    ]


def names(root: str, verb: str = "set") -> list[str]:
    return [
        "set id t",
        f"set hosted {HOST.text}",
        f'{verb} space:{SPACE.digest} ["sub:1", "{root}"]',
    ]


def test_a_space_is_described_once_for_each_root_point() -> None:
    calls = JournalCalls(GraphKeys(), HOST)

    first = calls.put(SPACE, "root-1", "p1", b"", ())
    assert said(first) == said(calls.put(SPACE, "root-1", "p1", b"", ())) == names("root-1")
    calls.take(first)
    again = calls.put(SPACE, "root-1", "p2", b"", ())
    other = calls.put(SPACE, "root-2", "p3", b"", ())

    assert (said(again), said(other)) == ([], names("root-2"))


def test_writes_describe_a_space_that_no_point_has_described() -> None:
    calls = JournalCalls(GraphKeys(), HOST)

    first = calls.put_writes(SPACE, "p0", [WRITE])
    assert said(first) == names("", "new")
    calls.take(first)
    assert said(calls.put_writes(SPACE, "p0", [WRITE])) == []
    point = calls.put(SPACE, "", "p1", b"", ())
    assert said(point) == names("")
    calls.take(point)

    assert said(calls.put_writes(SPACE, "p1", [WRITE])) == []
    assert said(calls.put(SPACE, "", "p2", b"", ())) == []


def test_writes_need_a_point_that_is_in_the_journal() -> None:
    calls = JournalCalls(GraphKeys(), HOST)
    early = calls.put_writes(SPACE, "p1", [WRITE])
    calls.take(calls.put(SPACE, "", "p1", b"", ()))
    late = calls.put_writes(SPACE, "p1", [WRITE])

    needed = [[put.field for put in each.puts if put.verb == "need"] for each in (early, late)]
    assert needed == [[], [b"p p1"]]
