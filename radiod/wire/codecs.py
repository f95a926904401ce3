"""Serializers: bytes to message and back, with the payload passed through undecoded.

``Codec.decode`` accepts anything and either returns one valid message or raises ``PeerError``; no other
exception leaves it. ``Payload`` carries ``args`` and ``kwargs`` as the bytes their sender wrote, once
``Codec.payload`` has found that other people's decoders can take them; they are transcoded once when a
receiver speaks another serializer, and only then parsed.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Final, Literal, Protocol, get_args

import cbor2
import msgspec

from radiod.errors import INVALID_ARGUMENT, PeerError, Refused
from radiod.wire.checked import Checked
from radiod.wire.forms import (
    TAGS,
    binary_to_text,
    content_of,
    floats_for_big_integers,
    from_extension,
    plain,
    text_to_binary,
)
from radiod.wire.halves import decode_halves
from radiod.wire.json_check import check_json
from radiod.wire.lenient import is_undefined, mend_message
from radiod.wire.messages import EMPTY, ClientMessage, Message, Unfit
from radiod.wire.scan import MOST_NESTING, NESTING, PROTO, UNDERSCORE, Undecodable, has_key_proto
from radiod.wire.scan_cbor import CborScan
from radiod.wire.scan_msgpack import MsgpackScan, is_numbers
from radiod.wire.undisturbed import LARGE, undisturbed

__all__ = ["CBOR", "CODECS", "JSON", "MSGPACK", "NOTHING", "Codec", "CodecName", "Payload", "Undecodable"]

PAYLOAD_AT: Final = {3: 3, 8: 5, 16: 4, 48: 4, 70: 3}
"""Message code -> where its payload begins."""

KINDS: Final[dict[Any, Any]] = {kind.__struct_config__.tag: kind for kind in get_args(ClientMessage)}
"""Message code -> type, of what a client may send."""

MENDABLE: Final = re.compile("got `(float|ext)`")
"""What msgspec says of the values that ``lenient`` may mend."""


class Payload:
    """``args`` and ``kwargs`` of one message, as bytes of the serializer that wrote them.

    An absent part is ``b""``. Instances are shared by every receiver: never change one.

    ``is_plain``: it has been scanned, and what its serializer's decoder makes of it all others can say.
    ``size``: bytes as they arrived.
    """

    __slots__ = ("_other", "args", "codec", "is_plain", "kwargs", "size")

    def __init__(self, codec: Codec, args: bytes, kwargs: bytes) -> None:
        self.codec = codec
        self.args = args
        self.kwargs = kwargs
        self.is_plain = False
        self.size = len(args) + len(kwargs)
        # Made for the first that needs it: nearly everybody speaks what the sender speaks.
        self._other: dict[str, tuple[bytes, bytes]] | None = None

    @classmethod
    def of(cls, /, *args: Any, **kwargs: Any) -> Payload:
        """A payload of radiod's own making."""
        return cls(JSON, JSON.dump(args), JSON.dump(kwargs) if kwargs else b"")

    def __len__(self) -> int:
        """``size``, which is the shorter way to ask."""
        return self.size

    def parts(self, codec: Codec) -> tuple[bytes, bytes]:
        """``args`` and ``kwargs`` in ``codec``; transcoded at most once for each.

        Raises: Undecodable: the payload is malformed inside, or holds what ``codec`` cannot express.
        """
        if codec is self.codec:
            return self.args, self.kwargs
        other = self._other
        if other is None:
            other = self._other = {}
        parts = other.get(codec.name)
        if parts is None:
            transcode = self._transcode if self.size < LARGE else partial(undisturbed, self._transcode)
            parts = transcode(self.args, codec), transcode(self.kwargs, codec)
            other[codec.name] = parts
        return parts

    def _transcode(self, part: bytes, codec: Codec) -> bytes:
        return codec.dump(self.codec.load(part, self.is_plain)) if part else b""

    def values(self) -> tuple[list[Any], dict[str, Any]]:
        """``args`` and ``kwargs`` parsed.

        Raises: Undecodable: the bytes are malformed or opaque.
        """
        load = self.codec.load if self.size < LARGE else partial(undisturbed, self.codec.load)
        args = load(self.args, self.is_plain) if self.args else []
        kwargs = load(self.kwargs, self.is_plain) if self.kwargs else {}
        if not isinstance(args, list):
            raise Undecodable("the payload is opaque")
        return args, kwargs


