"""What somebody may know of: what permissions hide is, to their holder, not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from radiod.core.channels.headcount import watched
from radiod.core.ports import Action, Permissions
from radiod.errors import NO_SUCH_SUBSCRIPTION, Refused

if TYPE_CHECKING:
    from radiod.core.delivery.listeners import Subscription
    from radiod.core.pubsub.broker import Broker
    from radiod.core.rpc.registrations import Registration
    from radiod.core.sessions.session import Session

__all__ = [
    "DELETE",
    "MayKnow",
    "blind",
    "find_subscription",
    "is_steward",
    "may_know",
    "may_know_procedure",
    "registrations",
    "sees_registration",
    "sees_subscription",
]

MayKnow = Callable[[Permissions, str], bool]

DELETE: Final = "radiod.channel.delete"
"""Who may call it on other people's channels may know of all public ones."""


def is_steward(session: Session) -> bool:
    """Whether a session may end other people's public channels, and is told whose they are."""
    return session.principal.permissions.may_act_on_others(DELETE)


def may_know(permissions: Permissions | None, topic: str) -> bool:
    """Whether somebody may know of a public topic, or channel; None: anybody may.

    That is who may listen or write there; of the topic that tells who listens, those of the channel itself.
    """
    if permissions is None:
        return True
    name = watched(topic) or topic
    return (
        not permissions.hides(name)
        or permissions.allows(Action.PUBLISH, name)
        or permissions.may_act_on_others(DELETE)
    )


def may_know_procedure(permissions: Permissions, procedure: str) -> bool:
    """Whether somebody may know of a procedure: who may call or register it."""
    return not permissions.hides_procedure(procedure)


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


def blind(sessions: Iterable[Session], may_know: MayKnow, uri: str) -> list[int]:
    """Ids of those that may not know of ``uri``, by ``may_know``, which is asked once for each role."""
    known: dict[Permissions, bool] = {}
    found = []
    for session in sessions:
        permissions = session.principal.permissions
        sees = known.get(permissions)
        if sees is None:
            sees = known[permissions] = may_know(permissions, uri)
        if not sees:
            found.append(session.id)
    return found
