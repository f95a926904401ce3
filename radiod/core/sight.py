"""What somebody may know of: what permissions hide is, to their holder, not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from radiod.core.rights import Action, Actor, Permissions
from radiod.core.uris import watched

__all__ = [
    "DELETE",
    "MayKnow",
    "blind",
    "is_steward",
    "may_know",
    "may_know_procedure",
]

MayKnow = Callable[[Permissions, str], bool]

DELETE: Final = "radiod.channel.delete"
"""Who may call it on other people's channels may know of all public ones."""


def is_steward(session: Actor) -> bool:
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


def blind(sessions: Iterable[Actor], may_know: MayKnow, uri: str) -> list[int]:
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
