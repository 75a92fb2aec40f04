from __future__ import annotations

import json

import pytest

from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import CodecError
from penstock.publisher.event import LARGE, TERMINAL, Event, decode, encode, texts

CODEC = Codec()


def test_an_event_unpacks_as_mode_and_data() -> None:
    event = Event(1, "r", "r", "custom", (), {"n": 1}, 1, 0.0)

    mode, data = event

    assert (mode, data) == ("custom", {"n": 1})
    assert not event.terminal


def test_an_event_reads_back_as_it_was_written() -> None:
    line = encode(
        "custom", CODEC.dumps((1, 2)), namespace=("a:0", "b:1"), attempt=3, thread="t", time=1.25
    )

    assert decode(line, 7, "r", CODEC) == Event(
        7, "r", "t", "custom", ("a:0", "b:1"), (1, 2), 3, 1.25
    )


def test_what_is_usual_is_left_out() -> None:
    line = encode("custom", "null", time=2)

    assert json.loads(line) == {"mode": "custom", "data": None, "time": 2.0}
    assert decode(line, 1, "r", CODEC) == Event(1, "r", "r", "custom", (), None, 1, 2.0)


@pytest.mark.parametrize("odd", ['"', "\\", "a\nb", "ü\u2028{}", "\ud800"])
def test_no_name_can_leave_its_place_in_the_line(odd: str) -> None:
    line = encode(odd, "1", namespace=(odd,), thread=odd, ref=odd, time=0)

    event = decode(line, 1, "r", CODEC)

    assert "\n" not in line
    assert (event.mode, event.namespace, event.thread_id, event.data) == (odd, (odd,), odd, 1)


def test_a_small_event_is_published_as_it_is_stored() -> None:
    stored, published = texts("custom", '"x"', time=0)

    assert json.loads(stored)["data"] == "x"
    assert published == ""


@pytest.mark.parametrize("data", ["x" * LARGE, "ü" * (LARGE // 2)])
def test_a_large_event_is_published_as_a_star(data: str) -> None:
    stored, published = texts("custom", json.dumps(data, ensure_ascii=False), time=0)

    assert json.loads(stored)["data"] == data
    assert published == "*"


@pytest.mark.parametrize("data", ["{}", '{"name":"fetch"}'])
def test_a_reference_is_stored_and_its_outcome_published(data: str) -> None:
    stored, published = texts("step.finished", data, ref="s:1", outcome="[1,2]", time=0)

    late = decode(stored, 1, "r", CODEC, outcome=b"[1,2]")
    live = decode(published, 1, "r", CODEC)

    assert '"ref":"s:1"' in stored and "outcome" not in stored
    assert late == live
    assert live.data == {**json.loads(data), "outcome": [1, 2]}


def test_a_reference_to_a_large_outcome_is_published_as_a_star() -> None:
    _, published = texts("step.finished", "{}", ref="s", outcome=f'"{"x" * LARGE}"', time=0)

    assert published == "*"


@pytest.mark.parametrize("line", ["", "nonsense", "[]", '{"mode":"custom"}', "[" * 100_000])
def test_what_is_no_event_is_refused_by_its_number(line: str) -> None:
    with pytest.raises(CodecError, match="event 4 of run 'r'"):
        decode(line, 4, "r", CODEC)


def test_the_last_event_of_a_run_is_terminal() -> None:
    assert decode(encode(TERMINAL, "null", time=0), 1, "r", CODEC).terminal
