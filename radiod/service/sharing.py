"""The wiring of access over nodes: what one is told of it holds on all, and is told of all.

Imported only where the configuration has a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from radiod import config
from radiod.access.shared.all_books import AccessBooks
from radiod.access.shared.books import SharedAccounts, SharedKeys, SharedPlans, SharedUsers
from radiod.access.shared.comparing import comparison
from radiod.access.shared.everywhere import Everywhere
from radiod.access.shared.firsts import Firsts
from radiod.access.shared.mirror import AccessMirror
from radiod.access.shared.secret_check import SecretCheck
from radiod.access.shared.shared_replays import SharedReplays
from radiod.access.shared.store import SharedAccess
from radiod.access.shared.usage import SharedUsage
from radiod.access.shared.vault import Vault
from radiod.access.statements import Statements
from radiod.auth.keys import Key
from radiod.auth.replays import Replays
from radiod.auth.tokens import Tokens
from radiod.core.cluster.cluster import Cluster
from radiod.core.cluster.shared_limits import SharedLimits
from radiod.core.holders import Account
from radiod.core.realm.realm import Realm
from radiod.service.access import Access
from radiod.service.usage import Usage
from radiod.transport.clock import ReactorClock

__all__ = ["Sharing"]


class Sharing:
    """That of one process. ``notice``: takes one line for the log."""

    def __init__(
        self, settings: config.Cluster, cluster: Cluster, clock: ReactorClock, notice: Callable[[str], None]
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._notice = notice
        secrets = [secret for secret in (settings.secret, settings.other_secret) if secret is not None]
        self._vault = Vault(secrets, settings.name) if secrets else None
        # What is shared once the store has been read.
        self._access: tuple[Access, AccessBooks] | None = None
        self._mirror: AccessMirror | None = None

    @property
    def is_ready(self) -> bool:
        """Whether this node goes by all that is claimed of access."""
        return self._mirror is not None and self._mirror.is_ready

    @property
    def token_secrets(self) -> tuple[str, ...]:
        """What all nodes sign listen tokens with, as ``Tokens`` takes them; empty: nothing in common."""
        return () if self._vault is None else self._vault.tokens

    def share(
        self,
        access: Access,
        tokens: Tokens,
        replays: Replays,
        realms: Iterable[Realm],
        statements: Statements,
    ) -> None:
        """Have what this node is told of access hold on all, and told of all."""
        books, nodes = self._make_books(access), self._cluster.nodes
        self._access = access, books
        everywhere = Everywhere(books, nodes)
        for realm in realms:
            everywhere.wrap(realm.procedures.table)
        statements.complete = everywhere.statement
        SecretCheck(self._vault, nodes, self._notice)
        SharedReplays(replays, nodes, self._clock.time)
        if self._vault is None:

            def note(key: Key) -> None:
                # Once.
                tokens.on_issue = _nobody
                why = "the nodes have no [cluster] secret in common"
                self._notice(
                    f"tokens that this node issues, now for key {key.id}, are good here alone: {why}"
                )

            tokens.on_issue = note

    def share_usage(self, usage: Usage, access: Access, review: Callable[[Account], None]) -> None:
        """Have what is used on all nodes count against plans, and be told."""
        nodes, name = self._cluster.nodes, self._cluster.settings.name
        usage.source = SharedUsage(usage, nodes, self._cluster.claims, name)
        limits = SharedLimits(name, nodes, self._clock, access.accounts, review)
        usage.on_settled = limits.tick

        def changed(account: Account) -> None:
            limits.changed(account)
            review(account)

        access.plans.on_change = changed

    def make_firsts(self) -> Firsts:
        """What tells once what all nodes notice; its records are beside those of ``make_answers``."""
        cluster, clock = self._cluster, self._clock
        return Firsts(cluster.streams, clock, clock.timers, cluster.nodes, cluster.settings.prefix)

    def begin(self) -> None:
        """What the store has is in the books."""
        if self._access is None:
            return
        access, books = self._access
        cluster, clock, node = self._cluster, self._clock, self._cluster.settings.name
        claims, local = cluster.claims, access.desk.store
        mirror = AccessMirror(
            books, local, claims, access.slices, clock, clock.timers, node=node, notice=self._notice
        )
        access.desk.store = SharedAccess(local, mirror, claims, cluster.nodes, clock, clock.timers, node)
        mirror.start()
        self._mirror = mirror
        cluster.check.compare("", "access", "claims", comparison(mirror, claims, access.slices))

    def _make_books(self, access: Access) -> AccessBooks:
        accounts, plans, keys, users = access.book, access.plans, access.keys, access.users
        assert isinstance(accounts, SharedAccounts)
        assert isinstance(plans, SharedPlans)
        assert isinstance(keys, SharedKeys)
        assert isinstance(users, SharedUsers)
        return AccessBooks(accounts, plans, keys, users, self._vault)


def _nobody(key: Key) -> None:
    """Nobody minds."""
