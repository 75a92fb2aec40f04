"""The description of the API says what its table says."""

from __future__ import annotations

import json
import re
from typing import Any

from penstock.gateway.app import ENDPOINTS
from penstock.gateway.openapi import description_text
from tests.gateway.api import Api


def test_each_route_is_described_with_what_it_takes(api: Api) -> None:
    document = api.get("/api/openapi.json")

    described = {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert described.keys() == {(each.method, each.path) for each in ENDPOINTS}
    for endpoint in ENDPOINTS:
        operation = described[endpoint.method, endpoint.path]
        assert operation["summary"].endswith((".", ":"))
        named = {each["name"] for each in operation["parameters"]}
        assert named == {*re.findall(r"{(\w+)}", endpoint.path), *endpoint.query.model_fields}
    ids = [operation["operationId"] for operation in described.values()]
    assert len(set(ids)) == len(ids)


def test_it_is_made_once() -> None:
    assert description_text(ENDPOINTS) is description_text(ENDPOINTS)


def test_what_it_refers_to_is_there(api: Api) -> None:
    document: dict[str, Any] = api.get("/api/openapi.json")

    for target in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))):
        found = document
        for part in target.split("/"):
            found = found[part]
        assert found
