from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest

from penstock.publisher.batch import Frame, Page
from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import CodecError, ConfigurationError, CursorExpiredError
from penstock.publisher.event import LARGE, TERMINAL, Event, encode, texts
from penstock.publisher.tail import PAGE, PAGE_WEIGHT, Tail

CODEC = Codec()


def line(seq: int, mode: str = "custom") -> bytes:
    return encode(mode, str(seq), time=0).encode()


def frame(first: int, *lines: bytes) -> Frame:
    return Frame(b"\n".join([str(first).encode(), *lines]))


def frame_of(first: int, last: int) -> Frame:
    return frame(first, *(line(seq) for seq in range(first, last + 1)))


def page(first: int, *lines: bytes, outcomes: Sequence[bytes | None] = ()) -> Page:
    return Page(list(enumerate(lines, start=first)), "r").decode(outcomes, "r", CODEC)


def page_of(first: int, last: int) -> Page:
    return page(first, *(line(seq) for seq in range(first, last + 1)))


def live(after: int = 0) -> Tail:
    """A tail that has read what is stored, up to `after`."""
    tail = Tail("r", after, CODEC)
    count = tail.ask().count
    tail.stored(page_of(after, after) if after else page(1), count)
    assert not tail.behind
    return tail


def seqs(events: Sequence[Event]) -> list[int]:
    return [event.seq for event in events]


def test_it_reads_what_is_stored_before_it_listens() -> None:
    tail = Tail("r", 0, CODEC)

    assert tail.behind
    assert tail.frame(frame_of(1, 1)) == ()

    part = tail.ask()
    assert part.start == 0
    assert seqs(tail.stored(page_of(1, 2), part.count)) == [1, 2]
    assert not tail.behind


def test_a_full_page_means_there_may_be_more() -> None:
    tail = Tail("r", 0, CODEC)

    count = tail.ask().count
    tail.stored(page_of(1, count), count)

    assert tail.behind
    assert tail.ask().start == count


def test_what_is_next_is_delivered_and_what_was_seen_is_not() -> None:
    tail = live()

    assert seqs(tail.frame(frame_of(1, 3))) == [1, 2, 3]
    assert seqs(tail.frame(frame_of(2, 3))) == []
    assert seqs(tail.frame(frame_of(2, 5))) == [4, 5]
    assert tail.cursor == 5
    assert not tail.behind


def test_a_gap_is_read_from_what_is_stored() -> None:
    tail = live()

    assert tail.frame(frame_of(2, 3)) == ()
    assert tail.behind

    count = tail.ask().count
    assert seqs(tail.stored(page_of(1, 3), count)) == [1, 2, 3]
    assert seqs(tail.frame(frame_of(4, 4))) == [4]


def test_an_event_that_is_not_in_its_frame_is_fetched() -> None:
    tail = live()

    assert seqs(tail.frame(frame(1, line(1), b"*", line(3)))) == [1]
    assert tail.behind

    part = tail.ask()
    assert part.start == 1
    assert seqs(tail.stored(page_of(1, 3), part.count)) == [2, 3]


@pytest.mark.parametrize(
    "message", [b"", b"garbage", b"1\ngarbage", b"1\n{},{}", b'1\n{"mode":1}', b"1\n" + b"[" * 9999]
)
def test_a_message_that_cannot_be_read_makes_it_read_what_is_stored(message: bytes) -> None:
    tail = live()

    assert seqs(tail.frame(Frame(message))) == []
    assert tail.behind == (message != b"1")


def test_a_loss_during_a_read_is_not_forgotten_when_the_page_comes() -> None:
    tail = live()

    count = tail.ask().count
    tail.behind = True
    tail.stored(page_of(1, 1), count)

    assert tail.behind


@pytest.mark.parametrize("stored", [False, True])
def test_it_ends_at_the_terminal_event(stored: bool) -> None:
    lines = line(1), line(2, TERMINAL)
    tail = live()

    if stored:
        count = tail.ask().count
        events = tail.stored(page(1, *lines), count)
    else:
        events = tail.frame(frame(1, *lines))

    assert seqs(events) == [1, 2]
    assert tail.ended
    assert not tail.behind
    assert tail.frame(frame_of(3, 3)) == ()


def test_it_goes_on_past_a_terminal_event_that_others_follow() -> None:
    tail = Tail("r", 0, CODEC)

    count = tail.ask().count
    events = tail.stored(page(1, line(1), line(2, TERMINAL), line(3)), count)

    assert seqs(events) == [1, 2, 3]
    assert not tail.ended


def test_it_reads_on_where_a_full_page_ends_with_a_terminal_event() -> None:
    tail = Tail("r", 0, CODEC)

    tail.ask()
    tail.stored(page(1, line(1), line(2, TERMINAL)), 2)

    assert tail.behind
    assert not tail.ended


def test_it_has_ended_where_the_cursor_is_the_terminal_event() -> None:
    tail = Tail("r", 2, CODEC)

    count = tail.ask().count

    assert tail.stored(page(2, line(2, TERMINAL)), count) == []
    assert tail.ended


