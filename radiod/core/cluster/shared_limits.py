"""What accounts with a plan use on all nodes: quotas, rates and connections are those of all together.

Each node counts what is used on it, and tells the others once a second what has changed. What was used
elsewhere counts in the same quotas, and is taken from the same buckets. So a limit is overshot by what the
other nodes let through until they hear of each other: about a second's worth of each.

What a node had used when it died goes on to count until its day, or month, is over, or it is back and says so
itself; its connections end with it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Final

from msgspec.structs import replace

from radiod.core.allowances import Allowance, Allowances
from radiod.core.cluster.limit_letters import Again, Spending, Spent, read_limits, write_limits
from radiod.core.cluster.peers import Peers
from radiod.core.holders import Account, Accounts
from radiod.core.quotas import month_of
from radiod.core.timers import Clock

__all__ = ["LIMITS", "SharedLimits"]

LIMITS: Final = "access limits"
"""What these letters are about."""

PART: Final = 500
"""Accounts in one letter."""

LATE_S: Final = 2.0
"""What another node let through in so much time is taken from a bucket at once, and no more: behind a cut
nobody has to make up for all of it."""


class SharedLimits:
    """One node's part. ``known``: node -> account -> what it has told.

    Args:
        accounts: of all realms.
        on_change: told each account of which more is used than before: its listeners may have to end.
    """

    def __init__(
        self,
        node: str,
        peers: Peers,
        clock: Clock,
        accounts: Accounts,
        on_change: Callable[[Account], None],
    ) -> None:
        self._node = node
        self._peers = peers
        self._clock = clock
        self._accounts = accounts
        self._on_change = on_change
        # What the others know of this node, or are about to.
        self._told: dict[str, Spent] = {}
        self.known: dict[str, dict[str, Spent]] = {}
        self._names: dict[int, str] = {}
        # Nodes that have told all.
        self._whole: set[str] = set()
        # Nodes that are to be told all.
        self._stale: set[int] = set()
        self._month = 0
        peers.take(LIMITS, self._take)
        peers.watch(self)

    # --- once a second

    def tick(self) -> None:
        """The ledger is settled: tell what has changed."""
        self._forget_old()
        changed = []
        for account in list(self._accounts.kept.values()):
            if account.allowances is not None:
                spent = self._own(account, account.allowances)
                if spent != self._told.get(account.id, _nothing(spent)):
                    self._told[account.id] = spent
                    changed.append(spent)
        for node in self._peers.live():
            if node in self._stale:
                self._tell_all(node)
            elif changed:
                self._tell(node, self._node, changed)

    def changed(self, account: Account) -> None:
        """An account has another plan, perhaps its first one: what is known of it counts."""
        if account.allowances is not None:
            self._apply(account, account.allowances)

    def _own(self, account: Account, allowances: Allowances) -> Spent:
        now = self._clock.time()
        first, second, third, fourth, fifth, sixth = [quota.own(now) for quota in allowances.quotas]
        return Spent(
            account.id,
            allowances.publish_day.begin,
            allowances.publish_month.begin,
            (first, second, third, fourth, fifth, sixth),
            _taken(allowances.publish),
            _taken(allowances.call),
            account.connections,
            account.channels,
        )

    def _forget_old(self) -> None:
        """What was used in a month that is over counts no more."""
        month = month_of(self._clock.time())[0]
        if month == self._month:
            return
        self._month = month
        living = set(self._names.values())
        for name in [name for name in self.known if name not in living]:
            self.known[name] = {id: one for id, one in self.known[name].items() if one.month >= month}
            if not self.known[name]:
                del self.known[name]

    # --- telling

    def _tell_all(self, node: int) -> None:
        """All of this node, and what is known of those that are gone."""
        self._stale.discard(node)
        self._tell(node, self._node, list(self._told.values()), is_first=True)
        living = set(self._names.values())
        for name, spent in self.known.items():
            if name not in living:
                self._tell(node, name, list(spent.values()))

    def _tell(self, node: int, name: str, spent: list[Spent], *, is_first: bool = False) -> None:
        for start in range(0, max(1, len(spent)), PART):
            letter = Spending(name, spent[start : start + PART], is_first and not start)
            if not self._peers.tell(node, LIMITS, write_limits(letter)):
                self._stale.add(node)
                return

    # --- hearing

    def _take(self, node: int, data: bytes) -> None:
        letter = read_limits(data)
        if letter is None:
            self._peers.note_malformed(LIMITS, node)
        elif isinstance(letter, Again):
            self._stale.add(node)
        elif letter.node == self._names.get(node) or letter.node not in {self._node, *self._names.values()}:
            self._hear(letter)

    def _hear(self, letter: Spending) -> None:
        known = self.known.setdefault(letter.node, {})
        if letter.is_first:
            self._end_connections(letter.node)
        for spent in letter.spent:
            before = known.get(spent.account)
            known[spent.account] = spent if before is None else _later(before, spent)
            account = self._accounts.kept.get(spent.account)
            if account is not None and account.allowances is not None:
                if before is not None or letter.node in self._whole:
                    self._drain(account.allowances, before or _nothing(spent), spent)
                self._apply(account, account.allowances)
                self._on_change(account)
        if letter.is_first:
            self._whole.add(letter.node)

    def _drain(self, allowances: Allowances, before: Spent, spent: Spent) -> None:
        """Take from its buckets what another node has let through."""
        now = self._clock.seconds()
        for allowance, old, new in (
            (allowances.publish, before.publishes, spent.publishes),
            (allowances.call, before.calls, spent.calls),
        ):
            bucket = allowance.bucket
            if bucket is not None:
                # It has begun anew where there are fewer.
                taken = new - old if new >= old else new
                bucket.drain(min(taken, bucket.burst + ceil(bucket.rate * LATE_S)), now)

    def _apply(self, account: Account, allowances: Allowances) -> None:
        """Have what is used elsewhere count."""
        now = self._clock.time()
        rows = [spent for known in self.known.values() if (spent := known.get(account.id)) is not None]
        for at, quota in enumerate(allowances.quotas):
            # It may be another day here already.
            quota.own(now)
            used = sum(one.used[at] for one in rows if quota.begin == (one.day if at < 3 else one.month))
            quota.note_elsewhere(used, now)
        allowances.connections_elsewhere = sum(one.connections for one in rows)
        allowances.channels_elsewhere = sum(one.channels for one in rows)

    def _end_connections(self, name: str) -> None:
        """A node has none, as far as is known now."""
        known = self.known.get(name, {})
        for id, spent in list(known.items()):
            if spent.connections or spent.channels:
                known[id] = replace(spent, connections=0, channels=0)
                account = self._accounts.kept.get(id)
                if account is not None:
                    self.changed(account)

    # --- PeerWatcher

    def joined(self, node: int) -> None:
        """As ``PeerWatcher.joined``."""
        self._names[node] = self._peers.name(node)
        self._stale.add(node)

    def left(self, node: int) -> None:
        """As ``PeerWatcher.left``."""
        name = self._names.pop(node, "")
        self._stale.discard(node)
        if name not in self._names.values():
            self._whole.discard(name)
            self._end_connections(name)

    def gap(self, node: int) -> None:
        """As ``PeerWatcher.gap``."""
        self._peers.tell(node, LIMITS, write_limits(Again()))

    def isolated(self) -> None:
        """As ``PeerWatcher.isolated``."""

    def healed(self) -> None:
        """As ``PeerWatcher.healed``."""


def _taken(allowance: Allowance) -> int:
    return 0 if allowance.bucket is None else allowance.bucket.taken


def _nothing(spent: Spent) -> Spent:
    """Of an account that nobody has heard of."""
    return Spent(spent.account, spent.day, spent.month, (0, 0, 0, 0, 0, 0))


def _later(before: Spent, spent: Spent) -> Spent:
    """What a node says now: of one day, or month, never less than before, when it has not counted all yet."""
    day = [max(pair) for pair in zip(before.used[:3], spent.used[:3], strict=True)]
    month = [max(pair) for pair in zip(before.used[3:], spent.used[3:], strict=True)]
    first, second, third = day if before.day == spent.day else spent.used[:3]
    fourth, fifth, sixth = month if before.month == spent.month else spent.used[3:]
    return replace(spent, used=(first, second, third, fourth, fifth, sixth))
