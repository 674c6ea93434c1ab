"""The API's own description: FastAPI's OpenAPI document, with one form of error for everything."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from cloud.api.problems import MEDIA_TYPE

_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. Some problems have further fields, named in their description.",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/problems/stale-size"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong here and what to do."},
        "instance": {"type": "string", "description": "The path that was asked for."},
    },
}
_ANSWER = {
    "description": "A problem; `type` tells which.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, computed once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = _PROBLEM
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for methods in document["paths"].values():
            for operation in methods.values():
                answers = operation["responses"]
                if "HTTPValidationError" in str(answers.get("422", "")):
                    answers["422"] = _ANSWER
                answers["default"] = _ANSWER
                if "requestBody" in operation:
                    operation["requestBody"] = deepcopy(operation["requestBody"])
                    _lift(operation["requestBody"], schemas)
        app.openapi_schema = document
    return app.openapi_schema


def _lift(part: Any, schemas: dict[str, Any]) -> None:  # noqa: ANN401 - any part of the document
    """Moves the definitions that a body described by hand brings with it to where its references point."""
    if isinstance(part, dict):
        schemas.update(part.pop("$defs", {}))
        for inner in part.values():
            _lift(inner, schemas)
