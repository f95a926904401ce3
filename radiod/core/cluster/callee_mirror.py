"""The mirror of other nodes' callees: they are in the registrations of this node, as proxies.

What a node tells is numbered. Who misses something asks for all of it, and until that has come, does not say
that it knows what comes late.
"""

from __future__ import annotations

from collections.abc import Callable

from radiod.core.cluster.callee_letters import (
    Added,
    Begin,
    CalleeFacts,
    CalleeTold,
    Left,
    Part,
    Removed,
    Want,
    write_callees,
)
from radiod.core.cluster.calls import ClusterDealer
from radiod.core.cluster.peers import Peers
from radiod.core.cluster.proxies import RemoteSession, remote_principal
from radiod.core.promises import Promise
from radiod.core.realm.meta_events import MetaEvents
from radiod.core.rpc.registrations import Callee, Registration
from radiod.errors import CANCELED, NETWORK_FAILURE, Refused
from radiod.wire.options import RegisterOptions

__all__ = ["CalleeMirror"]

Key = tuple[int, int]
"""Ids of session and registration."""


class Owner:
    """One node that has callees.

    ``had``: the version of what it told last; ``is_awaited``: all of it must come yet; ``unseen``: while it
    comes, those that have not; ``late``: answers that are given then.
    """

    __slots__ = ("had", "is_awaited", "late", "unseen")

    def __init__(self) -> None:
        self.had = 0
        self.is_awaited = True
        self.unseen: set[Key] | None = None
        self.late: list[Promise[bytes]] = []


class CalleeMirror:
    """Takes what other nodes tell of their callees.

    ``evict``: takes a registration from a callee of this node, since another one has taken it over.
    """

    def __init__(
        self,
        dealer: ClusterDealer,
        events: MetaEvents,
        peers: Peers,
        about: str,
        evict: Callable[[Callee], None],
    ) -> None:
        self._dealer = dealer
        self._registrations = dealer.shared
        self._events = events
        self._peers = peers
        self._about = about
        self._evict = evict
        self._owners: dict[int, Owner] = {}

    @property
    def is_whole(self) -> bool:
        """Whether all that is there has told all it has."""
        return not any(owner.is_awaited for owner in self._owners.values())

    def take(self, node: int, letter: CalleeTold) -> Promise[bytes] | None:
        """A node tells something. Returns: None: it is known now; or when it will be."""
        owner = self._owners.get(node)
        if owner is None:
            owner = self._owners[node] = Owner()
        if isinstance(letter, Added | Removed | Left):
            if letter.version <= owner.had:
                return self._late(owner)
            if letter.version > owner.had + 1 and not owner.is_awaited:
                self._want(node, owner)
            owner.had = letter.version
            self._change(node, owner, letter)
        elif isinstance(letter, Begin):
            owner.had = letter.version
            owner.unseen = {
                (proxy.id, id)
                for proxy in self._dealer.proxies.of(node)
                for id in self._registrations.of(proxy)
            }
        elif isinstance(letter, Part):
            for facts in letter.callees:
                self._add(node, owner, facts)
        else:
            self._end(node, owner)
        return None

    def _late(self, owner: Owner) -> Promise[bytes] | None:
        """Something was told before what is known already: it is in what is awaited, or was in what came."""
        if not owner.is_awaited:
            return None
        answer: Promise[bytes] = Promise()
        owner.late.append(answer)
        return answer

    def _change(self, node: int, owner: Owner, letter: Added | Removed | Left) -> None:
        if isinstance(letter, Added):
            if letter.takes_over:
                self._take_over(node, letter.callee)
            self._add(node, owner, letter.callee)
            return
        proxy = self._dealer.proxies.get(node, letter.session)
        if proxy is None:
            return
        if isinstance(letter, Left):
            self._tell_unregistered(proxy, self._dealer.left(proxy))
        elif letter.registration in self._registrations.of(proxy):
            registration = self._registrations.remove(proxy, letter.registration)
            self._events.unregistered(proxy, registration)

    def _add(self, node: int, owner: Owner, facts: CalleeFacts) -> None:
        proxy = self._dealer.proxies.get(node, facts.session)
        if proxy is None:
            principal = remote_principal(facts.authid, facts.authrole)
            proxy = RemoteSession(node, facts.session, principal, frozenset(facts.features))
            self._dealer.proxies.add(proxy)
        id = self._registrations.id_of(facts.match, facts.procedure)
        is_known = id in self._registrations.of(proxy)
        if owner.unseen is not None:
            owner.unseen.discard((proxy.id, id))
        options = RegisterOptions(
            match=facts.match,
            invoke=facts.invoke,
            concurrency=facts.concurrency,
            forward_timeout=facts.forward_timeout,
            disclose_caller=facts.disclose_caller,
            force_reregister=facts.force_reregister,
        )
        try:
            registration, is_new = self._registrations.enter(proxy, facts, options, node)
        except Refused:
            return  # two procedures have the same id: the first that came stays
        if not is_known:
            self._events.registered(proxy, registration, is_new)

    def _take_over(self, node: int, facts: CalleeFacts) -> None:
        id = self._registrations.id_of(facts.match, facts.procedure)
        replaced = self._registrations.before(id, (facts.order, node))
        for callee in replaced:
            if isinstance(callee.session, RemoteSession):
                self._registrations.remove(callee.session, id)
            else:
                self._evict(callee)
        self._events.taken_over(replaced)

    def _end(self, node: int, owner: Owner) -> None:
        """All has come."""
        for session, id in owner.unseen or ():
            proxy = self._dealer.proxies.get(node, session)
            if proxy is not None and id in self._registrations.of(proxy):
                self._events.unregistered(proxy, self._registrations.remove(proxy, id))
        for proxy in self._dealer.proxies.of(node):
            if not self._registrations.of(proxy) and not self._dealer.calls_of(proxy).answering:
                self._lose(proxy, CANCELED, "the callee left before it answered")
        owner.unseen = None
        owner.is_awaited = False
        late, owner.late = owner.late, []
        for answer in late:
            answer.settle(b"")

    def _lose(self, proxy: RemoteSession, uri: str, text: str) -> None:
        self._tell_unregistered(proxy, self._dealer.lose(proxy, uri, text))

    def _tell_unregistered(self, proxy: RemoteSession, registrations: list[Registration]) -> None:
        for registration in registrations:
            self._events.unregistered(proxy, registration)

    # --- nodes

    def _want(self, node: int, owner: Owner) -> None:
        owner.is_awaited = True
        owner.unseen = None
        self._peers.tell(node, self._about, write_callees(Want()))

    def joined(self, node: int) -> None:
        """A node is there, and will tell what it has."""
        self._owners.setdefault(node, Owner())

    def gap(self, node: int) -> None:
        """Something of what a node told was lost."""
        owner = self._owners.get(node)
        if owner is not None:
            self._want(node, owner)

    def left(self, node: int) -> None:
        """A node is dead: what it had is gone."""
        owner = self._owners.pop(node, None)
        for proxy in self._dealer.proxies.of(node):
            self._lose(proxy, NETWORK_FAILURE, "the callee's node is gone")
        for answer in [] if owner is None else owner.late:
            answer.settle(b"")

    def look_after(self) -> None:
        """Ask again for what should have begun to come."""
        for node, owner in list(self._owners.items()):
            if owner.is_awaited and owner.unseen is None:
                self._want(node, owner)