def test_nothing_stored_yet_is_no_error() -> None:
    tail = Tail("r", 0, CODEC)

    count = tail.ask().count

    assert tail.stored(page(1), count) == ()
    assert not tail.behind


def test_the_event_after_the_cursor_may_be_the_first_that_is_kept() -> None:
    tail = Tail("r", 4, CODEC)

    count = tail.ask().count

    assert seqs(tail.stored(page_of(5, 6), count)) == [5, 6]


@pytest.mark.parametrize(("after", "oldest"), [(4, 6), (0, 2), (4, None)])
def test_a_cursor_older_than_what_is_kept_has_expired(after: int, oldest: int | None) -> None:
    tail = Tail("r", after, CODEC)

    count = tail.ask().count
    with pytest.raises(CursorExpiredError) as caught:
        tail.stored(page_of(oldest, 9) if oldest else page(1), count)

    assert (caught.value.after, caught.value.oldest) == (after, oldest)


def test_events_deleted_in_the_middle_are_not_skipped_in_silence() -> None:
    tail = Tail("r", 0, CODEC)
    with pytest.raises(CursorExpiredError):
        tail.stored(
            Page([(1, line(1)), (3, line(3))], "r").decode((), "r", CODEC), tail.ask().count
        )


@pytest.mark.parametrize("after", [-1, True, "5", 1.0, None])
def test_a_cursor_is_a_whole_number(after: int) -> None:
    with pytest.raises(ConfigurationError, match="after is the seq"):
        Tail("r", after, CODEC)


def test_pages_of_heavy_events_get_shorter_and_of_light_ones_longer() -> None:
    tail = Tail("r", 0, CODEC)
    heavy = encode("custom", f'"{"x" * (PAGE_WEIGHT // 10)}"', time=0).encode()

    first = tail.ask().count
    tail.stored(page_of(1, first), first)
    assert tail.ask().count > first

    tail.stored(page(first + 1, *[heavy] * 20), 20)
    assert tail.ask().count <= 11

    for _ in range(12):
        tail.stored(page_of(tail.cursor + 1, tail.cursor + 9), 9)
    assert tail.ask().count == PAGE + 1


def test_references_are_named_by_the_page_and_filled_with_their_outcomes() -> None:
    stored = [
        texts("step.finished", "{}", ref=f"s:{n}", outcome=str(n), time=0)[0].encode()
        for n in range(3)
    ]
    read = Page([(1, line(1)), *enumerate(stored, start=2)], "r")

    assert read.refs == ["s:0", "s:1", "s:2"]
    events = read.decode([b"0", None, b"2"], "r", CODEC).events

    assert [event.data for event in events] == [1, {"outcome": 0}, {}, {"outcome": 2}]


def test_a_stored_text_that_is_no_event_is_an_error_with_its_number() -> None:
    with pytest.raises(CodecError, match="event 1 of run 'r'"):
        Page([(1, b"")], "r")


def test_a_frame_is_decoded_once_for_all_tails() -> None:
    shared = frame_of(1, 2)

    assert live().frame(shared)[0] is live().frame(shared)[0]


@pytest.mark.parametrize("seed", range(200))
def test_each_event_comes_once_in_order_whatever_the_channel_does(seed: int) -> None:
    redis = _Unreliable(random.Random(seed), last=100)
    tail, seen = Tail("r", 0, CODEC), list[int]()

    while not tail.ended:
        redis.publish()
        tail.behind |= redis.lose()
        if tail.behind:
            part = tail.ask()
            seen += seqs(tail.stored(redis.page(part.start, part.count), part.count))
        elif redis.frames:
            seen += seqs(tail.frame(redis.frames.pop(0)))
        else:  # silence
            tail.behind = redis.written == 100

    assert seen == list(range(1, 101))


class _Unreliable:
    """A run's stored events, and a channel that loses and doubles what it carries."""

    def __init__(self, chance: random.Random, last: int) -> None:
        self.frames: list[Frame] = []
        self.written = 0
        self._chance = chance
        self._last = last

    def publish(self) -> None:
        size = min(self._chance.randint(0, 8), self._last - self.written)
        first = self.written + 1
        self.written += size
        if size:
            lines = [self._line(seq) for seq in range(first, first + size)]
            large = [b"*" if self._chance.random() < 0.05 else line for line in lines]
            self.frames.append(frame(first, *large))

    def lose(self) -> bool:
        """Lose all frames and say so, or lose one or double one in silence."""
        if self.frames and self._chance.random() < 0.1:
            self.frames.pop(self._chance.randrange(len(self.frames)))
        if self.frames and self._chance.random() < 0.1:
            self.frames.insert(0, self.frames[0])
        cut = self._chance.random() < 0.1
        if cut:
            self.frames.clear()
        return cut

    def page(self, start: int, count: int) -> Page:
        first = max(start, 1)
        last = min(self.written, first + count - 1)
        return page(first, *(self._line(seq) for seq in range(first, last + 1)))

    def _line(self, seq: int) -> bytes:
        return line(seq, TERMINAL if seq == self._last else "custom")


def test_large_events_are_known_by_a_star() -> None:
    text = texts("custom", json.dumps("x" * LARGE), time=0)[1]

    assert seqs(live().frame(frame(1, text.encode()))) == []
