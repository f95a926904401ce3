"""Who is a member of which private channels.

A membership outlives its channel: whoever goes on publishing under the name is told that the channel is
closed, until it leaves. Without that, what was meant for a private channel would go out to everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from radiod.core.channels.channel import Channel
from radiod.core.rights import Actor
from radiod.core.sessions.session import Session
from radiod.errors import CHANNEL_CLOSED, CHANNEL_EXISTS, QUOTA, Refused

__all__ = ["Memberships"]

NONE: Final[Mapping[str, Channel]] = {}


class Memberships:
    """The private channels that each session of one realm joined, at most ``limit``, ended ones included.

    ``by_session``: session -> name -> channel; sessions that joined none are not in it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Public, since every publish asks whether its session is in it.
        self.by_session: dict[Actor, dict[str, Channel]] = {}

    def __len__(self) -> int:
        """Sessions that are members of any."""
        return len(self.by_session)

    def of(self, session: Actor) -> Mapping[str, Channel]:
        """Name -> channel, perhaps ended."""
        return self.by_session.get(session, NONE)

    def find(self, session: Actor, name: str) -> Channel | None:
        """The private channel that ``name`` means to this session. Raises: Refused: ``channel_closed``."""
        channel = self.of(session).get(name)
        if channel is not None and channel.is_ended:
            raise Refused(CHANNEL_CLOSED, f"channel {name} is closed")
        return channel

    def check_entry(
        self, session: Session, name: str, *, is_public: bool = False, limit: int | None = None
    ) -> None:
        """Whether the session may join, or open, one more channel of this name.

        Raises: Refused: ``channel_exists``: it is a member of another one of this name; ``quota``.
        """
        held = self.of(session)
        limit = self._limit if limit is None else limit
        old = held.get(name)
        if old is not None and not old.is_ended:
            raise Refused(
                CHANNEL_EXISTS, f"this session is a member of another channel {name}: leave that first"
            )
        if old is None and not is_public and len(held) >= limit:
            raise Refused(
                QUOTA, f"a session may be a member of {limit} private channels, ended ones included"
            )

    def enter(self, session: Session, channel: Channel, *, limit: int | None = None) -> None:
        """Make the session a member; again is the same. Raises: Refused: as ``check_entry``."""
        if self.of(session).get(channel.name) is channel:
            return
        self.check_entry(session, channel.name, limit=limit)
        self.by_session.setdefault(session, {})[channel.name] = channel
        channel.members[session] = None

    def withdraw(self, session: Session, name: str) -> Channel | None:
        """End a membership. Returns: the channel it was in; None: there was none."""
        held = self.by_session.get(session, {})
        channel = held.pop(name, None)
        if channel is not None:
            channel.members.pop(session, None)
            if not held:
                del self.by_session[session]
        return channel

    def leave(self, session: Session) -> None:
        """The session has left."""
        for channel in self.by_session.pop(session, {}).values():
            channel.members.pop(session, None)
