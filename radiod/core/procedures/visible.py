"""Which subscriptions and registrations a caller may know of: what its permissions hide is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from radiod.core.pubsub.broker import Broker, Subscription
from radiod.core.rpc.registrations import Registration
from radiod.core.sessions.session import Session
from radiod.core.sight import may_know, may_know_procedure
from radiod.errors import NO_SUCH_SUBSCRIPTION, Refused

__all__ = ["find_subscription", "registrations", "sees_registration", "sees_subscription"]


def find_subscription(broker: Broker, session: Session, id: int) -> Subscription:
    """The subscription of that id. Raises: Refused: ``no_such_subscription``: the session knows of none."""
    found = broker.find(id)
    if not may_know(session.principal.permissions, found.topic):
        raise Refused(NO_SUCH_SUBSCRIPTION, f"no subscription {id}")
    return found


def sees_subscription(session: Session) -> Callable[[Subscription], bool]:
    """Tells of subscriptions whether a session may know of them: by their topics, or patterns."""
    permissions = session.principal.permissions
    return lambda one: may_know(permissions, one.topic)


def sees_registration(session: Session) -> Callable[[Registration], bool]:
    """Tells of registrations whether a session may know of them: by their procedures, or patterns."""
    permissions = session.principal.permissions
    return lambda one: may_know_procedure(permissions, one.procedure)


def registrations(session: Session, found: Iterable[Registration]) -> list[Registration]:
    """Those of the registrations that a session may know of: by their procedures, or patterns."""
    permissions = session.principal.permissions
    return [one for one in found if may_know_procedure(permissions, one.procedure)]
