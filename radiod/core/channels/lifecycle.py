"""What sessions do with channels: open, extend and end them, write to them, join and leave them.

Those concerned are told of all of it.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import structs

from radiod.core.channels.authority import Authority
from radiod.core.channels.channel import Channel
from radiod.core.channels.lookup import Lookup
from radiod.core.channels.memberships import Memberships
from radiod.core.channels.presence import Presence
from radiod.core.channels.registry import Channels
from radiod.core.channels.settings import (
    NO_RULES,
    ChannelSettings,
    ChannelStore,
    KeptChannel,
    SavedChannel,
)
from radiod.core.channels.writers import Writers, readers
from radiod.core.holders import Account
from radiod.core.promises import Promise
from radiod.core.pubsub.announcer import Announcer
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.sessions.outbox import SessionOutbox
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock
from radiod.errors import CHANNEL_CLOSED, CHANNEL_EXISTS, FEATURE_NOT_SUPPORTED, Refused
from radiod.wire.options import PublishOptions

__all__ = ["Lifecycle"]

ON_CREATE: Final = "radiod.channel.on_create"
ON_DELETE: Final = "radiod.channel.on_delete"

DATE_TOLERANCE: Final = 1.0
"""Seconds by which the wall clock may drift from the monotonic one before it counts as set."""


class Lifecycle:
    """The lives of one realm's channels.

    ``store``: where durable ones that sessions create are written; None: there is no store. ``authority``:
    ends the subscriptions of a channel that ends; both are set by the realm.

    Args:
        space: of everything public.
    """

    authority: Authority

    def __init__(
        self,
        *,
        channels: Channels,
        memberships: Memberships,
        lookup: Lookup,
        writers: Writers,
        presence: Presence,
        announcer: Announcer,
        space: TopicSpace,
        outbox: SessionOutbox,
        clock: Clock,
    ) -> None:
        self._channels = channels
        self._memberships = memberships
        self._lookup = lookup
        self._writers = writers
        self._presence = presence
        self._announcer = announcer
        self._space = space
        self._outbox = outbox
        self._clock = clock
        self.store: ChannelStore | None = None
        # The date at which the monotonic clock stood at 0, when the ends of channels were last saved.
        self._date_since = clock.time() - clock.seconds()

    # --- opening

    def declare(self, name: str, settings: ChannelSettings = NO_RULES, *, key: str | None = None) -> Channel:
        """Add a channel of the configuration; private with a ``key``."""
        channel = self._channels.declare(name, settings, key=key)
        self._set_up(channel)
        return channel

    def add(self, name: str, settings: ChannelSettings) -> None:
        """Add a public channel of the configuration to a realm that runs, and tell of it.

        ``check_free`` comes before.
        """
        channel = self.declare(name, settings)
        if settings.presence:
            self._presence.count(channel.topic)
        if settings.single_writer:
            self._writers.close_all(channel.topic)
        self._announce(channel, ON_CREATE, {"name": name})

    def check_free(self, name: str) -> None:
        """Whether a public channel may be added. Raises: Refused: ``channel_exists``: it may not."""
        if name in self._channels:
            raise Refused(CHANNEL_EXISTS, f"a session has created channel {name}")
        if self._space.histories.is_promised(name):
            raise Refused(CHANNEL_EXISTS, f"{name} has a durable history of its own")

    def change(self, name: str, settings: ChannelSettings, *, is_private: bool = False) -> None:
        """A channel of the configuration has another buffer, or keeps more or less of its past.

        Who listens keeps the buffer that it has.
        """
        channel = self._channels.declared_private(name) if is_private else self._channels.get(name)
        channel.settings = settings
        tuning, histories = channel.space.tuning, channel.space.histories
        tuning.forget(name)
        if settings.buffer:
            tuning.declare(name, settings.buffer)
        if settings.history is not None and not settings.is_durable:
            histories.resize(name, settings.history)

    def restore(self, saved: SavedChannel) -> None:
        """Bring back a durable channel that a session created before the server was started."""
        if saved.name not in self._channels:
            self._set_up(self._channels.restore(saved))

    def resume(self, kept: KeptChannel, account: Account | None) -> Channel:
        """Bring back a channel that a session created, as it was when another process stopped.

        Raises: Refused: as ``Channels.resume``; ``invalid_argument``: its buffer is more than there may be
            now; ``feature_not_supported``: it is durable, and the store does not have it.
        """
        if kept.settings.is_durable and kept.name not in self._channels:
            raise Refused(FEATURE_NOT_SUPPORTED, f"channel {kept.name} is durable, and not in the store")
        self._space.tuning.check(kept.settings.buffer)
        channel = self._channels.resume(kept, account)
        if not channel.is_saved:
            self._set_up(channel)
        return channel

    def _set_up(self, channel: Channel) -> None:
        settings = channel.settings
        if settings.history is not None:
            channel.space.histories.keep(channel.name, settings.history)
        if settings.presence:
            self._presence.show(channel.topic)
        if settings.buffer:
            channel.space.tuning.declare(channel.name, settings.buffer)

    def create(
        self, session: Session, name: str, settings: ChannelSettings, key: str | None = None
    ) -> dict[str, Any] | Promise[dict[str, Any]]:
        """Open a channel, private with a ``key``, with ``session`` as owner and first writer; tell of it.

        A durable one is there at once, and answered for when it is on disk.
        Raises: Refused: as ``Channels.create``, ``Memberships.enter`` and ``Tuning.check``; ``quota``;
            ``feature_not_supported``: it cannot be durable.
        """
        self._check(session, name, settings, key)
        if key is None and self._presence.covers(name):
            settings = structs.replace(settings, presence=True)
        holder = session.principal.holder
        account = None if holder is None else holder.account
        channel, control_key = self._channels.create(
            name, settings, key=key, owner=session.id, account=account
        )
        self._set_up(channel)
        if channel.is_public:
            self._open_public(session, channel)
        else:
            self._memberships.enter(session, channel)
        self._writers.admit(session, channel.topic)
        self._announce(channel, ON_CREATE, {"name": name})
        answer = {
            "name": name,
            "control_key": control_key,
            "expires": self._channels.expires(channel),
            "readers": readers(channel.topic),
            **({} if key is None else {"key": key}),
        }
        return self._save(channel, answer, is_new=True) if settings.is_durable else answer

    def _check(self, session: Session, name: str, settings: ChannelSettings, key: str | None) -> None:
        """Find out what stands against opening a channel, before anything is done for it."""
        histories = self._space.histories
        if settings.is_durable and (key is not None or not self._can_be_durable()):
            raise Refused(FEATURE_NOT_SUPPORTED, "durable: only public channels, and only with a store")
        if key is None and settings.history is not None and histories.is_promised(name):
            # The channel's end would be the end of what others were told is on disk.
            raise Refused(CHANNEL_EXISTS, f"{name} has a durable history of its own: leave history out")
        self._space.tuning.check(settings.buffer)
        self._memberships.check_entry(session, name, is_public=key is None)
        self._writers.check_room(session)

    def _can_be_durable(self) -> bool:
        return self.store is not None

    def _open_public(self, session: Session, channel: Channel) -> None:
        self._memberships.withdraw(session, channel.name)
        self._take_topic(channel)

    def _take_topic(self, channel: Channel) -> None:
        """The topic may have been in use before it was a channel."""
        if channel.settings.presence:
            self._presence.count(channel.topic)
        if channel.settings.single_writer:
            self._writers.close_all(channel.topic)

    # --- saving

    def _save(self, channel: Channel, answer: dict[str, Any], *, is_new: bool) -> Promise[dict[str, Any]]:
        """``answer``, once the channel is on disk; a new one that cannot be is ended."""
        later: Promise[dict[str, Any]] = Promise()
        assert self.store is not None
        assert channel.control_hash is not None
        channel.is_saved = True

        def saved(error: Refused | None) -> None:
            if error is not None and is_new and not channel.is_ended:
                self._channels.delete(channel)
            later.settle(error or answer)

        self.store.save(
            SavedChannel(
                name=channel.name,
                control_hash=channel.control_hash,
                expires=self._channels.expires(channel),
                settings=structs.replace(channel.settings, lifetime=self._channels.left(channel)),
            ),
            saved,
        )
        return later

    def check_date(self) -> None:
        """Save durable channels anew if somebody has set the clock: the date of their end was saved."""
        since = self._clock.time() - self._clock.seconds()
        if abs(since - self._date_since) > DATE_TOLERANCE:
            self._date_since = since
            for channel in self._channels:
                if channel.is_saved and channel.ends_at is not None:
                    self._save(channel, {}, is_new=False)

    # --- controlling

    def extend(
        self, session: Session, name: str, lifetime: float | None, control_key: str
    ) -> dict[str, Any] | Promise[dict[str, Any]]:
        """Move a channel's end → ``{name, expires}``; an owner's grace ends.

        Where an owner who leaves has time to come back, whoever extends is the owner from now on.
        Raises: Refused: as ``Lookup.controlled`` and ``Channels.take_over``.
        """
        channel = self._lookup.controlled(session, name, control_key)
        if channel.settings.on_owner_leave not in ("delete", "keep"):
            self._take_over(session, channel)
        self._channels.extend(channel, lifetime)
        answer = {"name": name, "expires": self._channels.expires(channel)}
        return self._save(channel, answer, is_new=False) if channel.is_saved else answer

    def delete(
        self, session: Session, name: str, control_key: str
    ) -> dict[str, Any] | Promise[dict[str, Any]]:
        """End a channel → ``{name}``. Raises: Refused: as ``Lookup.controlled``."""
        self._channels.delete(self._lookup.controlled(session, name, control_key))
        return {"name": name}

    def remove(self, session: Session, name: str) -> dict[str, Any] | Promise[dict[str, Any]]:
        """End a public channel, or the past that a pattern keeps of a topic → ``{name}``.

        Raises: Refused: ``bad_key``: it is the configuration's; ``channel_closed``, ``no_such_channel``.
        """
        channel = self._channels.created(name)
        histories = self._space.histories
        if channel is not None:
            self._channels.delete(channel)
        elif name not in self._channels and histories.is_kept(name):
            histories.forget(name)
        else:
            self._lookup.controlled(session, name, "")
        return {"name": name}

    def _take_over(self, session: Session, channel: Channel) -> None:
        self._channels.check_owner(channel, session.id)
        if not channel.is_public:
            self._memberships.enter(session, channel)
        self._channels.take_over(channel, session.id)

    # --- writing

    def open_write(
        self, session: Session, name: str, key: str | None, control_key: str | None
    ) -> dict[str, Any] | Promise[dict[str, Any]]:
        """Become a writer → ``{active, readers}``; with the control key, the owner as well.

        The owner gets the slot of a single-writer channel even when somebody holds it.
        Raises: Refused: ``not_authorized``: the slot is taken; ``quota``; as ``Lookup.channel`` and
            ``Lookup.controlled``.
        """
        if control_key is None:
            channel = self._lookup.channel(session, name, key)
            topic = self._lookup.space_of(channel).at(name)
            if channel is not None:
                self._writers.check(channel, session)
        else:
            channel = self._lookup.controlled(session, name, control_key)
            topic = channel.topic
            self._writers.check_room(session)
            self._take_over(session, channel)
            if channel.settings.single_writer:
                self._writers.close_all(topic)
        return {"active": self._writers.admit(session, topic), "readers": readers(topic)}

    # --- membership

    def grant(self, session: Session) -> None:
        """Make the session a member of the configuration's channels that its principal may use."""
        names = session.principal.memberships
        for name in names:
            self._memberships.enter(session, self._channels.declared_private(name), limit=len(names))

    def quit(self, session: Session, name: str) -> None:
        """End what ``session`` has to do with a private channel, if anything."""
        channel = self._memberships.withdraw(session, name)
        if channel is not None:
            self._writers.close(session, channel.topic)
            for subscription in channel.space.broker.of(session):
                self.authority.revoke_subscription(session, subscription, None)

    # --- ending

    def leave(self, session: Session, *, is_realm_closing: bool) -> None:
        """A session has left: it writes no more, and what it owned ends, stays or waits."""
        self._writers.leave(session)
        self._memberships.leave(session)
        if not is_realm_closing:
            self._channels.owner_left(session.id)

    def owner_left(self, session_id: int) -> None:
        """What a session owned that has left ends, stays or waits."""
        self._channels.owner_left(session_id)

    def ended(self, channel: Channel, reason: str) -> None:
        """A channel came to its end: end all that belonged to it, and tell those who used it."""
        topic = channel.topic
        broker, name = topic
        self._writers.close_all(topic)
        self._presence.forget(topic)
        self._forget_past(channel)
        channel.space.tuning.forget(name)
        self._announce(channel, ON_DELETE, {"name": name, "reason": reason})
        channel.members.clear()
        subscription = broker.lookup("exact", name)
        if not channel.is_public:
            for private in list(broker.subscriptions("exact")):
                for session in list(private.listeners):
                    self.authority.revoke_subscription(session, private, CHANNEL_CLOSED)
        elif subscription is not None:
            for session in list(subscription.listeners):
                self._outbox.end(session, subscription.id, CHANNEL_CLOSED)

    def _forget_past(self, channel: Channel) -> None:
        """Drop what is retained, and kept, of a channel that has ended."""
        name, histories = channel.name, channel.space.histories
        channel.space.broker.forget(name)
        if not histories.is_promised(name):
            histories.forget(name)

    def _announce(self, channel: Channel, topic: str, event: dict[str, Any]) -> None:
        """Tell everybody of a public channel, and the members of a private one."""
        if channel.is_public:
            self._announcer.announce(topic, event, about=channel.name)
        else:
            options = PublishOptions(eligible=[session.id for session in channel.members])
            self._announcer.announce(topic, event, options=options)
