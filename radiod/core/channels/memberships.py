"""Who is a member of which private channels: the record is the session's, ``Session.memberships``.

A membership outlives its channel: whoever goes on publishing under the name is told that the channel is
closed, until it leaves. Without that, what was meant for a private channel would go out to everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radiod.errors import CHANNEL_CLOSED, CHANNEL_EXISTS, QUOTA, Refused

if TYPE_CHECKING:
    from radiod.core.channels.registry import Channel
    from radiod.core.sessions.session import Session

__all__ = ["check_entry", "enter", "private_channel", "quit_all", "withdraw"]


def private_channel(session: Session, name: str) -> Channel | None:
    """The private channel that ``name`` means to this session. Raises: Refused: ``channel_closed``."""
    channel = session.memberships.get(name) if session.memberships is not None else None
    if channel is not None and channel.is_ended:
        raise Refused(CHANNEL_CLOSED, f"channel {name} is closed")
    return channel


def check_entry(session: Session, name: str, limit: int, *, is_public: bool = False) -> None:
    """Whether the session may join, or open, one more channel of this name.

    Raises: Refused: ``channel_exists``: it is a member of another one of this name; ``quota``.
    """
    held = session.memberships or {}
    old = held.get(name)
    if old is not None and not old.is_ended:
        raise Refused(CHANNEL_EXISTS, f"this session is a member of another channel {name}: leave that first")
    if old is None and not is_public and len(held) >= limit:
        raise Refused(QUOTA, f"a session may be a member of {limit} private channels, ended ones included")


def enter(session: Session, channel: Channel, limit: int) -> None:
    """Make the session a member; again is the same. Raises: Refused: as ``check_entry``."""
    held = session.memberships
    if held is not None and held.get(channel.name) is channel:
        return
    check_entry(session, channel.name, limit)
    if held is None:
        held = session.memberships = {}
    held[channel.name] = channel
    channel.members[session] = None


def withdraw(session: Session, name: str) -> Channel | None:
    """End a membership. Returns: the channel it was in; None: there was none."""
    channel = session.memberships.pop(name, None) if session.memberships is not None else None
    if channel is not None:
        channel.members.pop(session, None)
    return channel


def quit_all(session: Session) -> None:
    """The session has left."""
    for name in list(session.memberships or ()):
        withdraw(session, name)
