"""The mirrors that a node has of the others' tables, while somebody here wants them.

What is there when a mirror begins is no news. From then on every entry that comes, changes or goes is: also
with a node that joins, or dies; and what is found changed when a table is told anew, since letters were lost.
So each change is news once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Final, NamedTuple, Protocol

from radiod.core.cluster.peers import Peers
from radiod.core.cluster.table_letters import (
    Begin,
    Drop,
    End,
    Key,
    Part,
    Put,
    TableLetter,
    Unwatch,
    Watch,
    write_tables,
)
from radiod.core.promises import Promise, gather
from radiod.core.slices import Slices
from radiod.core.timers import Clock, Timers

__all__ = ["ANSWER_S", "MAX_ENTRIES", "Change", "MirrorUser", "TableMirrors"]

ANSWER_S: Final = 2.0
"""How long a node may take to tell a table before it is not waited for."""

MAX_ENTRIES: Final = 500_000
"""Entries of all mirrors of a realm; more are not taken."""

IN_A_LETTER: Final = 500
"""Tables that are asked for at once."""

GONE_IN_A_STEP: Final = 20
"""Entries of a node that is gone that are told of without a pause."""


class Change(NamedTuple):
    """What has become of one entry of one node. ``before``, ``value``: None: it was, or is, not there."""

    table: str
    node: int
    key: Any
    before: Any
    value: Any
    is_news: bool


class MirrorUser(Protocol):
    """Who wants a mirror."""

    def fits(self, table: str, key: Any, value: Any) -> bool:
        """Whether that is an entry of such a table, as nodes of this version write them."""

    def changed(self, change: Change) -> None:
        """An entry is there, has another value, or is gone."""


class _Mirror:
    """The mirror of one table.

    ``holders``: how many want it; ``entries``: node -> what it has; ``unseen``: node -> what it had, and has
    not told again while it tells all; ``silent``: nodes of which not all has come yet; ``known``: those that
    were there before, so that what they have is no news yet; ``waiting``: what is kept when nobody is silent;
    ``going``: key -> what is to be told of entries whose nodes are gone.
    """

    __slots__ = ("entries", "going", "holders", "is_overdue", "known", "silent", "unseen", "user", "waiting")

    def __init__(self, user: MirrorUser, nodes: set[int], *, is_news: bool) -> None:
        self.user = user
        self.holders = 0
        self.entries: dict[int, dict[Key, Any]] = {}
        self.unseen: dict[int, set[Key]] = {}
        self.silent = set(nodes)
        self.known: set[int] = set() if is_news else set(nodes)
        self.is_overdue = False
        self.waiting: list[Promise[None]] = []
        self.going: dict[Key, list[Change]] = {}

    def tell(self, change: Change) -> None:
        """Tell of a change; behind what is to be told of this key, which may come back by another way."""
        for before in self.going.pop(change.key, ()):
            self.user.changed(before)
        self.user.changed(change)

    def wait(self) -> Promise[None]:
        """What is kept when nobody is waited for any more."""
        known: Promise[None] = Promise()
        self.waiting.append(known)
        return known


class TableMirrors:
    """Mirrors tables of the other nodes in one realm.

    ``last``: the kind of table that is told of last when a node is gone; ``overflowed``: entries that were
    too many.

    Args:
        failed: called with a node that could not be told something.
    """

    def __init__(
        self,
        peers: Peers,
        about: str,
        clock: Clock,
        timers: Timers,
        slices: Slices,
        failed: Callable[[int], None],
    ) -> None:
        self._peers = peers
        self._about = about
        self._clock = clock
        self._timers = timers
        self._slices = slices
        self._failed = failed
        self._mirrors: dict[str, _Mirror] = {}
        # Those that are not whole yet, and are waited for.
        self._coming: dict[_Mirror, None] = {}
        self._count = 0
        self.last = ""
        self.overflowed = 0

    def __len__(self) -> int:
        """Entries of all mirrors."""
        return self._count

    @property
    def tables(self) -> list[str]:
        """The tables that are mirrored."""
        return list(self._mirrors)

    def entries(self, table: str, node: int) -> Mapping[Key, Any]:
        """What a node has in a table, as far as that is mirrored."""
        found = self._mirrors.get(table)
        return {} if found is None else found.entries.get(node, {})

    # --- who wants what

    def hold(self, table: str, user: MirrorUser, *, is_news: bool = False) -> Promise[None] | None:
        """Mirror a table; ``release`` must follow.

        Args:
            user: of this table, always the same; is_news: nothing was in it before.
        Returns: kept when all nodes have told it, or took too long; None: they have.
        """
        found = self._mirrors.get(table)
        if found is None:
            live = self._peers.live()
            found = self._mirrors[table] = _Mirror(user, set(live), is_news=is_news)
            for node in live:
                self._tell(node, Watch((table,)))
            if live:
                mirror = found
                self._coming[mirror] = None
                self._timers.at(self._clock.seconds() + ANSWER_S, lambda: self._give_up(mirror))
        found.holders += 1
        if found.is_overdue or not found.silent:
            return None
        return found.wait()

    def _give_up(self, found: _Mirror) -> None:
        found.is_overdue = True
        self._keep(found)

    def _keep(self, found: _Mirror) -> None:
        """Keep what waits for a mirror, if nobody is waited for."""
        if found.is_overdue or not found.silent:
            self._coming.pop(found, None)
            waiting, found.waiting = found.waiting, []
            for known in waiting:
                known.settle(None)

    def whole(self) -> Promise[None] | None:
        """Kept when all nodes have told what is mirrored by now, or took too long; None: they have."""
        return gather([found.wait() for found in list(self._coming)])

    def release(self, table: str, *, is_news: bool = False) -> None:
        """Mirror it no more, unless somebody else wants it.

        ``is_news``: what is in it still is gone, and is to be told of.
        """
        found = self._mirrors[table]
        found.holders -= 1
        if found.holders:
            return
        del self._mirrors[table]
        for node in self._peers.live():
            self._tell(node, Unwatch(table))
        for node in list(found.entries):
            entries = found.entries.pop(node)
            self._count -= len(entries)
            for key, value in entries.items():
                found.user.changed(Change(table, node, key, value, None, is_news))
        self._give_up(found)

    def unanswered(self, table: str) -> tuple[str, ...]:
        """The names of the nodes that have not told all of a table."""
        found = self._mirrors.get(table)
        return () if found is None else tuple(sorted(map(self._peers.name, found.silent)))

    def _tell(self, node: int, letter: TableLetter) -> None:
        if not self._peers.tell(node, self._about, write_tables(letter)):
            self._failed(node)

    # --- what nodes tell

    def take(self, node: int, letter: Begin | Part | End | Put | Drop) -> None:
        """A node tells something of one of its tables."""
        found = self._mirrors.get(letter.table)
        if found is None:
            return  # it is not wanted any more
        if isinstance(letter, Put):
            self._put(found, letter.table, node, letter.key, letter.value)
        elif isinstance(letter, Drop):
            self._drop(found, letter.table, node, letter.key, is_quiet=letter.is_quiet)
        elif isinstance(letter, Part):
            for key, value in letter.entries:
                self._put(found, letter.table, node, key, value)
        elif isinstance(letter, Begin):
            found.unseen[node] = set(found.entries.get(node, ()))
        else:
            self._end(found, letter.table, node)

    def _put(self, found: _Mirror, table: str, node: int, key: Key, value: Any) -> None:
        entries = found.entries.get(node)
        if entries is None:
            entries = found.entries[node] = {}
        if node in found.unseen:
            found.unseen[node].discard(key)
        before = entries.get(key)
        if before == value:
            return
        if not found.user.fits(table, key, value):
            self._peers.note_malformed(self._about, node)
            return
        if before is None:
            if self._count >= MAX_ENTRIES:
                self.overflowed += 1
                return
            self._count += 1
        entries[key] = value
        found.tell(Change(table, node, key, before, value, node not in found.known))

    def _drop(self, found: _Mirror, table: str, node: int, key: Key, *, is_quiet: bool = False) -> None:
        before = found.entries.get(node, {}).pop(key, None)
        if before is not None:
            self._count -= 1
            is_news = not is_quiet and node not in found.known
            found.tell(Change(table, node, key, before, None, is_news))

    def _end(self, found: _Mirror, table: str, node: int) -> None:
        unseen = found.unseen.pop(node, None)
        if unseen is None:
            return  # its beginning was lost, and it comes again
        for key in unseen:
            self._drop(found, table, node, key)
        found.known.discard(node)
        found.silent.discard(node)
        self._keep(found)

    # --- nodes

    def joined(self, node: int) -> None:
        """A node is there: what it has is news."""
        self._watch_all(node)

    def again(self, node: int) -> None:
        """Letters of a node were lost: have it tell all again."""
        for found in self._mirrors.values():
            found.unseen.pop(node, None)
        self._watch_all(node)

    def _watch_all(self, node: int) -> None:
        tables = self.tables
        for start in range(0, len(tables), IN_A_LETTER):
            self._tell(node, Watch(tuple(tables[start : start + IN_A_LETTER])))

    def left(self, node: int) -> None:
        """A node is gone, with all it had."""
        gone: list[tuple[str, _Mirror]] = []
        for table, found in list(self._mirrors.items()):
            entries = found.entries.pop(node, {})
            self._count -= len(entries)
            is_news = node not in found.known
            for key, value in entries.items():
                found.going.setdefault(key, []).append(Change(table, node, key, value, None, is_news))
            gone.append((table, found))
            found.unseen.pop(node, None)
            found.known.discard(node)
            found.silent.discard(node)
            self._keep(found)
        gone.sort(key=lambda one: one[0] == self.last)
        self._slices.run(_tell_of([found for _, found in gone]))


def _tell_of(gone: list[_Mirror]) -> Generator[None, None, None]:
    """Tell of all that is gone with a node, but for what has been told by then."""
    count = 0
    for found in gone:
        while found.going:
            for change in found.going.pop(next(iter(found.going))):
                found.user.changed(change)
            count += 1
            if count % GONE_IN_A_STEP == 0:
                yield
