"""Classes that are known without an announcement, and when they are imported."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration
from pydantic import BaseModel

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.known import load_known
from penstock.publisher.codec.registry import TypeRegistry
from penstock.publisher.errors import CodecError

CALL = {"name": "add", "args": {"a": 1}, "id": "call-1", "type": "tool_call"}
USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


class OwnMessage(HumanMessage):
    mood: str = "good"


VALUES: list[Any] = [
    HumanMessage("hi", id="1", name="ann"),
    HumanMessage([{"type": "text", "text": "hi"}]),
    SystemMessage("be kind", additional_kwargs={"cache": True}),
    AIMessage("", tool_calls=[CALL], usage_metadata=USAGE, response_metadata={"model": "x"}),
    AIMessageChunk(content="Hel", id="m1") + AIMessageChunk(content="lo", id="m1"),
    ToolMessage("3", tool_call_id="call-1", artifact={"rows": (1, 2)}),
    OwnMessage(content="hi", mood="bad"),
    AIMessage("text with methods").text,
    Document("text", metadata={"page": 1}),
    ChatGeneration(message=AIMessage("hello")),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_langchains_values_come_back_without_being_announced(value: Any) -> None:
    writer, reader = Codec(registry=TypeRegistry()), Codec(registry=TypeRegistry())

    found = reader.loads(writer.dumps({"messages": [value]}))["messages"][0]

    assert type(found) is type(value)
    assert found == value
    if isinstance(value, BaseModel):
        assert found.model_dump() == value.model_dump()
    if isinstance(value, BaseMessage):
        assert found.text == value.text


def test_what_else_the_package_has_is_not_known() -> None:
    from langchain_core.runnables.graph import Graph

    with pytest.raises(CodecError, match="register_type"):
        Codec(registry=TypeRegistry()).dumps(Graph())


@pytest.mark.parametrize(
    "name",
    [
        "langchain_core.messages.ai.no_such",
        "langchain_core.messages.no_such.AIMessage",
        "langchain_core.messages.ai.logger",
        "langchain_core.messages.ai.BaseMessage",  # is only imported there
        "langchain_core.tracers.BaseTracer",
        "os.path.join",
        "",
    ],
)
def test_a_name_that_is_none_of_them_imports_and_finds_nothing(name: str) -> None:
    assert load_known(name) is None


def test_the_package_is_imported_only_for_a_value_of_its_own() -> None:
    text = Codec(registry=TypeRegistry()).dumps([AIMessage("hello")])
    program = (
        "import sys\n"
        "from penstock.publisher.codec.codec import Codec\n"
        "import penstock.runtime\n"
        "Codec().loads('[1]')\n"
        "assert 'langchain_core' not in sys.modules\n"
        "print(type(Codec().loads(sys.stdin.read())[0]))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], input=text, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "<class 'langchain_core.messages.ai.AIMessage'>"
