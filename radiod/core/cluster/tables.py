"""Tables: what belongs to one node, and dies with it, mirrored by those who want to know of it.

One for all realms' kinds of such state but callees, which must be known everywhere before their REGISTER is
answered. Read: ``table_news`` tells of a node's own, ``table_mirrors`` has those of others.
"""

from __future__ import annotations

from radiod.core.cluster.fences import Fences
from radiod.core.cluster.peers import Peers
from radiod.core.cluster.stale import Stale
from radiod.core.cluster.table_letters import (
    Again,
    Fence,
    Reset,
    TableLetter,
    Unwatch,
    Watch,
    read_tables,
    write_tables,
)
from radiod.core.cluster.table_mirrors import TableMirrors
from radiod.core.cluster.table_news import TableNews
from radiod.core.promises import Promise, after
from radiod.core.slices import Slices
from radiod.core.timers import Clock, Timers

__all__ = ["Tables"]


class Tables:
    """The tables of one realm, this node's and those of others; a ``PeerWatcher``."""

    def __init__(self, realm: str, peers: Peers, clock: Clock, timers: Timers, slices: Slices) -> None:
        self._about = f"{realm} tables"
        self._peers = peers
        self._stale = Stale(peers, clock, timers, self._tell_all)
        fences = Fences(peers, self._about, clock, timers, write_tables(Fence()))
        self.news = TableNews(peers, self._about, slices, fences, self._stale.add)
        self.mirrors = TableMirrors(peers, self._about, clock, timers, slices, self._stale.add)
        peers.take(self._about, self._came)
        peers.watch(self)

    def _came(self, node: int, data: bytes) -> Promise[bytes] | None:
        letter = read_tables(data)
        if isinstance(letter, Fence):
            whole = self.mirrors.whole()
            return None if whole is None else after(whole, lambda _: b"")
        if letter is None:
            self._peers.note_malformed(self._about, node)
        elif isinstance(letter, Watch):
            for table in letter.tables:
                self.news.watch(node, table)
        elif isinstance(letter, Unwatch):
            self.news.unwatch(node, letter.table)
        elif isinstance(letter, Reset):
            self.news.forget(node)
        elif isinstance(letter, Again):
            self._say_what_is_mirrored(node)
        else:
            self.mirrors.take(node, letter)
        return None

    def _tell(self, node: int, letter: TableLetter) -> None:
        if not self._peers.tell(node, self._about, write_tables(letter)):
            self._stale.add(node)

    def _say_what_is_mirrored(self, node: int) -> None:
        self._tell(node, Reset())
        self.mirrors.again(node)

    def _tell_all(self, node: int) -> None:
        """Something may have been lost."""
        self.gap(node)
        self.news.again(node)

    # --- PeerWatcher

    def joined(self, node: int) -> None:
        self.mirrors.joined(node)

    def left(self, node: int) -> None:
        self._stale.forget(node)
        self.news.forget(node)
        self.mirrors.left(node)

    def gap(self, node: int) -> None:
        self._tell(node, Again())
        self._say_what_is_mirrored(node)

    def isolated(self) -> None:
        """What others have is not known to have changed; who is dead leaves."""

    def healed(self) -> None:
        """Those who took us for dead join."""
