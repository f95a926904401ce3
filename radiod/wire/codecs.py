"""Serializers: bytes to message and back, with the payload passed through undecoded.

``Codec.decode`` accepts anything and either returns one valid message or raises ``PeerError``; no other
exception leaves it. ``Payload`` carries ``args`` and ``kwargs`` as the bytes their sender wrote; they are
transcoded once when a receiver speaks another serializer, and only then parsed.
"""

from __future__ import annotations

import base64
import binascii
import re
from abc import ABC, abstractmethod
from io import BytesIO
from typing import Any, Final, Protocol, cast

import cbor2
import msgspec

from radiod.errors import PeerError
from radiod.wire.lenient import is_undefined, mend_message
from radiod.wire.messages import ClientMessage, Message

__all__ = ["CBOR", "CODECS", "JSON", "MSGPACK", "NOTHING", "Codec", "Payload", "Undecodable"]

BINARY_MARK: Final = "\0"
"""In WAMP's JSON a string that begins with NUL is base64 of binary data."""

PAYLOAD_AT: Final = {3: 3, 8: 5, 16: 4, 48: 4, 70: 3}
"""Message code -> where its payload begins."""

MENDABLE: Final = re.compile("got `(float|ext)`")
"""What msgspec says of the values that ``lenient`` may mend."""


class Undecodable(ValueError):
    """A payload's bytes cannot be parsed, or cannot be said in another serializer."""


class Payload:
    """``args`` and ``kwargs`` of one message, as bytes of the serializer that wrote them.

    An absent part is ``b""``. Instances are shared by every receiver: never change one.
    """

    __slots__ = ("_other", "args", "codec", "kwargs")

    def __init__(self, codec: Codec, args: bytes, kwargs: bytes) -> None:
        self.codec = codec
        self.args = args
        self.kwargs = kwargs
        self._other: dict[str, tuple[bytes, bytes]] = {}

    @classmethod
    def of(cls, /, *args: Any, **kwargs: Any) -> Payload:
        """A payload of radiod's own making."""
        return cls(JSON, JSON.dump(args), JSON.dump(kwargs) if kwargs else b"")

    def __len__(self) -> int:
        """Bytes as they arrived."""
        return len(self.args) + len(self.kwargs)

    def parts(self, codec: Codec) -> tuple[bytes, bytes]:
        """``args`` and ``kwargs`` in ``codec``; transcoded at most once for each.

        Raises: Undecodable: the payload is malformed inside, or holds what ``codec`` cannot express.
        """
        if codec is self.codec:
            return self.args, self.kwargs
        parts = self._other.get(codec.name)
        if parts is None:
            parts = self._transcode(self.args, codec), self._transcode(self.kwargs, codec)
            self._other[codec.name] = parts
        return parts

    def _transcode(self, part: bytes, codec: Codec) -> bytes:
        return codec.dump(self.codec.load(part)) if part else b""

    def values(self) -> tuple[list[Any], dict[str, Any]]:
        """``args`` and ``kwargs`` parsed.

        Raises: Undecodable: the bytes are malformed, opaque, or a keyword is not a string.
        """
        args = self.codec.load(self.args) if self.args else []
        kwargs = self.codec.load(self.kwargs) if self.kwargs else {}
        if not isinstance(args, list):
            raise Undecodable("the payload is opaque")
        if not all(isinstance(key, str) for key in kwargs):
            raise Undecodable("every keyword must be a string")
        return args, kwargs


class Codec(Protocol):
    """One serializer.

    ``name`` is the last part of the WAMP subprotocol, ``is_binary`` tells which WebSocket frames it takes,
    ``rawsocket_id`` its number in the RawSocket handshake.
    """

    name: str
    is_binary: bool
    rawsocket_id: int

    def decode(self, data: bytes) -> ClientMessage:
        """The message in ``data``. Raises: PeerError: whatever is wrong with it."""

    def encode(self, message: Message, payload: Payload | None = None) -> bytes:
        """``message``, with ``payload`` behind it. Raises: Undecodable: as ``Payload.parts``."""

    def payload(self, args: msgspec.Raw, kwargs: msgspec.Raw, is_opaque: bool = False) -> Payload:
        """The payload of a decoded message.

        Args:
            is_opaque: in the place of a list, args may be one string (``Passthru.enc_algo``).
        Raises: PeerError: args is no list or kwargs no dictionary.
        """

    def dump(self, value: Any) -> bytes:
        """Any value as bytes. Raises: Undecodable: the serializer cannot express it."""

    def load(self, data: bytes) -> Any:
        """The value in ``data``. Raises: Undecodable: it is malformed."""


def _complaint(error: Exception) -> str:
    """What a library said, shortened: it may quote what came in."""
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


