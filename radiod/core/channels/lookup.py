"""What a name means to somebody: a private channel that they joined, a public one, or just a topic."""

from __future__ import annotations

from radiod.core.channels.channel import Channel
from radiod.core.channels.memberships import Memberships
from radiod.core.channels.registry import Channels
from radiod.core.disclosure import Visitor
from radiod.core.history.topic_history import History
from radiod.core.pubsub.topic_space import TopicRef, TopicSpace
from radiod.core.rights import Action, Actor, Permissions
from radiod.core.sessions.session import Session
from radiod.core.sight import may_know
from radiod.core.uris import is_reserved, watched
from radiod.errors import BAD_KEY, INVALID_ARGUMENT, NO_SUCH_CHANNEL, NOT_AUTHORIZED, Refused, WrongSecret
from radiod.wire.options import SubscribeOptions

__all__ = ["Lookup"]


class Lookup:
    """Finds channels, and the spaces of topics, for one realm.

    Args:
        space: of everything public.
    """

    def __init__(self, channels: Channels, memberships: Memberships, space: TopicSpace) -> None:
        self._channels = channels
        self._memberships = memberships
        self._space = space

    def channel(self, actor: Actor, topic: str, key: str | None = None) -> Channel | None:
        """What ``topic`` means to whoever asks; None: it is no channel, and needs to be none.

        A session that knows the ``key`` of a private channel joins it.
        Raises: Refused: as ``Memberships.find``, ``Channels.admit``, ``Channels.unlock`` and
            ``Memberships.enter``.
        """
        if key is None:
            return self._joined(actor, topic) or self._channels.admit(topic)
        channel = self._channels.unlock(topic, key)
        # Nobody would end the membership of a visitor.
        if isinstance(actor, Session) and actor.is_open:
            self._memberships.enter(actor, channel)
        return channel

    def fits(self, name: str, key: str) -> bool:
        """Whether the key is that of a private channel of this name, perhaps of one that has ended."""
        try:
            self._channels.unlock(name, key)
        except WrongSecret:
            return False
        except Refused:
            return True
        return True

    def _joined(self, actor: Actor, name: str) -> Channel | None:
        if isinstance(actor, Visitor):
            is_member = name in actor.principal.memberships
            return self._channels.declared_private(name) if is_member else None
        return self._memberships.find(actor, name) if actor in self._memberships.by_session else None

    def topic(self, actor: Actor, name: str) -> TopicRef:
        """Where the listeners of what ``name`` means to somebody are. Raises: Refused: as ``channel``."""
        return self.space_of(self.channel(actor, name)).at(name)

    def space_of(self, channel: Channel | None) -> TopicSpace:
        """Where the events of a channel go; None: of a topic that is no channel."""
        return self._space if channel is None else channel.space

    def space_for(self, actor: Actor, topic: str, options: SubscribeOptions) -> TopicSpace:
        """The space of a subscription that somebody asks for.

        Raises: Refused: as ``channel``; ``not_authorized``: it tells who listens where they may not;
            ``invalid_argument``: a key goes with an exact name.
        """
        key = options.key
        if options.match != "exact":
            if key is not None:
                raise Refused(INVALID_ARGUMENT, "_radiod_key goes with the exact name of a private channel")
            return self._space
        name = watched(topic)
        if name is None and is_reserved(topic):
            return self._space
        if name is not None:
            check_may_watch(actor.principal.permissions, name)
        return self.space_of(self.channel(actor, name or topic, key))

    def space_known_to(self, session: Session, name: str) -> TopicSpace:
        """The space of a private channel that the session is in; for every other name, that of the public."""
        channel = self._memberships.of(session).get(name)
        return self._space if channel is None or channel.is_ended else channel.space

    def known(self, session: Session | None, name: str, permissions: Permissions | None = None) -> Channel:
        """The channel that ``name`` means to this session, or to a visitor with these permissions.

        What they hide is not there.
        Raises: Refused: ``channel_closed``, ``no_such_channel``.
        """
        return self._visible(session, name, permissions) or self._channels.get(name)

    def counted(
        self, session: Session | None, name: str, permissions: Permissions | None = None
    ) -> Channel | History:
        """The same, or where the events of a topic that is no channel are counted. Raises: as ``known``."""
        channel = self._visible(session, name, permissions) or self._channels.admit(name)
        if channel is not None:
            return channel
        history = self._space.histories.find(name)
        return self._channels.get(name) if history is None else history

    def _visible(self, session: Session | None, name: str, permissions: Permissions | None) -> Channel | None:
        """The private channel that a session is in; None: the public one, if any, may be known of."""
        joined = None if session is None else self._memberships.find(session, name)
        if session is not None:
            permissions = session.principal.permissions
        if joined is None and not may_know(permissions, name):
            # Not even that it was there once.
            raise Refused(NO_SUCH_CHANNEL, f"no channel {name}")
        return joined

    def controlled(self, session: Session, name: str, control_key: str) -> Channel:
        """The channel of this name that the control key controls; a private one need not be joined.

        Raises: Refused: ``bad_key``; ``channel_closed``, ``no_such_channel``.
        """
        channel = self._channels.controlled(name, control_key)
        if channel is None:
            if self._memberships.find(session, name) is None:
                self._channels.get(name)
            raise WrongSecret(BAD_KEY, f"not the control key of channel {name}")
        return channel


def check_may_watch(permissions: Permissions, name: str) -> None:
    """Raises: Refused: ``not_authorized``: who listens to a channel is for those who may listen, too."""
    if not permissions.allows(Action.SUBSCRIBE, name):
        raise Refused(NOT_AUTHORIZED, f"who listens to {name} is for those who may listen, too")
