"""Whether the nodes have one secret in common: each tells the others the names of those that it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from radiod.access.shared.vault import Vault
from radiod.core.cluster.encoding import decode
from radiod.core.cluster.peers import Peers

__all__ = ["SECRETS", "SecretCheck"]

SECRETS: Final = "access secrets"
"""What is told about them."""

MAX_NOTICED: Final = 100
"""Different lines that are said, once each."""

ENCODER: Final = msgspec.msgpack.Encoder()
DECODER: Final = msgspec.msgpack.Decoder(list[str])


class SecretCheck:
    """Names the nodes whose secret is another one. ``vault``: None: this node has none."""

    def __init__(self, vault: Vault | None, peers: Peers, notice: Callable[[str], None]) -> None:
        self._names = () if vault is None else vault.names
        self._peers = peers
        self._notice = notice
        self._noticed: set[str] = set()
        peers.take(SECRETS, self._take)
        peers.watch(self)

    def _take(self, node: int, data: bytes) -> None:
        names = decode(DECODER, data)
        if names is None or set(names) & set(self._names) or not (names or self._names):
            return
        other = self._peers.name(node)
        if not names:
            line = f"node {other} has no [cluster] secret, and this node has one"
        elif not self._names:
            line = f"node {other} has a [cluster] secret, and this node has none"
        else:
            line = f"node {other} has another [cluster] secret than this node"
        if line not in self._noticed and len(self._noticed) < MAX_NOTICED:
            self._noticed.add(line)
            self._notice(f"{line}: signing secrets and tokens of one are not good at the other")

    # --- PeerWatcher

    def joined(self, node: int) -> None:
        """As ``PeerWatcher.joined``."""
        self._peers.tell(node, SECRETS, ENCODER.encode(self._names))

    def left(self, node: int) -> None:
        """As ``PeerWatcher.left``."""

    def gap(self, node: int) -> None:
        """As ``PeerWatcher.gap``: what is sealed tells the same."""

    def isolated(self) -> None:
        """As ``PeerWatcher.isolated``."""

    def healed(self) -> None:
        """As ``PeerWatcher.healed``."""