Part = msgspec.Raw | bytes


CodecName = Literal["json", "msgpack", "cbor"]
"""What serializers are called."""


class Codec(Protocol):
    """One serializer.

    ``name`` is the last part of the WAMP subprotocol, ``is_binary`` tells which WebSocket frames it takes,
    ``rawsocket_id`` its number in the RawSocket handshake.
    """

    name: CodecName
    is_binary: bool
    rawsocket_id: int

    def decode(self, data: bytes) -> ClientMessage | Unfit:
        """The message in ``data``. Raises: PeerError: whatever is wrong with it."""

    def encode(self, message: Message, payload: Payload | None = None) -> bytes:
        """``message``, with ``payload`` behind it. Raises: Undecodable: as ``Payload.parts``."""

    def payload(
        self, args: Part, kwargs: Part, is_opaque: bool = False, max_nesting: int = NESTING
    ) -> Payload:
        """The payload of a decoded message, once it has been found fit for other people's programs.

        Args:
            is_opaque: in the place of a list, args may be one string (``Passthru.enc_algo``).
            max_nesting: how deep lists and dictionaries may go, ``args`` itself being the first.
        Raises:
            PeerError: args is no list or kwargs no dictionary.
            Refused: ``invalid_argument``: there are decoders that could not take it.
        """

    def dump(self, value: Any) -> bytes:
        """Any value as bytes. Raises: Undecodable: the serializer cannot express it."""

    def load(self, data: bytes, is_plain: bool = False) -> Any:
        """The value in ``data``; ``is_plain`` as in a payload. Raises: Undecodable: it is malformed."""


def _complaint(error: Exception) -> str:
    """What a library said, shortened: it may quote what came in."""
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


class _Base(ABC):
    """What the serializers share: splicing payloads behind an encoded head, and checking their kinds."""

    name: CodecName
    is_binary = True
    rawsocket_id: int
    # First bytes that may open a list, a dictionary, or a string of text or bytes.
    _lists: ClassVar[frozenset[int]]
    _maps: ClassVar[frozenset[int]]
    _strings: ClassVar[frozenset[int]]

    def decode(self, data: bytes) -> ClientMessage | Unfit:
        try:
            return self._decode(data) if len(data) < LARGE else undisturbed(self._decode, data)
        except msgspec.ValidationError as invalid:
            return self._decode_mended(data, invalid)
        # RecursionError: nested deeper than the interpreter's stack; every other one: malformed.
        except (ValueError, RecursionError, msgspec.MsgspecError, cbor2.CBORError) as error:
            raise PeerError(f"not a WAMP message in {self.name}: {_complaint(error)}") from None

    @abstractmethod
    def _decode(self, data: bytes) -> ClientMessage | Unfit:
        """``decode``, with whatever exceptions the library raises."""

    def _decode_mended(self, data: bytes, error: msgspec.ValidationError) -> ClientMessage | Unfit:
        """Second try, for serializers that need one. Raises: PeerError."""
        raise PeerError(f"not a valid WAMP message: {_complaint(error)}") from None

    def payload(
        self, args: Part, kwargs: Part, is_opaque: bool = False, max_nesting: int = NESTING
    ) -> Payload:
        args_bytes = bytes(args)
        kwargs_bytes = b"" if kwargs is EMPTY else bytes(kwargs)
        if args_bytes and args_bytes[0] not in self._lists:
            if not is_opaque or args_bytes[0] not in self._strings:
                raise PeerError("args must be a list")
            if kwargs_bytes:
                raise PeerError("nothing may follow an opaque payload")
        if kwargs_bytes and kwargs_bytes[0] not in self._maps:
            raise PeerError("kwargs must be a dictionary")
        is_large = len(args_bytes) + len(kwargs_bytes) >= LARGE
        fit = partial(undisturbed, self._fit) if is_large else self._fit
        try:
            if args_bytes:
                args_bytes = fit(args, args_bytes, max_nesting)
            if kwargs_bytes:
                kwargs_bytes = fit(kwargs, kwargs_bytes, max_nesting)
        except Undecodable as error:
            raise Refused(INVALID_ARGUMENT, f"the payload cannot be passed on: {error}") from None
        return Payload(self, args_bytes, kwargs_bytes)

    @abstractmethod
    def _fit(self, part: Part, data: bytes, max_nesting: int) -> bytes:
        """``data``, or the same in words that every decoder of this serializer takes.

        Args:
            part: as it was decoded.
        Raises: Undecodable: there are none.
        """

    def encode(self, message: Message, payload: Payload | None = None) -> bytes:
        head = self._head(message)
        if payload is None:
            return head
        args, kwargs = payload.parts(self)
        if kwargs:
            return self._splice(head, args or self._empty_list, kwargs)
        return self._splice(head, args) if args else head

    _empty_list: bytes
    _head: Callable[[Message], bytes]
    """A message as an array, without its payload."""

    def _splice(self, head: bytes, *parts: bytes) -> bytes:
        """Append elements to an encoded array of fewer than 14: one byte in front holds the count."""
        # Formatting would copy a long payload several times.
        return b"".join((bytes((head[0] + len(parts),)), head[1:], *parts))

    @abstractmethod
    def dump(self, value: Any) -> bytes:
        """As ``Codec.dump``."""

    @abstractmethod
    def load(self, data: bytes, is_plain: bool = False) -> Any:
        """As ``Codec.load``."""


