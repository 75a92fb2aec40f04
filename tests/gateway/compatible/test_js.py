"""LangGraph's client for JavaScript, against a gateway and a worker."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.compatible.served import Served
from tests.support.js_client import VERSIONS
from tests.support.node import complaints, conversation, scripts_of, thread_stream, use_stream
from tests.support.plain_proxy import PlainProxy


@pytest.fixture(scope="module", params=VERSIONS)
def found(served: Served, request: pytest.FixtureRequest) -> Any:
    """What came of a conversation."""
    return conversation(request.param, served.url)


def test_a_thread_is_made_and_found(found: Any) -> None:
    assert found["threads"]["made"] in found["threads"]["found"]


def test_a_run_is_streamed_named_joined_and_listed(found: Any) -> None:
    streamed = found["streamed"]
    run_id = streamed["created"]["run_id"]

    assert streamed["created"]["thread_id"] == streamed["thread_id"]
    assert ["custom", {"doubling": 4}] in streamed["live"]
    assert ["values", {"result": 8}] in streamed["live"]
    assert streamed["joined"] == streamed["live"]
    assert streamed["others"] == ["metadata", "custom", "updates", "updates", "end"]
    assert streamed["runs"] == [[run_id, "success"]]


def test_a_question_is_answered_once(found: Any) -> None:
    answered = found["answered"]

    (question,) = answered["asked"]
    assert question["value"] == {"approve": 1}
    assert answered["tasks"] == [[question]]
    assert ["values", {"answer": True}] in answered["answer"]
    assert answered["twice"] == 409
    assert answered["runs"] == ["success", "success"]


def test_a_graph_is_heard_word_by_word(found: Any) -> None:
    assert "".join(found["graph"]["words"]) == "one two three"
    assert found["graph"]["said"] == ["hi", "one two three"]
    assert found["graph"]["history"] == 3


def test_a_failure_ends_the_stream(found: Any) -> None:
    assert found["failed"] == ["error", {"error": "ValueError", "message": "boom"}]


def test_a_run_is_cancelled(found: Any) -> None:
    assert found["cancelled"] == "interrupted"


def test_a_thread_is_followed_and_runs_are_begun_together(found: Any) -> None:
    assert found["followed"] == [2, 4]
    assert found["batch"] == [{"result": 2}, {"result": 4}]


def test_items_and_assistants_are_read(found: Any) -> None:
    assert found["kept"] == {"item": {"text": "hello"}, "assistants": ["doubled"]}


@pytest.fixture(scope="module", params=VERSIONS)
def pages(served: Served, request: pytest.FixtureRequest) -> Any:
    """What pages with the React hook have shown."""
    return use_stream(request.param, served.url)


def test_w8_the_hook_shows_a_chat_word_by_word(pages: Any) -> None:
    assert pages["chatted"]["shown"] == ["", "Hello", "Hello you", "hi | Hello you"]
    assert pages["hosted"]["texts"] == ["hi", "one two three"]


def test_w19_the_hook_shows_a_question_and_what_was_said_before(pages: Any) -> None:
    assert pages["asked"] == {
        "before": {"texts": ["hi"], "question": "sure?"},
        "texts": ["hi", "yes"],
    }
    assert pages["reopened"] == {"texts": ["hello"], "question": "sure?"}


def test_w10_the_hook_takes_void_words_back(pages: Any) -> None:
    assert pages["takenBack"]["shown"] == ["", "half ", "", "half ", "half a sentence"]


def test_the_hook_tells_of_a_failure(pages: Any) -> None:
    assert pages["failed"] == {"error": "ValueError: boom"}


@pytest.fixture(scope="module")
def threads(served: Served) -> Any:
    """What came of streams of whole threads."""
    proxy = PlainProxy(int(served.url.rpartition(":")[2]))
    return thread_stream(served.url, f"http://127.0.0.1:{proxy.port}", proxy.cut)


def test_a_thread_is_streamed_to_its_output(threads: Any) -> None:
    assert threads["result"] == {"result": 8}
    assert threads["turns"] == [["one", "Hello you"], ["one", "Hello you", "two", "Hello you"]]
    assert threads["failed"] == {
        "event": "failed",
        "graph_name": "broken",
        "error": "ValueError: boom",
    }


def test_messages_calls_and_extensions_of_a_thread_are_assembled(threads: Any) -> None:
    assert threads["talked"] == {
        "found": [["ai-graph", "one two three"]],
        "said": ["hi", "one two three"],
    }
    assert threads["tools"] == [["look_up", {"of": "life"}, "42"]]
    assert threads["extended"] == [0, 1, 2]


def test_a_question_of_a_thread_is_answered_over_both_transports(threads: Any) -> None:
    answered = {"payload": {"approve": 1}, "answered": {"answer": True}}

    assert threads["asked"] == threads["overSocket"] == answered


def test_w5_a_thread_that_was_cut_is_followed_on(threads: Any) -> None:
    assert threads["cut"] == list(range(12))


@pytest.mark.parametrize("page", ["javascript.md", "serve-it.md"])
def test_scripts_of_pages_have_the_right_syntax(page: str) -> None:
    scripts = scripts_of(page)

    assert scripts
    assert [complaints(each) for each in scripts] == [""] * len(scripts)