class _Base(ABC):
    """What the serializers share: splicing payloads behind an encoded head, and checking their kinds."""

    name: str
    is_binary = True
    rawsocket_id: int
    # First bytes that may open a list, a dictionary, or a string of text or bytes.
    _lists: frozenset[int]
    _maps: frozenset[int]
    _strings: frozenset[int]

    def decode(self, data: bytes) -> ClientMessage:
        try:
            return self._decode(data)
        except msgspec.ValidationError as error:
            return self._decode_mended(data, error)
        # RecursionError: nested deeper than the interpreter's stack; every other one: malformed.
        except (ValueError, RecursionError, msgspec.MsgspecError, cbor2.CBORError) as error:
            raise PeerError(f"not a WAMP message in {self.name}: {_complaint(error)}") from None

    @abstractmethod
    def _decode(self, data: bytes) -> ClientMessage:
        """``decode``, with whatever exceptions the library raises."""

    def _decode_mended(self, data: bytes, error: msgspec.ValidationError) -> ClientMessage:
        """Second try, for serializers that need one. Raises: PeerError."""
        raise PeerError(f"not a valid WAMP message: {_complaint(error)}") from None

    def payload(self, args: msgspec.Raw, kwargs: msgspec.Raw, is_opaque: bool = False) -> Payload:
        args_bytes, kwargs_bytes = bytes(args), bytes(kwargs)
        if args_bytes and args_bytes[0] not in self._lists:
            if not is_opaque or args_bytes[0] not in self._strings:
                raise PeerError("args must be a list")
            if kwargs_bytes:
                raise PeerError("nothing may follow an opaque payload")
        if kwargs_bytes and kwargs_bytes[0] not in self._maps:
            raise PeerError("kwargs must be a dictionary")
        return Payload(cast(Codec, self), args_bytes, kwargs_bytes)

    def encode(self, message: Message, payload: Payload | None = None) -> bytes:
        head = self._head(message)
        if payload is None:
            return head
        args, kwargs = payload.parts(cast(Codec, self))
        if kwargs:
            return self._splice(head, args or self._empty_list, kwargs)
        return self._splice(head, args) if args else head

    _empty_list: bytes

    @abstractmethod
    def _head(self, message: Message) -> bytes:
        """``message`` as an array, without its payload."""

    def _splice(self, head: bytes, *parts: bytes) -> bytes:
        """Append elements to an encoded array of fewer than 14: one byte in front holds the count."""
        # Formatting would copy a long payload several times.
        return b"".join((bytes((head[0] + len(parts),)), head[1:], *parts))

    @abstractmethod
    def dump(self, value: Any) -> bytes:
        """As ``Codec.dump``."""

    @abstractmethod
    def load(self, data: bytes) -> Any:
        """As ``Codec.load``."""


class _ByMsgspec(_Base):
    """What JSON and MessagePack share: ``_library`` is msgspec's module for each."""

    _library: Any

    def _decode_mended(self, data: bytes, error: msgspec.ValidationError) -> ClientMessage:
        if MENDABLE.search(str(error)):
            try:
                items = self._library.decode(data, type=list[msgspec.Raw])
                payload_at = PAYLOAD_AT.get(self._library.decode(items[0]), len(items))
                head = mend_message([self._library.decode(item) for item in items[:payload_at]])
                return self._decode(self.dump([*head, *items[payload_at:]]))
            except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):
                pass
        return super()._decode_mended(data, error)


class _Json(_ByMsgspec):
    name = "json"
    _library = msgspec.json
    is_binary = False
    rawsocket_id = 1
    _lists = frozenset(b"[")
    _maps = frozenset(b"{")
    _strings = frozenset(b'"')
    _empty_list = b"[]"

    def __init__(self) -> None:
        self._decoder: Any = msgspec.json.Decoder(ClientMessage)
        self._encoder = msgspec.json.Encoder(enc_hook=_refuse, decimal_format="number")

    def _decode(self, data: bytes) -> ClientMessage:
        # The payload is skipped over, not parsed, so its UTF-8 is checked here.
        if not data.isascii():
            data.decode()
        return cast(ClientMessage, self._decoder.decode(data))

    def _head(self, message: Message) -> bytes:
        return self._encoder.encode(message)

    def _splice(self, head: bytes, *parts: bytes) -> bytes:
        return b"".join((head[:-1], b",", b",".join(parts), b"]"))

    def dump(self, value: Any) -> bytes:
        try:
            return self._encoder.encode(_binary_to_text(value))
        except (TypeError, ValueError, RecursionError) as error:
            raise Undecodable(f"cannot be said in JSON: {_complaint(error)}") from None

    def load(self, data: bytes) -> Any:
        try:
            return _text_to_binary(msgspec.json.decode(data))
        except (ValueError, RecursionError) as error:
            raise Undecodable(f"malformed JSON: {_complaint(error)}") from None


def _refuse(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} values cannot be converted")


def _binary_to_text(value: Any) -> Any:
    """Replace binary data by WAMP's base64 strings, wherever it is inside lists and dictionaries."""
    if isinstance(value, bytes):
        return BINARY_MARK + base64.b64encode(value).decode()
    if isinstance(value, list | tuple):
        return [_binary_to_text(item) for item in value]
    if isinstance(value, dict):
        return {key: _binary_to_text(item) for key, item in value.items()}
    return value


