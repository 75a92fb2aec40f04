"""Assistants, with LangGraph's own client."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk.errors import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    UnprocessableEntityError,
)

from tests.gateway.compatible import sdk as processes
from tests.gateway.compatible.sdk import Sdk
from tests.support.until import until

sdk = processes.sdk

KEYS = {
    *("assistant_id", "graph_id", "name", "description", "config", "context", "metadata"),
    *("version", "created_at", "updated_at"),
}


def names(sdk: Sdk, **query: Any) -> set[str]:
    return {each["name"] for each in sdk.assistants.search(**query)}


def test_each_entrypoint_and_graph_is_an_assistant(sdk: Sdk) -> None:
    found = sdk.assistants.search(metadata={"created_by": "system"})

    assert {"chat", "both", "slow", "steps"} == {each["graph_id"] for each in found}
    assert all(each.keys() == KEYS and each["version"] == 1 for each in found)
    assert sdk.assistants.count(graph_id="chat") == 1
    page = sdk.http.post("/assistants/search", json={"limit": 1, "offset": 1})
    assert page.headers["x-pagination-next"] == "2"


def test_w3_an_assistant_is_found_by_its_id_and_by_the_name_of_its_graph(sdk: Sdk) -> None:
    [found] = sdk.assistants.search(graph_id="chat")

    assert sdk.assistants.get(found["assistant_id"]) == sdk.assistants.get("chat") == found
    assert found["description"] == "Answer, and perhaps ask or fail before the answer is saved."
    with pytest.raises(NotFoundError, match="'nobody'"):
        sdk.assistants.get("nobody")


def test_the_id_of_an_assistant_is_the_one_that_clients_reckon(sdk: Sdk) -> None:
    from penstock.gateway.compatible.run_view import assistant_of

    assert assistant_of("agent") == "fe096781-5601-53d2-b2f6-0d3403f7e9ca"


def test_schemas_and_drawings_are_those_that_workers_tell(sdk: Sdk) -> None:
    until(lambda: sdk.assistants.get_schemas("steps")["input_schema"], 20, "a description")

    schemas = sdk.assistants.get_schemas("steps")
    assert schemas["graph_id"] == "steps"
    assert schemas.keys() == {
        "graph_id",
        *(f"{each}_schema" for each in ("input", "output", "state", "config", "context")),
    }
    assert "log" in schemas["state_schema"]["properties"]
    drawing = sdk.assistants.get_graph("steps", xray=True)
    assert {"first", "second"} <= {node["id"] for node in drawing["nodes"]}
    assert {"source": "first", "target": "second"} in drawing["edges"]
    assert sdk.assistants.get_schemas("chat")["input_schema"]["type"] == "object"
    assert sdk.assistants.get_graph("chat")["nodes"]
    assert sdk.assistants.get_subgraphs("steps") == {}


def test_an_assistant_is_made_with_settings_and_found_by_them(sdk: Sdk) -> None:
    made = sdk.assistants.create(
        "chat", config={"tags": ["x"]}, metadata={"team": "a"}, name="Polite", description="It is."
    )

    assert made.keys() == KEYS
    assert (made["version"], made["graph_id"], made["name"]) == (1, "chat", "Polite")
    assert sdk.assistants.get(made["assistant_id"]) == made
    assert names(sdk, name="polit") == names(sdk, metadata={"team": "a"}) == {"Polite"}
    [part] = sdk.assistants.search(name="polite", select=["assistant_id"])
    assert part == {"assistant_id": made["assistant_id"]}
    with pytest.raises(NotFoundError, match=r"no graph 'nothing'; workers have .*chat"):
        sdk.assistants.create("nothing")
    with pytest.raises(BadRequestError, match="not both"):
        sdk.assistants.create("chat", config={"configurable": {"a": 1}}, context={"b": 2})


def test_an_assistant_that_is_there_is_refused_or_left_as_it_is(sdk: Sdk) -> None:
    sdk.assistants.create("chat", assistant_id="one", name="First")

    with pytest.raises(ConflictError, match="'one'"):
        sdk.assistants.create("chat", assistant_id="one", name="Second")
    again = sdk.assistants.create("chat", assistant_id="one", name="Second", if_exists="do_nothing")

    assert again["name"] == "First"


def test_a_change_is_a_version_and_each_can_be_chosen(sdk: Sdk) -> None:
    made = sdk.assistants.create("chat", metadata={"a": 1}, context={"x": 1}, name="Old")
    name = made["assistant_id"]

    changed = sdk.assistants.update(name, metadata={"b": 2}, context={"y": 2}, name="New")
    assert (changed["version"], changed["name"]) == (2, "New")
    assert changed["metadata"] == {"a": 1, "b": 2}
    assert changed["context"] == {"y": 2}
    assert [each["version"] for each in sdk.assistants.get_versions(name)] == [2, 1]
    assert len(sdk.assistants.get_versions(name, metadata={"b": 2})) == 1

    assert sdk.assistants.set_latest(name, 1)["name"] == "Old"
    assert sdk.assistants.get(name)["version"] == 1
    assert sdk.assistants.update(name, name="Third")["version"] == 3
    with pytest.raises(NotFoundError, match="no version 9"):
        sdk.assistants.set_latest(name, 9)


def test_an_assistant_is_deleted_with_its_threads(sdk: Sdk) -> None:
    name = sdk.assistants.create("chat")["assistant_id"]
    thread = sdk.new(assistant_id=name)

    sdk.assistants.delete(name, delete_threads=True)

    with pytest.raises(NotFoundError):
        sdk.assistants.get(name)
    with pytest.raises(NotFoundError):
        sdk.threads.get(thread)


def test_the_assistant_of_an_entrypoint_stays_as_it_is(sdk: Sdk) -> None:
    with pytest.raises(UnprocessableEntityError, match="stands for an entrypoint"):
        sdk.assistants.update("chat", name="mine")
    with pytest.raises(UnprocessableEntityError, match="stands for an entrypoint"):
        sdk.assistants.delete("chat")
    assert len(sdk.assistants.get_versions("chat")) == 1


def test_a_run_is_given_the_settings_of_its_assistant(sdk: Sdk) -> None:
    made = sdk.assistants.create("chat", config={"tags": ["own"]}, metadata={"team": "b"})
    thread = sdk.new()

    run = sdk.sdk.runs.create(thread, made["assistant_id"], input={"messages": []})
    sdk.sdk.runs.join(thread, run["run_id"])

    shown = sdk.sdk.runs.get(thread, run["run_id"])
    assert shown["assistant_id"] == made["assistant_id"]
    assert shown["kwargs"]["config"]["tags"] == ["own"]
    assert sdk.client.get(run["run_id"]).info().entrypoint == "chat"
