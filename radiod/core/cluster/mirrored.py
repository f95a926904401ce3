"""The parts of a node whose mirrors are checked, as ``MirrorCheck`` sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, cast

from radiod.core.cluster.calls import ClusterDealer
from radiod.core.cluster.channel_records import read_channel, write_channel
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.peers import Peers
from radiod.core.cluster.rpc import ClusterRpc
from radiod.core.cluster.shared_channels import SharedChannels
from radiod.core.cluster.shared_events import SUBSCRIBERS, SharedEvents
from radiod.core.cluster.sums import Sum, sum_of
from radiod.core.cluster.table_letters import Key
from radiod.core.cluster.tables import Tables
from radiod.core.promises import Promise

__all__ = ["MirroredCallees", "MirroredNodes", "MirroredTables", "compare_channels", "compare_subscriptions"]

NODES: Final = "nodes"
CALLEES: Final = "callees"


class MirroredNodes:
    """Who is there: all should know the same."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def mirrored(self) -> list[str]:
        """As ``Mirrored``."""
        return [NODES]

    def own(self, table: str) -> Sum:
        """As ``Mirrored``."""
        return sum_of((node, True) for node in (self._peers.me, *self._peers.live()))

    def of(self, table: str, node: int) -> Sum:
        """As ``Mirrored``."""
        return self.own(table)


class MirroredTables:
    """Tables of one realm."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def mirrored(self) -> list[str]:
        """As ``Mirrored``."""
        return self._tables.mirrors.tables

    def own(self, table: str) -> Sum:
        """As ``Mirrored``."""
        return sum_of(self._tables.news.entries(table))

    def of(self, table: str, node: int) -> Sum:
        """As ``Mirrored``."""
        return sum_of(self._tables.mirrors.entries(table, node).items())


class MirroredCallees:
    """Callees of one realm."""

    def __init__(self, rpc: ClusterRpc, dealer: ClusterDealer) -> None:
        self._rpc = rpc
        self._dealer = dealer

    def mirrored(self) -> list[str]:
        """As ``Mirrored``."""
        return [CALLEES]

    def own(self, table: str) -> Sum:
        """As ``Mirrored``."""
        return sum_of((callee, facts.order) for callee, facts in self._rpc.news.told.items())

    def of(self, table: str, node: int) -> Sum:
        """As ``Mirrored``."""
        registrations = self._dealer.shared
        return sum_of(
            ((proxy.id, id), registrations.order_of(callee)[0])
            for proxy in self._dealer.proxies.of(node)
            for id, callee in registrations.of(proxy).items()
        )


def compare_channels(claims: Claims, channels: SharedChannels, about: str) -> Promise[tuple[Sum, Sum]]:
    """Channels of sessions, and their claims."""
    records = ((claim.key, read_channel(claim.value)) for claim in claims.of(about))
    claimed = sum_of((place, write_channel(record)) for place, record in records if record is not None)
    held = sum_of((place, write_channel(held.record)) for place, held in channels.held.items())
    return _now(claimed, held)


def compare_subscriptions(tables: Tables, events: SharedEvents, peers: Peers) -> Promise[tuple[Sum, Sum]]:
    """How many listeners each subscription has, here and elsewhere, and how many are counted."""
    counted: Counter[int] = Counter()
    counted.update(_subscriptions(events.listeners()))
    for node in peers.live():
        counted.update(_subscriptions(tables.mirrors.entries(SUBSCRIBERS, node)))
    return _now(sum_of(counted.items()), sum_of(events.pairs.items()))


def _subscriptions(keys: Iterable[Key]) -> Iterator[int]:
    """Ids of the subscriptions in these entries."""
    for key in keys:
        subscription, _ = cast("tuple[int, int]", key)
        yield subscription


def _now(wanted: Sum, found: Sum) -> Promise[tuple[Sum, Sum]]:
    """A comparison that is done at once."""
    kept: Promise[tuple[Sum, Sum]] = Promise()
    kept.settle((wanted, found))
    return kept
