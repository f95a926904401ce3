"""Callees of other nodes: sessions whose way out are the other nodes, so that the dealer need not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from radiod.core.cluster.call_letters import CallLetter, Invoke, Stop, pack, write_call
from radiod.core.cluster.peers import Peers
from radiod.core.rights import Action, Actor, Principal, Verdict
from radiod.core.rpc.features import REROUTE
from radiod.core.sessions.outbox import Sender
from radiod.core.sessions.session import Session
from radiod.errors import NETWORK_FAILURE, Refused
from radiod.wire.codecs import Payload
from radiod.wire.messages import Interrupt, Invocation, Message
from radiod.wire.options import Options

__all__ = ["Fixed", "Proxies", "RemoteSession", "RoutingOutbox", "Unreachable", "remote_principal"]


class RemoteSession(Session):
    """A session of another node, as its callees are seen here. ``node``: the incarnation it is on."""

    __slots__ = ("node",)

    def __init__(self, node: int, id: int, principal: Principal, features: frozenset[str]) -> None:
        # Whatever it announced, its node may say that it does not take a call: then the next callee is asked.
        super().__init__(id, principal, None, features | RETRIED)
        self.node = node


RETRIED: Final = frozenset({REROUTE})


class Fixed:
    """``Permissions`` of those whose rights another node has checked: for all, or for nothing."""

    may_hold_publishers = False
    rate_limit = None

    def __init__(self, is_allowed: bool) -> None:
        self._is_allowed = is_allowed

    def decide(self, actor: Actor, action: Action, uri: str, options: Options) -> Verdict:
        return Verdict(is_allowed=self._is_allowed)

    def allows(self, action: Action, uri: str) -> bool:
        return self._is_allowed

    def hides(self, topic: str) -> bool:
        return not self._is_allowed

    def hides_procedure(self, procedure: str) -> bool:
        return not self._is_allowed

    def may_act_on_others(self, procedure: str) -> bool:
        return self._is_allowed


def remote_principal(authid: str, authrole: str, *, may_all: bool = False) -> Principal:
    """Who somebody of another node is, as far as that is known here.

    ``may_all``: it acts here, and its rights were checked there.
    """
    return Principal(
        authid=authid,
        authrole=authrole,
        authmethod="remote",
        authprovider="cluster",
        permissions=Fixed(may_all),
    )


class Unreachable(Refused):
    """Nothing of a call has reached the node of ``session``, nor will."""

    def __init__(self, session: Session) -> None:
        super().__init__(NETWORK_FAILURE, "the callee's node cannot be reached")
        self.session: Final = session


class Proxies:
    """The sessions of other nodes that are callees, by node and id."""

    def __init__(self) -> None:
        self._by_node: dict[int, dict[int, RemoteSession]] = {}

    def __len__(self) -> int:
        """How many there are."""
        return sum(map(len, self._by_node.values()))

    def get(self, node: int, id: int) -> RemoteSession | None:
        """A session of a node; None: it is not known to be a callee."""
        sessions = self._by_node.get(node)
        return None if sessions is None else sessions.get(id)

    def add(self, session: RemoteSession) -> None:
        """One more."""
        self._by_node.setdefault(session.node, {})[session.id] = session

    def of(self, node: int) -> list[RemoteSession]:
        """Those of one node."""
        return list(self._by_node.get(node, {}).values())

    def nodes(self) -> list[int]:
        """The nodes that have any."""
        return list(self._by_node)

    def drop(self, session: RemoteSession) -> None:
        """One less."""
        sessions = self._by_node[session.node]
        session.is_open = False
        del sessions[session.id]
        if not sessions:
            del self._by_node[session.node]

    def find(self, id: int) -> RemoteSession | None:
        """The session of that id, on whatever node."""
        return next((found for one in self._by_node.values() if (found := one.get(id))), None)

    def __iter__(self) -> Iterator[RemoteSession]:
        """All of them."""
        return (session for one in self._by_node.values() for session in one.values())


class RoutingOutbox:
    """The dealer's way out: to sessions of this node by ``outbox``, to others by their nodes.

    ``about``: what letters about calls go under.
    """

    def __init__(self, outbox: Sender, peers: Peers, about: str) -> None:
        self._outbox = outbox
        self._peers = peers
        self._about = about

    def send(self, session: Session, message: Message, payload: Payload | None = None) -> None:
        """As ``Sender.send``. Raises: Unreachable, too: of an INVOCATION."""
        if not isinstance(session, RemoteSession):
            self._outbox.send(session, message, payload)
        elif isinstance(message, Invocation):
            packed = pack(payload)
            letter = Invoke(session.id, message.request, message.registration, message.details, packed)
            if not self.tell(session.node, letter):
                raise Unreachable(session)
        else:
            assert isinstance(message, Interrupt), "nothing else is for a callee of another node"
            self.tell(session.node, Stop(message.request, message.options["mode"], message.options["reason"]))

    def tell(self, node: int, letter: CallLetter) -> bool:
        """Tell a node. Returns: False: it will not arrive."""
        return self._peers.tell(node, self._about, write_call(letter))
