"""The description of the API for programs: OpenAPI, made of the table of its routes."""

from __future__ import annotations

__all__ = ["description", "description_text"]

import importlib.metadata
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from penstock.gateway.call import has_body
from penstock.gateway.endpoint import Endpoint
from penstock.gateway.json_text import json_text

_REFUSED: Final = {
    "400": "The cursor is invalid.",
    "401": "There is no API key, or a wrong one.",
    "403": "The role of the key does not allow it.",
    "404": "There is no such run or thread.",
    "409": "The run or the thread is not in a state for this.",
    "410": "The events after the cursor are no longer kept.",
    "413": "The body or a value is too large.",
    "415": "The body is not JSON by its type.",
    "422": "A field is unknown or has a value that it cannot have.",
    "429": "There are too many streams of this key, or wrong keys of this address.",
    "503": "Redis does not answer, or the process is about to end.",
}


@cache
def description_text(endpoints: tuple[Endpoint[Any, Any], ...]) -> str:
    """Write the description of endpoints as JSON; once, as whoever asks for it needs no key."""
    return json_text(description(endpoints))


def description(endpoints: Sequence[Endpoint[Any, Any]]) -> dict[str, Any]:
    """Describe endpoints as an OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, schemas)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Penstock", "version": importlib.metadata.version("penstock")},
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "schemas": schemas,
            "responses": {
                status: {"description": text, "content": _json(_ERROR)}
                for status, text in _REFUSED.items()
            },
        },
        "security": [{"key": []}, {"bearer": []}],
    }


_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["detail"],
    "properties": {
        "detail": {"type": "string"},
        "error": {"type": "string"},
        "errors": {"type": "array"},
    },
}


def _operation(endpoint: Endpoint[Any, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {str(endpoint.status): {"description": "Done."}}
    responses |= {status: {"$ref": f"#/components/responses/{status}"} for status in _REFUSED}
    module = endpoint.answer.__module__.rpartition(".")[2]
    found: dict[str, Any] = {
        "operationId": f"{module}_{endpoint.answer.__name__}",
        "summary": endpoint.summary,
        "x-role": endpoint.needs,
        "parameters": list(_parameters(endpoint, schemas)),
        "responses": responses,
    }
    if has_body(endpoint.method, endpoint.body):
        found["requestBody"] = {"content": _json(_schema(endpoint.body, schemas))}
    return found


def _parameters(endpoint: Endpoint[Any, Any], schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", endpoint.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    schema = _schema(endpoint.query, schemas)
    for name, field in schema.get("properties", {}).items():
        yield {"name": name, "in": "query", "required": False, "schema": field}


def _schema(model: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Describe a model, and add the models that it refers to."""
    schema: dict[str, Any] = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schema.pop("$defs", {})
    return schema


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
