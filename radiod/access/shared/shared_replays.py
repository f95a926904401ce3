"""What was signed counts once on all nodes: each tells the others of the requests that it takes.

It holds as soon as the others have heard, a message's way later. A node that has just begun, or was cut off,
does not know what came to others meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from radiod.auth.replays import DIGEST_BYTES, Replays
from radiod.core.cluster.encoding import decode, encode
from radiod.core.cluster.peers import Peers

__all__ = ["REQUESTS", "SharedReplays"]

REQUESTS: Final = "signed requests"
"""What is told about them."""

DECODER: Final = msgspec.msgpack.Decoder(tuple[str, float, bytes])


class SharedReplays:
    """Tells the other nodes. ``now``: seconds since 1970."""

    def __init__(self, replays: Replays, peers: Peers, now: Callable[[], float]) -> None:
        self._replays = replays
        self._peers = peers
        self._now = now
        replays.came = self._tell
        peers.take(REQUESTS, self._take)

    def _tell(self, key: str, at: float, digest: bytes) -> None:
        data = encode((key, at, digest))
        for node in self._peers.live():
            self._peers.tell(node, REQUESTS, data)

    def _take(self, node: int, data: bytes) -> None:
        told = decode(DECODER, data)
        if told is None or len(told[2]) != DIGEST_BYTES:
            self._peers.note_malformed(REQUESTS, node)
        else:
            self._replays.note(*told, self._now())
