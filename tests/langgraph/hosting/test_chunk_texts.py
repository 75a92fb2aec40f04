"""The texts of chunks: those that the codec writes for the whole, in fewer steps."""

from __future__ import annotations

import datetime
import json
import uuid
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from penstock.langgraph.hosting.chunk_texts import ChunkTexts
from penstock.langgraph.plain import plain
from penstock.publisher.codec.codec import Codec

VALUES: list[Any] = [
    None,
    7,
    "~a",
    "\u00e9\ud800",
    (),
    {},
    {"n": 1},
    {"node": {"n": 1}},
    {"~node": {"~n": "~"}},
    {"n\u00f6de": {"n": 1}},
    {"node": None, "other": [1, (2, 3)]},
    {1: "one"},
    {"node": {1: "one"}},
    {"when": datetime.date(2026, 1, 2), "id": uuid.UUID(int=3)},
    {"node": {"messages": [AIMessage("hello", id="1")]}},
    {"node": float("nan")},
    [True, None, 1.5],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_chunk_is_written_as_a_whole_would_be(value: Any) -> None:
    codec = Codec()
    whole = codec.dumps({"mode": "updates", "chunk": plain(value)})
    assert ChunkTexts(codec).of("updates", value) == whole


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("name", ["node", "~node", "n\u00f6de", 'a"b', "\ud800"])
def test_a_task_is_written_as_a_whole_would_be(value: Any, name: str) -> None:
    codec = Codec()
    payload: dict[str, Any] = {
        "id": "1",
        "name": name,
        "input": value,
        "triggers": ("a",),
        "interrupts": [],
    }
    wrapped: dict[str, Any] = {"type": "task", "step": 3, "payload": payload}
    whole = codec.dumps({"mode": "tasks", "chunk": plain(payload), "step": 3, "type": "task"})
    assert ChunkTexts(codec).wrapped("tasks", wrapped) == whole


def test_the_end_of_a_task_is_marked() -> None:
    payload: dict[str, Any] = {
        "id": "1",
        "name": "~n",
        "error": None,
        "result": {},
        "interrupts": [],
    }
    text = ChunkTexts(Codec()).wrapped(
        "tasks", {"type": "task_result", "step": 3, "payload": payload}, "~n:1"
    )
    assert Codec().loads(text)["ended"] == "~n:1"


def test_a_chunk_that_has_no_form_or_is_too_large_is_cut() -> None:
    texts = ChunkTexts(Codec(limit=1000))
    assert json.loads(texts.of("updates", "x" * 1001)) == {
        "mode": "updates",
        "chunk": None,
        "cut": True,
    }
    payload: dict[str, Any] = {"id": "1", "name": "n", "input": "x" * 1001, "triggers": []}
    cut = json.loads(texts.wrapped("tasks", {"type": "task", "step": 1, "payload": payload}))
    assert (cut["chunk"], cut["cut"]) == (None, True)


def test_a_begin_leaves_a_large_input_out() -> None:
    payload: dict[str, Any] = {"id": "1", "name": "n", "input": "x" * 20_000, "triggers": ["a"]}
    wrapped: dict[str, Any] = {"type": "task", "step": 1, "payload": payload}
    cut = json.loads(ChunkTexts(Codec()).wrapped("tasks", wrapped))
    assert (cut["chunk"], cut["cut"]) == ({**payload, "input": None}, True)
