"""What Centrifugo's clients are answered with: results, and errors by Centrifugo's codes.

Its clients take every HTTP status but 200 for a broken server, so that errors are answers as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from radiod.core.promises import Promise
from radiod.errors import (
    BAD_KEY,
    BAD_NAME,
    CHANNEL_CLOSED,
    FEATURE_NOT_SUPPORTED,
    HISTORY_UNAVAILABLE,
    INVALID_ARGUMENT,
    INVALID_URI,
    NO_SUCH_CHANNEL,
    NOT_AUTHORIZED,
    PAYLOAD_SIZE_EXCEEDED,
    QUOTA,
    RATE_LIMITED,
    STILL_RUNNING,
    RadiodError,
    Refused,
)

__all__ = [
    "BAD_REQUEST",
    "NO_METHOD",
    "POSITION_GONE",
    "UNAUTHORIZED",
    "UNAVAILABLE",
    "Failure",
    "Reply",
    "later_reply",
    "reply_of",
    "wrapped",
]

INTERNAL: Final = 100
UNAUTHORIZED: Final = 101
UNKNOWN_CHANNEL: Final = 102
NOT_ALLOWED: Final = 103
NO_METHOD: Final = 104
BAD_REQUEST: Final = 107
UNAVAILABLE: Final = 108
TOO_MANY: Final = 111
POSITION_GONE: Final = 112

WORDS: Final = {
    INTERNAL: "internal server error",
    UNAUTHORIZED: "unauthorized",
    UNKNOWN_CHANNEL: "unknown channel",
    NOT_ALLOWED: "permission denied",
    NO_METHOD: "method not found",
    BAD_REQUEST: "bad request",
    UNAVAILABLE: "not available",
    TOO_MANY: "too many requests",
    POSITION_GONE: "unrecoverable position",
}
"""Centrifugo's own."""

CODES: Final = {
    NO_SUCH_CHANNEL: UNKNOWN_CHANNEL,
    CHANNEL_CLOSED: UNKNOWN_CHANNEL,
    NOT_AUTHORIZED: NOT_ALLOWED,
    BAD_KEY: NOT_ALLOWED,
    INVALID_URI: BAD_REQUEST,
    BAD_NAME: BAD_REQUEST,
    INVALID_ARGUMENT: BAD_REQUEST,
    PAYLOAD_SIZE_EXCEEDED: BAD_REQUEST,
    HISTORY_UNAVAILABLE: UNAVAILABLE,
    FEATURE_NOT_SUPPORTED: UNAVAILABLE,
    QUOTA: TOO_MANY,
    RATE_LIMITED: TOO_MANY,
    STILL_RUNNING: TOO_MANY,
}
"""What a refusal is there; everything else is for us to mend, and may be tried again."""


class Failure(Struct, frozen=True):
    """An error. ``message``: Centrifugo's words for the code, and ours for the reason."""

    code: int
    message: str

    @classmethod
    def of(cls, code: int, reason: str = "") -> Failure:
        """One with a reason of our own."""
        return cls(code, f"{WORDS[code]}: {reason}" if reason else WORDS[code])


Reply = dict[str, Any] | Failure
"""A result, or an error."""


def reply_of(act: Callable[[], Reply | Promise[Reply]]) -> Reply | Promise[Reply]:
    """What ``act`` comes to, also where it is refused: the promise settles with no error."""
    try:
        outcome = act()
    except RadiodError as error:
        return _failure(error)
    return later_reply(outcome) if isinstance(outcome, Promise) else outcome


def later_reply(outcome: Promise[Reply]) -> Promise[Reply]:
    """The same with replies in the place of errors."""
    later: Promise[Reply] = Promise()
    outcome.then(lambda late: later.settle(_failure(late) if isinstance(late, RadiodError) else late))
    return later


def wrapped(reply: Reply | RadiodError, name: str = "result") -> dict[str, Any]:
    """A reply as it is sent: ``{name: result}`` or ``{"error": …}``."""
    if isinstance(reply, RadiodError):
        reply = _failure(reply)
    return {"error" if isinstance(reply, Failure) else name: reply}


def _failure(error: RadiodError) -> Failure:
    code = CODES.get(error.uri, INTERNAL)
    # A refusal's text is meant to be told.
    return Failure.of(code, error.text if isinstance(error, Refused) else "")
