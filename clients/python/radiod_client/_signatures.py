"""How a function is called, as data: told by callees, read by proxies.

``{parameters: [{name, kind, default?, annotation?}, …], returns?, doc?}``, see docs/protocol.md. A default
that is no JSON is None here, and its ``repr`` stands in the annotation: the parameter stays optional.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

__all__ = ["described", "read"]

MAX_BYTES = 16 << 10
MAX_PARAMETERS = 256
MAX_NAME, MAX_ANNOTATION, MAX_DOC, MAX_REPR, MAX_DEFAULT = 255, 255, 1000, 100, 1000
SAFE_INTEGER = 2**53
MAX_DEPTH = 20
EMPTY = inspect.Parameter.empty
KINDS = {kind.name.lower(): kind for kind in (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.KEYWORD_ONLY,
    inspect.Parameter.VAR_KEYWORD,
)}  # fmt: skip


def described(function: Callable[..., Any]) -> dict[str, Any] | None:
    """What there is to tell of ``function``; None: nothing that a router would take.

    What is too long goes first: the doc, then annotations.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    parameters = list(signature.parameters.values())
    if len(parameters) > MAX_PARAMETERS or any(len(each.name) > MAX_NAME for each in parameters):
        return None
    told: dict[str, Any] = {"parameters": [_parameter(each) for each in parameters]}
    if signature.return_annotation is not EMPTY:
        told["returns"] = _annotation(signature.return_annotation)
    doc = inspect.getdoc(function)
    if doc:
        told["doc"] = _cut(doc, MAX_DOC)
    if _is_small(told):
        return told
    for each in told["parameters"]:
        each.pop("annotation", None)
    told = {"parameters": told["parameters"]}
    return told if _is_small(told) else None


def _is_small(told: dict[str, Any]) -> bool:
    return len(msgspec.json.encode(told)) <= MAX_BYTES


def _parameter(parameter: inspect.Parameter) -> dict[str, Any]:
    told: dict[str, Any] = {"name": parameter.name, "kind": parameter.kind.name.lower()}
    annotation = "" if parameter.annotation is EMPTY else _annotation(parameter.annotation)
    default = parameter.default
    if default is not EMPTY:
        is_told = _is_json(default) and len(msgspec.json.encode(default)) <= MAX_DEFAULT
        told["default"] = default if is_told else None
        if not is_told:
            annotation = _cut(f"{annotation} = {_repr(default)}".strip(), MAX_ANNOTATION)
    if annotation:
        told["annotation"] = annotation
    return told


def _annotation(annotation: Any) -> str:
    try:
        text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    except Exception:
        text = type(annotation).__name__
    return _cut(text, MAX_ANNOTATION)


def _repr(value: Any) -> str:
    """Without addresses: they are another thing in each process."""
    try:
        return _cut(re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value)), MAX_REPR)
    except Exception:
        return f"<{type(value).__name__}>"


def _cut(text: str, most: int) -> str:
    text = text.encode(errors="backslashreplace").decode()
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _is_json(value: Any, depth: int = 0) -> bool:
    """Whether every serializer says it, and the same comes back: no tuple, no NaN, no subclass."""
    kind = type(value)
    if value is None or kind is bool:
        return True
    if kind is int:
        return bool(abs(value) <= SAFE_INTEGER)
    if kind is float:
        return bool(math.isfinite(value))
    if kind is str:
        return not any("\ud800" <= letter <= "\udfff" for letter in value)
    if depth == MAX_DEPTH:
        return False
    if kind is list:
        return all(_is_json(item, depth + 1) for item in value)
    return kind is dict and all(type(key) is str and _is_json(item, depth + 1) for key, item in value.items())


def read(told: Any) -> inspect.Signature | None:
    """What arguments can be bound by; None: nothing was told, or nothing that Python could call."""
    try:
        return inspect.Signature([_read_parameter(each) for each in told["parameters"]])
    except (KeyError, TypeError, ValueError):
        return None


def _read_parameter(told: Mapping[str, Any]) -> inspect.Parameter:
    default = told.get("default", EMPTY)
    return inspect.Parameter(told["name"], KINDS[told["kind"]], default=default)