def _text_to_binary(value: Any) -> Any:
    """The inverse of ``_binary_to_text``; a NUL string that is not base64 stays a string."""
    if isinstance(value, str):
        return _unmark(value) if value.startswith(BINARY_MARK) else value
    if isinstance(value, list):
        return [_text_to_binary(item) for item in value]
    if isinstance(value, dict):
        return {key: _text_to_binary(item) for key, item in value.items()}
    return value


def _unmark(text: str) -> str | bytes:
    try:
        return base64.b64decode(text[1:], validate=True)
    except (binascii.Error, ValueError):
        return text


class _Msgpack(_ByMsgspec):
    name = "msgpack"
    _library = msgspec.msgpack
    rawsocket_id = 2
    _lists = frozenset([*range(0x90, 0xA0), 0xDC, 0xDD])
    _maps = frozenset([*range(0x80, 0x90), 0xDE, 0xDF])
    _strings = frozenset([*range(0xA0, 0xC0), 0xC4, 0xC5, 0xC6, 0xD9, 0xDA, 0xDB])
    _empty_list = b"\x90"

    def __init__(self) -> None:
        self._decoder: Any = msgspec.msgpack.Decoder(ClientMessage, ext_hook=_undefined_to_none)
        self._encoder = msgspec.msgpack.Encoder(enc_hook=_refuse)

    def _decode(self, data: bytes) -> ClientMessage:
        return cast(ClientMessage, self._decoder.decode(data))

    def _head(self, message: Message) -> bytes:
        return self._encoder.encode(message)

    def dump(self, value: Any) -> bytes:
        try:
            return self._encoder.encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise Undecodable(f"cannot be said in MessagePack: {_complaint(error)}") from None

    def load(self, data: bytes) -> Any:
        try:
            return msgspec.msgpack.decode(data, ext_hook=_refuse_extension)
        except (TypeError, ValueError, RecursionError) as error:
            raise Undecodable(f"malformed MessagePack: {_complaint(error)}") from None


def _undefined_to_none(code: int, data: memoryview) -> Any:
    """For what stands where any value may, say in HELLO.Details.authextra."""
    value = msgspec.msgpack.Ext(code, bytes(data))
    return None if is_undefined(value) else value


def _refuse_extension(code: int, data: memoryview) -> Any:
    raise ValueError(f"extension type {code} means nothing here")


def _refuse_tag(value: Any, is_immutable: bool) -> Any:
    raise ValueError("shared references mean nothing here")


def _write_raw(encoder: Any, value: Any) -> None:
    """What msgspec's encoders do with ``Raw``: it is CBOR already."""
    if not isinstance(value, msgspec.Raw):
        _refuse(value)
    encoder.write(bytes(value))


class _Cbor(_Base):
    name = "cbor"
    rawsocket_id = 3
    _lists = frozenset(range(0x80, 0xA0))
    _maps = frozenset(range(0xA0, 0xC0))
    _strings = frozenset(range(0x40, 0x80))
    _empty_list = b"\x80"

    # References reach across the payload's borders and can build cycles; regular expressions are code.
    _limits: Final[dict[str, Any]] = {
        "max_depth": 400,
        "semantic_decoders": dict.fromkeys((25, 28, 29, 35, 256), _refuse_tag),
    }

    def _decode(self, data: bytes) -> ClientMessage:
        if not data or not 0x80 <= data[0] <= 0x97:
            raise ValueError("expected an array of fewer than 24 elements")
        stream = BytesIO(data)
        stream.seek(1)
        decoder = cbor2.CBORDecoder(stream, read_size=1, **self._limits)
        items: list[Any] = []
        first_payload = 99
        for index in range(data[0] - 0x80):
            start = stream.tell()
            item = decoder.decode()
            if index == 0 and isinstance(item, int):
                first_payload = PAYLOAD_AT.get(item, first_payload)
            items.append(msgspec.Raw(data[start : stream.tell()]) if index >= first_payload else item)
        if stream.tell() != len(data):
            raise ValueError("trailing bytes")
        return cast(ClientMessage, msgspec.convert(mend_message(items), ClientMessage))

    def _head(self, message: Message) -> bytes:
        return cbor2.dumps(msgspec.to_builtins(message))

    def dump(self, value: Any) -> bytes:
        try:
            return cbor2.dumps(value, default=_write_raw)
        except (cbor2.CBORError, ValueError, TypeError, RecursionError) as error:
            raise Undecodable(f"cannot be said in CBOR: {_complaint(error)}") from None

    def load(self, data: bytes) -> Any:
        try:
            return cbor2.loads(data, **self._limits)
        except (cbor2.CBORError, ValueError, TypeError, RecursionError) as error:
            raise Undecodable(f"malformed CBOR: {_complaint(error)}") from None


JSON: Final[Codec] = _Json()
MSGPACK: Final[Codec] = _Msgpack()
CBOR: Final[Codec] = _Cbor()

CODECS: Final[dict[str, Codec]] = {codec.name: codec for codec in (JSON, MSGPACK, CBOR)}
"""By name, in the order radiod lists them."""

NOTHING: Final = Payload(JSON, b"", b"")
"""The payload of a message that has none."""
