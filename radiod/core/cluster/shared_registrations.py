"""The registrations of one realm, with callees on several nodes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from hashlib import blake2b

from radiod.core.cluster.callee_letters import CalleeFacts
from radiod.core.cluster.proxies import RemoteSession
from radiod.core.ids import Ids
from radiod.core.limits import Limits
from radiod.core.rpc.registrations import Callee, Held, Registration, Registrations, signature_of
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock
from radiod.errors import PROCEDURE_ALREADY_EXISTS, Refused
from radiod.wire.options import MatchPolicy, RegisterOptions

__all__ = ["SharedRegistrations", "registration_id"]

Order = tuple[int, int]
"""Where a callee stands among those of its registration: by its claim, then by its node."""


def registration_id(realm: str, match: MatchPolicy, procedure: str) -> int:
    """The id of a registration, 1 to 2**52: the same on every node without asking anybody."""
    text = "\0".join((realm, match, procedure)).encode("utf-8", "surrogatepass")
    return (int.from_bytes(blake2b(text, digest_size=8).digest()) >> 12) or 1


class SharedRegistrations(Registrations):
    """Registrations whose callees are of this node, or proxies.

    ``on_removed``: called with a session of this node, and its registration that has ended.
    """

    def __init__(self, clock: Clock, ids: Ids, limits: Limits, realm: str) -> None:
        super().__init__(clock, ids, limits)
        self._realm = realm
        self._orders: dict[Callee, Order] = {}
        self.on_removed: Callable[[Session, Registration], None] = _nobody

    def id_of(self, match: MatchPolicy, procedure: str) -> int:
        """The id of a registration, which may not be there."""
        return registration_id(self._realm, match, procedure)

    def check(self, session: Session, procedure: str, options: RegisterOptions, *, may_take: bool) -> None:
        """Refuse what can be refused without the other nodes: as ``add``, or ``take_over``."""
        before = self.lookup(options.match, procedure)
        if options.force_reregister and before is not None:
            self.check_right(before, session, may_take)
            self._check_takeover(options, self._held(session), before.id)
            return
        if before is not None and before.id in self.of(session):
            self._check_shared(before, session, options)
        if options.signature is not None:
            self._held(session).check_signatures(len(signature_of(options)))
        self._check_quota(len(self.of(session)))

    def _held(self, session: Session) -> Held:
        held = self._by_session.get(session)
        return Held() if held is None else held

    def enter(
        self, session: Session, facts: CalleeFacts, options: RegisterOptions, node: int
    ) -> tuple[Registration, bool]:
        """Add a callee, which nothing is against any more, or replace it by what is told of it now.

        Returns: its registration; whether that is new.
        Raises: Refused: ``quota``: its signature; ``procedure_already_exists``, by the most unlikely chance.
        """
        id = self.id_of(facts.match, facts.procedure)
        registration = self._by_id.get(id)
        is_new = registration is None
        if registration is None:
            registration = Registration(id, facts.match, facts.procedure, facts.invoke, facts.created)
        elif (registration.match, registration.procedure) != (facts.match, facts.procedure):
            raise Refused(PROCEDURE_ALREADY_EXISTS, f"its id is that of {registration.procedure}")
        held = self._held(session)
        callee = held.callees.get(id)
        if callee is not None:
            callee.document(facts.signature)
            self.move(callee, (facts.order, node))
            return registration, False
        callee = Callee(session, held, registration, options)
        callee.document(facts.signature)
        self._by_session[session] = held
        held.callees[id] = callee
        if is_new:
            self._by_pattern.add(facts.match, facts.procedure, registration)
            self._by_id[id] = registration
        self._insert(callee, (facts.order, node))
        if registration.callees[-1] is callee:
            # Whoever claimed last says how.
            registration.invoke = facts.invoke
        return registration, is_new

    def _insert(self, callee: Callee, order: Order) -> None:
        registration = callee.registration
        index = bisect_left([self._orders[other] for other in registration.callees], order)
        self._orders[callee] = order
        registration.callees.insert(index, callee)
        # Whose turn it is keeps it.
        if index < registration.turn:
            registration.turn += 1

    def move(self, callee: Callee, order: Order) -> None:
        """Give a callee another place."""
        if self._orders[callee] != order:
            callee.registration.callees.remove(callee)
            self._insert(callee, order)

    def order_of(self, callee: Callee) -> Order:
        """Where a callee stands."""
        return self._orders[callee]

    def last_order(self, id: int) -> int:
        """Behind which one more callee of a registration stands; 0: there is none."""
        registration = self._by_id.get(id)
        return 0 if registration is None else self._orders[registration.callees[-1]][0]

    def own(self, match: MatchPolicy, procedure: str) -> list[Callee]:
        """The callees of this node."""
        registration = self.lookup(match, procedure)
        callees = [] if registration is None else registration.callees
        return [callee for callee in callees if not isinstance(callee.session, RemoteSession)]

    def before(self, id: int, order: Order) -> list[Callee]:
        """The callees of a registration that stand before this place."""
        registration = self._by_id.get(id)
        callees = [] if registration is None else registration.callees
        return [callee for callee in callees if self._orders[callee] < order]

    def remove(self, session: Session, registration_id: int) -> Registration:
        """As ``Registrations.remove``."""
        callee = self.of(session).get(registration_id)
        registration = super().remove(session, registration_id)
        assert callee is not None, "what is not there is refused"
        del self._orders[callee]
        if not isinstance(session, RemoteSession):
            self.on_removed(session, registration)
        return registration


def _nobody(session: Session, registration: Registration) -> None:
    """Nobody minds."""
