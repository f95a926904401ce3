"""Whether an answer is one that ``/openapi.json`` describes: its status, media type, header fields and body.

Stricter than the document, which lets bodies have more members: those of today are all named there.
"""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

from radiod.web.openapi import document
from support.http import Answer, dechunked

__all__ = ["CONFIG", "DOCUMENT", "OPERATIONS", "answers", "check"]

CONFIG = """
[realms.radio.keys.sample]
call = [
    "p", "radiod.channel.extend",
    "wamp.session.count", "wamp.session.kill_by_authid", "wamp.subscription.remove_subscriber",
]
signing = "sample-signing"
metrics = true

[realms.radio.channels.other_net]
history = { size = 100 }
presence = true
"""
"""Beside the base of all tests: what the document's examples name."""

DOCUMENT = document()

OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
"""Each operation's method and path, by its name."""

OURS = (
    "x-radiod-",
    "retry-after",
    "allow",
    "idempotency-",
    "preference-",
    "accept-encoding",
    "upgrade",
    "www-",
)
"""Header fields that belong to an answer's meaning."""


def answers() -> set[tuple[str, int, str]]:
    """Operation, status and media type of all answers that are described; no media type: no body."""
    return {
        (name, int(status), media_type)
        for name, (_, _, operation) in OPERATIONS.items()
        for status, response in operation["responses"].items()
        for media_type in _found(response).get("content", {"": None})
    }


def check(operation: str, answer: Answer) -> tuple[str, int, str]:
    """Compare an answer with its description. Returns: which of ``answers`` it is."""
    described = OPERATIONS[operation][2]["responses"].get(str(answer.status))
    assert described is not None, f"{operation} does not describe {answer.status}: {answer.body!r}"
    response = _found(described)
    _check_fields(response.get("headers", {}), answer)
    contents = response.get("content", {})
    media_type = answer.headers.get("Content-Type", "").partition(";")[0]
    if not contents:
        assert answer.body == b""
        assert media_type in ("", "application/json")
        return operation, answer.status, ""
    assert media_type in contents, f"{operation} does not describe {media_type} of {answer.status}"
    content = contents[media_type]
    if media_type == "application/json":
        _validate(content["schema"], answer.json)
    for line in filter(None, _text(answer).split("\n") if "x-item" in content else ()):
        _validate(content["x-item"], json.loads(line))
    return operation, answer.status, media_type


def _text(answer: Answer) -> str:
    is_chunked = answer.headers.get("Transfer-Encoding") == "chunked"
    return dechunked(answer.body) if is_chunked else answer.body.decode()


def _check_fields(described: dict[str, Any], answer: Answer) -> None:
    told = {name.lower(): value for name, value in answer.headers.items()}
    for name, field in described.items():
        header = _found(field)
        value = told.pop(name.lower(), None)
        assert value is not None or not header.get("required"), f"no {name}: {answer.head}"
        if value is not None:
            schema = header["schema"]
            _validate(schema, json.loads(value) if schema.get("type") == "integer" else value)
    assert not [name for name in told if name.startswith(OURS)], answer.head


def _found(node: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to."""
    found: Any = node
    while "$ref" in found:
        reference = found["$ref"]
        found = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    return dict(found)


def _closed(node: Any) -> Any:
    """A schema in which objects have no other members than those that are named."""
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    closed = {name: _closed(value) for name, value in node.items()}
    if node.get("type") == "object" and "properties" in node:
        closed.setdefault("additionalProperties", False)
    return closed


_COMPONENTS = {"schemas": _closed(DOCUMENT["components"]["schemas"])}


def _validate(schema: dict[str, Any], value: Any) -> None:
    Draft202012Validator({**_closed(schema), "components": _COMPONENTS}).validate(value)
