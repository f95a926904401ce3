"""Coverage-guided: atheris against the pure decoders, in this process; ``make fuzz-coverage``.

What may come of any input is a value, or an error that the adapters turn into bytes. What was taken, a strict
decoder takes.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable

from fuzz.strict import strictly
from radiod.errors import PeerError, RadiodError
from radiod.wire.batches import split_separated, split_sized
from radiod.wire.bodies import Body, ChunkedBody, body_of, is_gzip
from radiod.wire.codecs import CODECS, Codec, Undecodable
from radiod.wire.deflate import inflate
from radiod.wire.frames import rawsocket_frames
from radiod.wire.gunzip import BadGzip, TooLong, gunzip
from radiod.wire.heads import END_OF_HEAD, BadHead, read_head
from radiod.wire.reader import FrameReader, Violation

__all__ = ["one_input"]

LIMIT = 1 << 16


def one_input(data: bytes) -> None:
    """The first byte chooses a decoder, the rest is its input. Raises: whatever should not have come."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def _messages(codec: Codec) -> Callable[[bytes], None]:
    def decode(data: bytes) -> None:
        with contextlib.suppress(RadiodError):
            message = codec.decode(data)
            if hasattr(message, "args"):
                payload = codec.payload(message.args, message.kwargs)
                for other in CODECS.values():
                    # What has no word in another serializer is not delivered.
                    with contextlib.suppress(Undecodable):
                        for part in payload.parts(other):
                            if part:
                                strictly(other.name, part)

    return decode


def _head(data: bytes) -> None:
    with contextlib.suppress(BadHead):
        read_head(data)


def _requests(data: bytes) -> None:
    """Requests of one connection; the first byte says where reads cut their bodies.

    Raises: AssertionError: they are others than in one read.
    """
    cut, whole = data[0] if data else 0, data[1:]
    assert _taken(whole, cut) == _taken(whole, len(whole))


def _taken(data: bytes, cut: int) -> list[object]:
    """Each request's head and body, and why one is refused; what is not whole is none."""
    found: list[object] = []
    try:
        while END_OF_HEAD in data:
            end = data.index(END_OF_HEAD) + len(END_OF_HEAD)
            head, rest = read_head(data[:end]), data[end:]
            body, is_packed, content = body_of(head, LIMIT), is_gzip(head), b""
            if body is not None:
                content, rest = _poured(body, [rest[:cut], rest[cut:]])
                if not body.is_over:
                    break
            found.append((head.method, head.fields, gunzip(content, LIMIT) if is_packed else content))
            data = rest
    except (BadHead, BadGzip, TooLong) as error:
        found.append(str(error))
    return found


def _chunks(data: bytes) -> None:
    """Chunks in two reads, and byte by byte. Raises: AssertionError: they are others than in one."""
    cut, whole = data[0] if data else 0, data[1:]
    singles = [whole[at : at + 1] for at in range(min(len(whole), 512))]
    assert _joined([whole]) == _joined([whole[:cut], whole[cut:]]) == _joined([*singles, whole[512:]])


def _joined(reads: list[bytes]) -> object:
    body = ChunkedBody(LIMIT)
    try:
        return *_poured(body, reads), body.is_over
    except BadHead as bad:
        return bad.status


def _poured(body: Body, reads: list[bytes]) -> tuple[bytes, bytes]:
    """What is the body's, and what is left. Raises: BadHead."""
    content = rest = b""
    for read in reads:
        rest += read
        while rest and not body.is_over:
            before = len(rest)
            content, rest = content + body.take(rest), body.rest
            if len(rest) == before:
                break
    return content, rest


def _gzip(data: bytes) -> None:
    with contextlib.suppress(BadGzip, TooLong):
        gunzip(data, LIMIT)


def _frames(data: bytes) -> None:
    with contextlib.suppress(RadiodError):
        rawsocket_frames(data, LIMIT)


def _websocket(data: bytes) -> None:
    for inflating in (None, _inflate):
        with contextlib.suppress(Violation):
            list(FrameReader(LIMIT, 16, inflating).read(data))


def _inflate(data: bytes) -> bytes:
    """As an open connection does it. Raises: Violation."""
    try:
        return inflate(data, LIMIT)
    except PeerError as error:
        raise Violation(1007, error.text) from None


def _batches(data: bytes) -> None:
    for split in (split_separated, split_sized):
        with contextlib.suppress(RadiodError):
            split(data)


TARGETS = [*map(_messages, CODECS.values()), _head, _requests, _chunks, _gzip, _frames, _websocket, _batches]


def main() -> None:
    """libFuzzer's command line, without an end of its own."""
    import atheris

    # Only what is fuzzed: with everything that is loaded, libraries too, it would never begin. Modules are
    # instrumented as they are imported, and these have been.
    for name in [name for name in sys.modules if name.split(".")[0] in ("radiod", "fuzz")]:
        del sys.modules[name]
    with atheris.instrument_imports(include=["radiod.wire"]):
        guided = importlib.import_module("fuzz.guided")
    atheris.Setup(sys.argv, guided.one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
