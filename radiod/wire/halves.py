"""JSON with halves of characters in its texts: who is told of them.

JavaScript's ``JSON.stringify`` makes such of a text that was cut within a character. No decoder of UTF-8
takes them.
"""

from __future__ import annotations

import re
from typing import Any, Final

from radiod.wire.checked import Checked
from radiod.wire.messages import (
    Call,
    ClientAbort,
    ClientMessage,
    Goodbye,
    InvocationError,
    Publish,
    Register,
    Subscribe,
    Unfit,
    Yield,
)

__all__ = ["HALF", "decode_halves", "has_halves", "without_halves"]

HALF: Final = "a text holds half a character, a lone surrogate"

ANSWERED: Final = (Publish, Subscribe, Call, Register, Yield, InvocationError)
"""Messages that hold texts, and for whose faults somebody can be given an answer."""

_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def has_halves(data: bytes) -> bool:
    """Whether JSON has an escaped half of a character."""
    return without_halves(data) != data


def decode_halves(decoder: Any, data: bytes) -> ClientMessage | Unfit | None:
    """The message in JSON that ``decoder`` has not taken; a payload with halves is marked as unfit.

    Returns: None: there are no halves, so that something else is wrong.
    Raises: ValueError: nobody can be answered; what the decoder raises.
    """
    whole = without_halves(data)
    if whole == data:
        return None
    message: ClientMessage = decoder.decode(whole)
    is_payload = False
    for name in ("args", "kwargs"):
        part = bytes(getattr(message, name, b""))
        if part and part not in data:
            marked = Checked(part)
            marked.fault = HALF
            setattr(message, name, marked)
            is_payload = True
    if is_payload or isinstance(message, Goodbye | ClientAbort):
        return message
    if isinstance(message, ANSWERED):
        return Unfit(message, HALF)
    raise ValueError(HALF)


def without_halves(data: bytes) -> bytes:
    """JSON with every escaped half of a character replaced by U+FFFD, at the same length."""
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["lone"] else found[0], data)
