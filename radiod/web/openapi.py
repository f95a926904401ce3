"""``GET /openapi.json``: what HTTP answers, for programs (OpenAPI 3.1).

``openapi.json`` beside this module is written by hand. What the server refuses before any route is asked is
the same everywhere, and is added here to each operation. ``x-also`` of an operation names methods that do the
same, and their operations. Tests compare every answer with it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from radiod import __version__
from radiod.web.answers import Request
from radiod.web.routes import Outcome, Route
from radiod.wire.answer import Answer

__all__ = ["OpenApi", "document"]

FILE: Final = Path(__file__).with_name("openapi.json")

EVERYWHERE: Final = {
    400: "BadRequest",
    403: "WrongOrigin",
    405: "WrongMethod",
    408: "TooSlow",
    413: "TooLarge",
    414: "LongTarget",
    415: "OtherCoding",
    417: "NotExpected",
    421: "WrongHost",
    429: "TooManyConnections",
    431: "LongHead",
    500: "Failed",
    501: "OtherFraming",
    505: "OtherVersion",
}
"""Status -> its description, of answers that any request may get, unless an operation says more of it."""


def document() -> dict[str, Any]:
    """The whole document, of this version of radiod."""
    whole: dict[str, Any] = msgspec.json.decode(FILE.read_bytes())
    whole["info"]["version"] = __version__
    shared = {str(status): {"$ref": f"#/components/responses/{name}"} for status, name in EVERYWHERE.items()}
    for path in whole["paths"].values():
        for operation in list(path.values()):
            operation["responses"] = dict(sorted({**shared, **operation["responses"]}.items()))
            for method, name in operation.pop("x-also", {}).items():
                path[method] = {**operation, "operationId": name}
    return whole


@cache
def encoded() -> bytes:
    """The same as it is sent, made once in a process."""
    return msgspec.json.encode(document())


class OpenApi(Route):
    """The document, held in memory as it is sent."""

    def __init__(self) -> None:
        self._answer = Answer(200, encoded(), cache=b"no-cache")

    def get(self, request: Request) -> Outcome:
        """All of it."""
        return self._answer
