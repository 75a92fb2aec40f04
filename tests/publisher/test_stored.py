"""Reading a part of a list of events that others add to, trim, delete and begin anew."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from penstock.publisher.errors import CodecError
from penstock.publisher.plan import follow
from penstock.publisher.stored import PAGE, Command, Part, Stored, event_of, read, read_all


class List:
    """A list of events as Redis has it."""

    def __init__(self, first: int = 1, last: int = 0) -> None:
        self.items = [_item(seq) for seq in range(first, last + 1)]
        self.commands = 0

    def do(self, command: Command) -> Sequence[bytes]:
        name, key, first, last = command
        assert (name, key) == ("LRANGE", "events")
        assert isinstance(first, int) and isinstance(last, int) and 0 <= first <= last
        self.commands += 1
        return self.items[first : last + 1]

    def read(self, part: Part) -> tuple[list[int], int]:
        found, dropped = follow(read("events", part), self.do)
        return [seq for seq, _ in found], dropped


def _item(seq: int) -> bytes:
    return f'{seq} {{"mode":"custom","data":"a b","time":0}}'.encode()


def test_an_item_is_a_seq_and_a_text() -> None:
    assert event_of(b'17 {"data":"a b"}') == (17, b'{"data":"a b"}')
    for garbage in (b"", b"x", b'{"mode":1}', b"-1 {}", b" {}"):
        with pytest.raises(CodecError, match="has no seq"):
            event_of(garbage)


@pytest.mark.parametrize(
    ("part", "seqs"),
    [
        (Part(1, 3), [1, 2, 3]),
        (Part(0, 3), [1, 2, 3]),
        (Part(8, 5), [8, 9, 10]),
        (Part(10, 5), [10]),
    ],
)
def test_one_command_reads_a_part(part: Part, seqs: list[int]) -> None:
    events = List(1, 10)

    assert events.read(part) == (seqs, 0)
    assert events.commands == 1


def test_what_is_not_written_yet_is_not_found() -> None:
    assert List(1, 10).read(Part(11, 5)) == ([], 0)
    assert List(8, 10).read(Part(11, 5)) == ([], 7)
    assert List().read(Part(0, 5)) == ([], 0)
    assert List().read(Part(9, 5))[0] == []


@pytest.mark.parametrize("believed", [0, 3, 7, 12])
@pytest.mark.parametrize("start", [1, 8, 9, 12, 20])
def test_a_list_that_lost_its_front_is_read_from_where_it_is_wanted(
    believed: int, start: int
) -> None:
    wanted = [seq for seq in range(8, 13) if seq >= start][:3]

    assert List(8, 12).read(Part(start, 3, believed)) == (wanted, 7)


def test_one_command_reads_a_part_where_the_reader_knows_what_was_dropped() -> None:
    events = List(8, 12)

    assert events.read(Part(9, 3, 7)) == ([9, 10, 11], 7)
    assert events.commands == 1


@pytest.mark.parametrize("seed", range(300))
def test_a_part_is_right_whatever_happens_between_two_commands(seed: int) -> None:
    chance = random.Random(seed)
    events = List(1, chance.randint(0, 30))
    last = len(events.items)
    for _ in range(30):
        part = Part(chance.randint(0, 40), chance.randint(1, 9), chance.randint(0, 20))
        plan = read("events", part)
        try:
            command = next(plan)
            while True:
                reply = events.do(command)
                if chance.random() < 0.5:
                    last = _change(events, chance, last)
                command = plan.send(reply)
        except StopIteration as stop:
            found: Sequence[Stored] = stop.value[0]
        seqs = [seq for seq, _ in found]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)) if seqs else ())
        assert len(seqs) <= part.count
        assert all(seq >= part.start for seq in seqs)


def _change(events: List, chance: random.Random, last: int) -> int:
    """Add events, drop some at the front, or begin a list that was lost anew."""
    if chance.random() < 0.1:
        events.items.clear()
    events.items += [_item(seq) for seq in range(last + 1, last + 1 + chance.randint(0, 3))]
    del events.items[: chance.randint(0, 4)]
    return int(events.items[-1].partition(b" ")[0]) if events.items else last


@pytest.mark.parametrize("first", [1, 5])
def test_all_are_read_in_order_a_page_at_a_time(first: int) -> None:
    events, seen = List(first, 2 * PAGE + 10), list[int]()

    follow(read_all("events", lambda seq, _: seen.append(seq)), events.do)

    assert seen == list(range(first, 2 * PAGE + 11))


def test_reading_all_ends_where_the_reader_has_enough() -> None:
    seen = list[int]()

    def take(seq: int, _: bytes) -> bool:
        seen.append(seq)
        return seq == 3

    follow(read_all("events", take), List(1, 10).do)

    assert seen == [1, 2, 3]