class _ByMsgspec(_Base):
    """What JSON and MessagePack share: ``_library`` is msgspec's module for each."""

    _library: ClassVar[Any]

    def _decode_mended(self, data: bytes, error: msgspec.ValidationError) -> ClientMessage | Unfit:
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
    name: CodecName = "json"
    _library: ClassVar[Any] = msgspec.json
    is_binary = False
    rawsocket_id = 1
    _lists = frozenset(b"[")
    _maps = frozenset(b"{")
    _strings = frozenset(b'"')
    _empty_list = b"[]"

    def __init__(self) -> None:
        self._decoder: Any = msgspec.json.Decoder(ClientMessage)
        self._encoder = msgspec.json.Encoder(enc_hook=_refuse, decimal_format="number")
        self._head = self._encoder.encode

    def _decode(self, data: bytes) -> ClientMessage | Unfit:
        # The payload is skipped over, not parsed, so its UTF-8 is checked here.
        if not data.isascii():
            data.decode()
        try:
            return self._decoder.decode(data)  # type: ignore[no-any-return] # by the decoder's type
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            message = decode_halves(self._decoder, data)
            if message is None:
                raise
            return message

    def _fit(self, part: Part, data: bytes, max_nesting: int) -> bytes:
        if type(part) is Checked:
            raise Undecodable(part.fault)
        check_json(data, max_nesting)
        return data

    def _splice(self, head: bytes, *parts: bytes) -> bytes:
        return b"".join((head[:-1], b",", b",".join(parts), b"]"))

    def dump(self, value: Any) -> bytes:
        try:
            return self._encoder.encode(binary_to_text(value))
        except (TypeError, ValueError, RecursionError) as error:
            raise Undecodable(f"JSON cannot express it: {_complaint(error)}") from None

    def load(self, data: bytes, is_plain: bool = False) -> Any:
        try:
            value = msgspec.json.decode(data)
            # NUL is always escaped.
            return text_to_binary(value) if ESCAPED_NUL in data else value
        except (ValueError, RecursionError) as error:
            raise Undecodable(f"malformed JSON: {_complaint(error)}") from None


ESCAPED_NUL: Final = b"\\u0000"


def _refuse(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} values cannot be converted")


