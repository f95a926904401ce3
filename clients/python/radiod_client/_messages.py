"""WAMP's messages, both ways, in MessagePack and JSON."""

from __future__ import annotations

import base64
import math
import sys
from typing import Any, Protocol

import msgspec
from msgspec import Raw, Struct, field

__all__ = [
    "CODECS",
    "Abort",
    "Challenge",
    "Codec",
    "Error",
    "Event",
    "Goodbye",
    "Interrupt",
    "Invocation",
    "Message",
    "Published",
    "Registered",
    "Result",
    "Subscribed",
    "Unregistered",
    "Unsubscribed",
    "Welcome",
]


class Welcome(Struct, array_like=True, tag=2):
    session: int
    details: dict[str, Any]


class Abort(Struct, array_like=True, tag=3):
    details: dict[str, Any]
    reason: str


class Challenge(Struct, array_like=True, tag=4):
    method: str
    extra: dict[str, Any]


class Goodbye(Struct, array_like=True, tag=6):
    details: dict[str, Any]
    reason: str


class Error(Struct, array_like=True, tag=8):
    kind: int
    request: int
    details: dict[str, Any]
    uri: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)


class Published(Struct, array_like=True, tag=17):
    request: int
    publication: int


class Subscribed(Struct, array_like=True, tag=33):
    request: int
    subscription: int


class Unsubscribed(Struct, array_like=True, tag=35):
    request: int
    details: dict[str, Any] = field(default_factory=dict)


class Event(Struct, array_like=True, tag=36):
    subscription: int
    publication: int
    details: dict[str, Any]
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)


class Result(Struct, array_like=True, tag=50):
    request: int
    details: dict[str, Any]
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)


class Registered(Struct, array_like=True, tag=65):
    request: int
    registration: int


class Unregistered(Struct, array_like=True, tag=67):
    request: int
    details: dict[str, Any] = field(default_factory=dict)


class Invocation(Struct, array_like=True, tag=68):
    request: int
    registration: int
    details: dict[str, Any]
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)


class Interrupt(Struct, array_like=True, tag=69):
    request: int
    options: dict[str, Any]


Message = (
    Welcome
    | Abort
    | Challenge
    | Goodbye
    | Error
    | Published
    | Subscribed
    | Unsubscribed
    | Event
    | Result
    | Registered
    | Unregistered
    | Invocation
    | Interrupt
)

_NUL = "\0"
# What arrays and binary strings begin with, each with a byte that is rare: to look for one costs nothing.
_SPECIAL = {"msgpack": ((b"\xa3", b"_nd"),), "json": ((b"_", b'nd"'), (b"\\", b"u0000"))}
_SHORT = 1000
_TRIES = 64


class _Decoder(Protocol):
    def decode(self, buf: bytes, /) -> Any: ...


class _Encoder(Protocol):
    def encode(self, obj: Any, /) -> bytes: ...


class Codec:
    """One serializer. What it cannot say is a TypeError or ValueError, before anything is sent."""

    def __init__(self, name: str, encoder: _Encoder, decoder: _Decoder) -> None:
        self.name = name
        self.subprotocol = f"wamp.2.{name}"
        self.is_binary = name != "json"
        self._encode = encoder.encode
        self._decode = decoder.decode
        self._special = _SPECIAL[name]

    def encode(self, message: list[Any]) -> bytes:
        """A whole message."""
        return self._encode(message)

    def payload(self, value: Any) -> Raw:
        """``args`` or ``kwargs`` as they will stand in the message.

        Raises: TypeError, ValueError: the serializer cannot say it.
        """
        try:
            if self.is_binary:
                return Raw(self._encode(value))
            return Raw(self._encode(_said(value)))
        except (OverflowError, RecursionError, msgspec.MsgspecError) as error:
            raise ValueError(f"cannot be sent: {error}") from None

    def decode(self, data: bytes) -> Message:
        """Raises: ValueError: this is no message that a router sends."""
        try:
            message: Message = self._decode(data)
        except (RecursionError, msgspec.MsgspecError) as error:
            raise ValueError(str(error)) from None
        for first, rest in self._special:
            if _has(data, first, rest) and isinstance(message, Event | Result | Error | Invocation):
                message.args, message.kwargs = _heard(message.args), _heard(message.kwargs)
                break
        return message


def _has(data: bytes, first: bytes, rest: bytes) -> bool:
    """Whether both stand there, one behind the other; in long data perhaps only ``rest``."""
    if len(data) < _SHORT:
        return first + rest in data
    # For one byte there is memchr; for several Python takes 1.5 ns for each byte of ``data``.
    at = -1
    for _ in range(_TRIES):
        at = data.find(first, at + 1)
        if at < 0:
            return False
        if data.startswith(rest, at + 1):
            return True
    return data.find(rest, at) >= 0


def _said(value: Any) -> Any:
    """``value`` as JSON can say it: WAMP's binary strings, no NaN."""
    if isinstance(value, bytes | bytearray | memoryview):
        return _NUL + base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"JSON cannot say {value}: use serializer='msgpack'")
    if isinstance(value, dict):
        return {key: _said(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_said(item) for item in value]
    if isinstance(value, str | int | float) or value is None:
        return value
    hooked = _numpy(value)
    return value if hooked is None else _said(hooked)


def _numpy(value: Any) -> Any:
    """An array, or a scalar of NumPy's, as something to send; None if it is neither."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray | numpy.generic):
        return None
    from radiod_client import arrays

    return arrays.encode_all(value)


def _hook(value: Any) -> Any:
    encoded = _numpy(value)
    if encoded is None:
        raise TypeError(f"{type(value).__name__} cannot be sent")
    return encoded


def _heard(value: Any) -> Any:
    """``value`` with its arrays and binary strings decoded; what breaks the convention stays as it came."""
    try:
        from radiod_client import arrays
    except ImportError:
        return _binary(value)
    try:
        return _binary(arrays.decode_all(value))
    except ValueError:
        return _binary(value)


def _binary(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_NUL):
        try:
            return base64.b64decode(value[1:], validate=True)
        except ValueError:
            return value
    if isinstance(value, dict):
        return {key: _binary(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_binary(item) for item in value]
    return value


CODECS = {
    "msgpack": Codec(
        "msgpack",
        msgspec.msgpack.Encoder(enc_hook=_hook),
        msgspec.msgpack.Decoder(Message),
    ),
    "json": Codec("json", msgspec.json.Encoder(enc_hook=_hook), msgspec.json.Decoder(Message)),
}
