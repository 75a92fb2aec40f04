"""What the API of LangGraph's clients does not take, and what it can show of odd values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from penstock.gateway.compatible.run_view import assistant_of
from tests.gateway.api import Api

HALF = "\ud800"


def refusal(api: Api, method: str, path: str, text: str) -> str:
    """Send a body, as a text; returns why it is refused with 422."""
    headers = {"content-type": "application/json"}
    found = api.ask(method, path, content=text, headers=headers)
    assert found.status_code == 422, found.text
    return str(found.json()["detail"])


@pytest.mark.parametrize("ttl", ["0.001", "0", "-1", "1e999", "NaN", "1e300"])
def test_a_thread_is_kept_for_a_minute_at_least_and_not_for_ever(api: Api, ttl: str) -> None:
    api.post("/threads", {"thread_id": "t"}, 200)
    body = f'{{"ttl": {{"ttl": {ttl}}}}}'

    assert refusal(api, "POST", "/threads", body).startswith("ttl.ttl: ")
    assert refusal(api, "PATCH", "/threads/t", body).startswith("ttl.ttl: ")
    item = f'{{"namespace": ["a"], "key": "k", "value": {{}}, "ttl": {ttl}}}'
    if ttl != "0.001":
        assert refusal(api, "PUT", "/store/items", item).startswith("ttl: ")


@pytest.mark.parametrize("name", ["a/b", ".", "..", HALF, ""])
def test_an_id_that_nobody_could_ask_for_is_not_given(api: Api, name: str) -> None:
    given = json.dumps(name)

    assert "thread_id" in refusal(api, "POST", "/threads", f'{{"thread_id": {given}}}')
    body = f'{{"graph_id": "doubled", "assistant_id": {given}}}'
    assert "assistant_id" in refusal(api, "POST", "/assistants", body)


def test_half_a_surrogate_pair_is_shown_as_it_was_given(api: Api) -> None:
    body = f'{{"thread_id": "t", "metadata": {{"odd": {json.dumps(HALF)}, "é": "日本"}}}}'
    headers = {"content-type": "application/json"}
    assert api.ask("POST", "/threads", content=body, headers=headers).status_code == 200

    found = api.ask("POST", "/threads/search", json={})

    assert found.status_code == 200
    assert json.dumps(HALF) in found.text
    assert found.json()[0]["metadata"] == {"odd": HALF, "é": "日本"}


@pytest.mark.parametrize(
    "config",
    [
        {"configurable": "x"},
        {"metadata": [1]},
        {"tags": 5},
        {"tags": [1]},
        {"recursion_limit": 0},
        {"max_concurrency": "many"},
    ],
)
def test_a_config_that_no_run_could_have_is_refused(api: Api, config: dict[str, Any]) -> None:
    assistant = {"graph_id": "doubled", "config": config}
    run = {"assistant_id": "doubled", "input": 1, "config": config}

    for path, body in (("/assistants", assistant), ("/runs", run)):
        found = api.ask("POST", path, json=body)
        assert found.status_code == 422
        assert next(iter(config)) in found.json()["detail"]


def test_a_checkpoint_of_a_history_is_named_in_three_ways_and_no_other(api: Api) -> None:
    api.worker.client.enqueue("counting", 1, thread_id="t")
    api.worker.work()
    newest = api.get("/threads/t/state")["checkpoint_id"]
    before: list[Any] = [
        newest,
        {"checkpoint_id": newest},
        {"configurable": {"checkpoint_id": newest}},
    ]

    shown = [api.post("/threads/t/history", {"before": each}, 200) for each in before]

    assert shown[0] == shown[1] == shown[2] != []
    for wrong in ('{"configurable": "x"}', "5", '{"configurable": {"checkpoint_id": 5}}'):
        why = refusal(api, "POST", "/threads/t/history", f'{{"before": {wrong}}}')
        assert why.startswith("before: ")


def test_a_path_with_a_number_of_any_length_is_refused(api: Api) -> None:
    api.post("/threads", {}, 200)

    for digits in (150, 5000):
        path = f'{{"extract": {{"x": "values.a[{"9" * digits}]"}}}}'
        assert refusal(api, "POST", "/threads/search", path).startswith("extract")


def test_a_field_of_a_run_that_there_is_not_cannot_be_selected(api: Api) -> None:
    api.worker.client.enqueue("doubled", 1, thread_id="t")

    found = api.ask("GET", "/threads/t/runs", params={"select": ["run_id", "colour"]})

    assert found.status_code == 422
    assert "no field 'colour'" in found.json()["detail"]


@pytest.mark.parametrize("name", ["doubled", assistant_of("doubled")])
def test_an_assistant_is_not_made_in_the_place_of_an_entrypoint(api: Api, name: str) -> None:
    body = {"graph_id": "counting", "assistant_id": name, "name": "mine"}

    refused = api.ask("POST", "/assistants", json=body)
    shown = api.post("/assistants", {**body, "if_exists": "do_nothing"}, 200)

    assert refused.status_code == 409
    assert shown["graph_id"] == shown["name"] == "doubled"
    assert len(api.post("/assistants/search", {}, 200)) == 4