class _Msgpack(_ByMsgspec):
    name: CodecName = "msgpack"
    _library: ClassVar[Any] = msgspec.msgpack
    rawsocket_id = 2
    _lists = frozenset([*range(0x90, 0xA0), 0xDC, 0xDD])
    _maps = frozenset([*range(0x80, 0x90), 0xDE, 0xDF])
    _strings = frozenset([*range(0xA0, 0xC0), 0xC4, 0xC5, 0xC6, 0xD9, 0xDA, 0xDB])
    _empty_list = b"\x90"

    def __init__(self) -> None:
        self._decoder: Any = msgspec.msgpack.Decoder(ClientMessage, ext_hook=_undefined_to_none)
        self._encoder = msgspec.msgpack.Encoder(enc_hook=_refuse)
        self._head = self._encoder.encode

    def _decode(self, data: bytes) -> ClientMessage:
        if len(data) > SHORT:
            _check_head(data)
        return self._decoder.decode(data)  # type: ignore[no-any-return] # by the decoder's type

    def _fit(self, part: Part, data: bytes, max_nesting: int) -> bytes:
        # Written out, since this is where most payloads go.
        if (UNDERSCORE not in data or PROTO not in data) and (len(data) < SHORT or not is_numbers(data)):
            try:
                _SIMPLE(data)
                return data
            except ValueError:
                # Binary data, say, or what is wrong.
                pass
        scan = MsgpackScan(data)
        scan.whole()
        scan.check(max_nesting)
        return self.dump(self.load(data)) if scan.is_odd else data

    def dump(self, value: Any) -> bytes:
        try:
            try:
                return self._encoder.encode(value)
            except OverflowError:
                return self._encoder.encode(floats_for_big_integers(value))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise Undecodable(f"MessagePack cannot express it: {_complaint(error)}") from None

    def load(self, data: bytes, is_plain: bool = False) -> Any:
        try:
            if not has_key_proto(data):
                return _SIMPLE(data)
        except ValueError:
            pass
        scan = MsgpackScan(data)
        scan.whole()
        scan.check(MOST_NESTING)
        # What was run over to its end without a fault can be decoded.
        value = msgspec.msgpack.decode(data, ext_hook=from_extension)
        return plain(value) if scan.is_rich or scan.is_odd else value


def _undefined_to_none(code: int, data: memoryview) -> Any:
    """For what stands where any value may, say in HELLO.Details.authextra."""
    value = msgspec.msgpack.Ext(code, bytes(data))
    return None if is_undefined(value) else value


SHORT: Final = 4096
"""Bytes of a message in which no dictionary can cost much, whatever its keys are."""

Scalar = bool | int | float | str | None
Simple = Scalar | list[Scalar] | dict[str, Scalar]
for _ in range(4):
    Simple = Scalar | list[Simple] | dict[str, Simple]  # type: ignore[misc] # mypy knows no growing types
_SIMPLE: Final[Callable[[bytes], Any]] = msgspec.msgpack.Decoder(Simple).decode
"""Takes what most payloads are made of: texts as keys, nothing that any decoder could not take, not deep."""


def _check_head(data: bytes) -> None:
    """Raises: ValueError: the head of a message, which is built at once, has keys that are no texts."""
    count = data[0] - 0x90
    if not 0 < count < 16:
        raise ValueError("expected an array of fewer than 16 elements")
    scan = MsgpackScan(data)
    at = 1
    for _ in range(min(PAYLOAD_AT.get(data[1], count), count)):
        at = scan.item(at)
    if scan.has_odd_keys:
        raise ValueError("every key must be a text")


def _write_raw(encoder: Any, value: Any) -> None:
    """What msgspec's encoders do with ``Raw``: it is CBOR already."""
    if not isinstance(value, msgspec.Raw):
        _refuse(value)
    encoder.write(bytes(value))


