"""Heads of HTTP answers: the one place where texts become a status line or a header.

Whatever a text is made of, it cannot end a line here: other people's clients and proxies read what follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from radiod.errors import RATE_LIMITED, NoAccess, OverLimit, RadiodError

__all__ = ["MAX_REASON", "clean", "error_reply", "refused", "reply_head", "with_retry"]

MAX_REASON: Final = 200
"""Characters of a reason phrase, which may quote what a client said."""

LATER: Final = (429, 503)
"""Statuses that say for how many seconds a client should leave it."""

RETRY_SECONDS: Final = "1"
"""Of those, where nobody knows better."""

# Also what is no ASCII: bytes of UTF-8 such as 0x85 end lines for clients that read heads as Latin-1.
UNFIT: Final = re.compile(rb"[^ -~]")
NO_NAME: Final = re.compile(rb"[^!#$%&'*+.^_`|~0-9A-Za-z-]")


def clean(text: str | bytes) -> bytes:
    """A text as it may stand in a status line or a header: other than visible ASCII becomes ``?``."""
    data = text.encode("ascii", "replace") if isinstance(text, str) else text
    return UNFIT.sub(b"?", data)


def reply_head(
    status: int,
    reason: str | bytes,
    fields: Iterable[tuple[str | bytes, str | bytes]],
    version: bytes = b"HTTP/1.1",
) -> bytes:
    """Status line, header lines and the empty line behind them."""
    lines = [b"%b %d %b" % (version, status, clean(reason)[:MAX_REASON])]
    for name, value in fields:
        lines.append(b"%b: %b" % (NO_NAME.sub(b"?", clean(name)), clean(value)))
    return b"\r\n".join(lines) + b"\r\n\r\n"


def with_retry(status: int, fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The fields of an answer, and ``Retry-After`` if its status wants that and it has none."""
    told = tuple(fields)
    if status not in LATER or any(name == "Retry-After" for name, _ in told):
        return told
    return ("Retry-After", RETRY_SECONDS), *told


def refused(error: RadiodError) -> dict[str, Any]:
    """What the body of an error of radiod's says, as its own routes tell it."""
    if isinstance(error, OverLimit):
        if error.uri == RATE_LIMITED:
            return {"error": "rate limit exceeded", "reason": "rate_limited"}
        return {"error": "quota exceeded", "reason": "quota", "limit": error.limit}
    if isinstance(error, NoAccess):
        return {"error": error.text, "reason": error.reason}
    return {"error": error.text}


def error_reply(
    status: int,
    text: str,
    fields: Iterable[tuple[str, str]] = (),
    reason: str | None = None,
    says: Mapping[str, Any] | None = None,
) -> bytes:
    """A whole answer that ends the connection, whose body is JSON as of all errors.

    Args:
        reason: the reason phrase, where it is not ``text``.
        says: the body, where that says more than ``text``.
    """
    body = msgspec.json.encode({"error": text} if says is None else says)
    told = [
        *with_retry(status, fields),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    ]
    return reply_head(status, text if reason is None else reason, told) + body
