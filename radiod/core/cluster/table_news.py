"""What one node tells of its tables: to each node that mirrors one all of it, and then each change."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, Final, Protocol

from radiod.core.cluster.fences import Fences
from radiod.core.cluster.peers import Peers
from radiod.core.cluster.table_letters import Begin, Drop, End, Key, Part, Put, TableLetter, write_tables
from radiod.core.promises import Promise, gather
from radiod.core.slices import Slices

__all__ = ["IN_A_PART", "TableNews", "TableSource"]

IN_A_PART: Final = 200
"""Entries in one part of a table: some 100 bytes each, and more for few."""

MAX_WATCHED: Final = 100_000
"""Tables that others mirror; more are not told of, and whoever wants them learns whose they would be."""


class TableSource(Protocol):
    """What has one kind of table."""

    def keys(self, table: str) -> list[Key]:
        """The keys of all that this node has in a table, as of now."""

    def value(self, table: str, key: Key) -> Any:
        """The value of an entry; None: it is not there any more."""


class TableNews:
    """Tells of one node's tables in one realm.

    The name of a table begins with its kind, and goes on behind a space.

    Args:
        fences: behind what is told; failed: called with a node that could not be told something.
    """

    def __init__(
        self, peers: Peers, about: str, slices: Slices, fences: Fences, failed: Callable[[int], None]
    ) -> None:
        self._peers = peers
        self._fences = fences
        self._about = about
        self._slices = slices
        self._failed = failed
        self._sources: dict[str, TableSource] = {}
        # table -> node that mirrors it -> number of the snapshot that it was told last
        self._watchers: dict[str, dict[int, int]] = {}
        self._snapshots = 0

    def __len__(self) -> int:
        """Tables that others mirror."""
        return len(self._watchers)

    def offer(self, kind: str, source: TableSource) -> None:
        """Have others mirror tables of this kind."""
        self._sources[kind] = source

    def is_mirrored(self, table: str) -> bool:
        """Whether anybody is told of a table."""
        return table in self._watchers

    def put(self, table: str, key: Key, value: Any) -> None:
        """An entry is there, or has another value."""
        if table in self._watchers:
            self._tell_all(table, Put(table, key, value))

    def put_surely(self, table: str, key: Key, value: Any) -> Promise[None] | None:
        """As ``put``. Returns: kept when all who mirror it have it, or take too long; None: nobody does."""
        watchers = self._watchers.get(table)
        if watchers is None:
            return None
        self._tell_all(table, Put(table, key, value))
        return gather([self._fences.behind(node) for node in watchers])

    def drop(self, table: str, key: Key, *, is_quiet: bool = False) -> None:
        """An entry is gone; ``is_quiet``: nobody is to be told so."""
        if table in self._watchers:
            self._tell_all(table, Drop(table, key, is_quiet))

    def _tell_all(self, table: str, letter: TableLetter) -> None:
        for node in list(self._watchers[table]):
            self._tell(node, letter)

    def _tell(self, node: int, letter: TableLetter) -> None:
        if not self._peers.tell(node, self._about, write_tables(letter)):
            self._failed(node)

    # --- who mirrors what

    def watch(self, node: int, table: str) -> None:
        """A node mirrors a table: tell it all, and what changes from now on."""
        source = self._sources.get(table.partition(" ")[0])
        if source is None or (table not in self._watchers and len(self._watchers) >= MAX_WATCHED):
            return
        self._snapshots += 1
        self._watchers.setdefault(table, {})[node] = self._snapshots
        self._slices.run(self._snapshot(node, table, source, self._snapshots))

    def unwatch(self, node: int, table: str) -> None:
        """It does not any more."""
        watchers = self._watchers.get(table, {})
        if watchers.pop(node, 0) and not watchers:
            del self._watchers[table]

    def forget(self, node: int) -> None:
        """A node is gone, or mirrors nothing."""
        for table in self.watched_by(node):
            self.unwatch(node, table)

    def again(self, node: int) -> None:
        """Tell a node all that it mirrors once more."""
        for table in self.watched_by(node):
            self.watch(node, table)

    def watched_by(self, node: int) -> list[str]:
        """The tables that a node mirrors."""
        return [table for table, watchers in self._watchers.items() if node in watchers]

    def entries(self, table: str) -> Iterator[tuple[Key, Any]]:
        """All that this node has in a table, whoever mirrors it."""
        source = self._sources.get(table.partition(" ")[0])
        for key in () if source is None else source.keys(table):
            value = None if source is None else source.value(table, key)
            if value is not None:
                yield key, value

    def _snapshot(
        self, node: int, table: str, source: TableSource, number: int
    ) -> Generator[None, None, None]:
        """Tell all of a table, in parts that are as things are when each is sent."""
        self._tell(node, Begin(table))
        keys = source.keys(table)
        for start in range(0, len(keys), IN_A_PART):
            some = [(key, source.value(table, key)) for key in keys[start : start + IN_A_PART]]
            self._tell(node, Part(table, [(key, value) for key, value in some if value is not None]))
            yield
            if self._watchers.get(table, {}).get(node) != number:
                return  # it is told anew, or does not want it any more
        self._tell(node, End(table))