class _Cbor(_Base):
    name: CodecName = "cbor"
    rawsocket_id = 3
    _lists = frozenset(range(0x80, 0xA0))
    _maps = frozenset(range(0xA0, 0xC0))
    _strings = frozenset(range(0x40, 0x80))
    _empty_list = b"\x80"

    def __init__(self) -> None:
        self._head = _cbor_head

    def _decode(self, data: bytes) -> ClientMessage:
        count = data[0] - 0x80 if data else 0
        if not 0 < count < 24:
            raise ValueError("expected an array of fewer than 24 elements")
        first, second, *_ = data[1:3].ljust(2, b"\xff")
        code = first if first < 24 else second if first == 24 else -1
        # Of another code there is no message, and no payload.
        heads = min(PAYLOAD_AT.get(code, count), count)
        scan = CborScan(data)
        at = 1
        for _ in range(heads):
            at = scan.item(at)
        if scan.has_odd_keys:
            raise ValueError("every key must be a text")
        scan.check(MOST_NESTING)
        items = _loads(bytes((0x80 + heads,)) + data[1:at])
        parts = []
        for _ in range(heads, count):
            scan = CborScan(data)
            end = scan.item(at)
            part = Checked(data[at:end])
            part.scan = scan
            parts.append(part)
            at = end
        if at != len(data):
            raise ValueError("trailing bytes")
        items = mend_message(items) + [msgspec.Raw(part) for part in parts]
        # Of one type: to look through the union takes 30 times as long.
        message = msgspec.convert(items, KINDS.get(code, ClientMessage))
        # With what is known of them.
        for name, part in zip(("args", "kwargs"), parts, strict=False):
            setattr(message, name, part)
        return message  # type: ignore[no-any-return] # one of the union's

    def payload(
        self, args: Part, kwargs: Part, is_opaque: bool = False, max_nesting: int = NESTING
    ) -> Payload:
        payload = super().payload(args, kwargs, is_opaque, max_nesting)
        payload.is_plain = _is_plain(args) and (kwargs is EMPTY or _is_plain(kwargs))
        return payload

    def _fit(self, part: Part, data: bytes, max_nesting: int) -> bytes:
        scan = part.scan if type(part) is Checked else None
        if scan is None:
            scan = CborScan(data)
            scan.whole()
        scan.check(max_nesting)
        if not scan.has_tags and not scan.is_odd:
            return data
        # What tags promise is found out by taking them at their word.
        value = self._build(data, scan)
        return self.dump(value) if scan.is_odd else data

    def dump(self, value: Any) -> bytes:
        try:
            return cbor2.dumps(value, default=_write_raw)
        except (cbor2.CBORError, ValueError, TypeError, RecursionError) as error:
            raise Undecodable(f"CBOR cannot express it: {_complaint(error)}") from None

    def load(self, data: bytes, is_plain: bool = False) -> Any:
        if is_plain:
            return _loads(data)
        scan = CborScan(data)
        scan.whole()
        scan.check(MOST_NESTING)
        return self._build(data, scan)

    def _build(self, data: bytes, scan: CborScan) -> Any:
        """The value of what was scanned. Raises: Undecodable."""
        try:
            value = _loads(data)
            return plain(value) if scan.is_rich or scan.is_odd else value
        except (cbor2.CBORError, ValueError, TypeError) as error:
            raise Undecodable(f"malformed CBOR: {_complaint(error)}") from None


def _cbor_head(message: Message) -> bytes:
    return cbor2.dumps(msgspec.to_builtins(message))


def _is_plain(part: Part) -> bool:
    scan = part.scan if type(part) is Checked else None
    # What had to be put in other words has been.
    return scan is not None and (scan.is_odd or not scan.is_rich)


def _loads(data: bytes) -> Any:
    return cbor2.loads(data, max_depth=MOST_DEPTH, semantic_decoders=TAGS, tag_hook=content_of)


MOST_DEPTH: Final = 1000
"""For cbor2, which counts tags, too. Scans bound what it gets."""


JSON: Final[Codec] = _Json()
MSGPACK: Final[Codec] = _Msgpack()
CBOR: Final[Codec] = _Cbor()

CODECS: Final[dict[str, Codec]] = {codec.name: codec for codec in (JSON, MSGPACK, CBOR)}
"""By name, in the order radiod lists them."""

NOTHING: Final = Payload(JSON, b"", b"")
"""The payload of a message that has none."""
