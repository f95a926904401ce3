"""Values that are typed at a terminal."""

from __future__ import annotations

import json
from typing import Any

from radiod_client.command.failures import Misused
from radiod_client.recordings.records import from_json

__all__ = ["json_value", "value"]


def value(text: str) -> Any:
    """JSON where it is JSON, and text otherwise; but what begins like JSON has to be.

    Raises: Misused: it begins like an object, a list or a quoted text, and is none.
    """
    try:
        return json_value(text)
    except Misused:
        if text.lstrip()[:1] in ("{", "[", '"'):
            raise
        return text


def json_value(text: str) -> Any:
    """Raises: Misused: it is no JSON."""
    try:
        return from_json(json.loads(text, parse_constant=_refuse))
    except (ValueError, RecursionError) as error:
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise Misused(f"no JSON: {shown!r}: {error}") from None


def _refuse(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")
