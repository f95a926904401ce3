"""What somebody may know of: what permissions hide is, to their holder, not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from radiod.core.ports import Action, Permissions

if TYPE_CHECKING:
    from radiod.core.sessions import Session

__all__ = ["DELETE", "is_steward", "may_know"]

DELETE: Final = "radiod.channel.delete"
"""Who may call it on other people's channels may know of all public ones."""


def is_steward(session: Session) -> bool:
    """Whether a session may end other people's public channels, and is told whose they are."""
    return session.principal.permissions.may_act_on_others(DELETE)


def may_know(permissions: Permissions | None, name: str) -> bool:
    """Whether somebody may know of a public topic: who may listen or write there; None: anybody may."""
    return (
        permissions is None
        or not permissions.hides(name)
        or permissions.allows(Action.PUBLISH, name)
        or permissions.may_act_on_others(DELETE)
    )
