"""Coverage-guided: atheris against the pure decoders, in this process; ``make fuzz-coverage``.

What may come of any input is a value, or an error that the adapters turn into bytes. What was taken, a strict
decoder takes.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable

from fuzz.strict import strictly
from radiod.errors import RadiodError
from radiod.wire.batches import split_separated, split_sized
from radiod.wire.codecs import CODECS, Codec, Undecodable
from radiod.wire.deflate import Inflater
from radiod.wire.frames import rawsocket_frames
from radiod.wire.heads import BadHead, read_head
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


def _frames(data: bytes) -> None:
    with contextlib.suppress(RadiodError):
        rawsocket_frames(data, LIMIT)


def _websocket(data: bytes) -> None:
    for inflate in (None, Inflater(LIMIT)):
        with contextlib.suppress(Violation):
            list(FrameReader(LIMIT, 16, inflate).read(data))


def _batches(data: bytes) -> None:
    for split in (split_separated, split_sized):
        with contextlib.suppress(RadiodError):
            split(data)


TARGETS = [*map(_messages, CODECS.values()), _head, _frames, _websocket, _batches]


def main() -> None:
    """libFuzzer's command line, without an end of its own."""
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
