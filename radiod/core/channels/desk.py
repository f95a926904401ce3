"""What sessions do with channels: open, join, write to, leave and look at them.

``Channels`` knows which there are, ``Demand`` who writes, ``Attendance`` who listens; here they meet, and
those concerned are told.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from msgspec import Raw, structs

from radiod.core.channels.demand import Demand
from radiod.core.channels.headcount import PAGE, watched
from radiod.core.channels.memberships import check_entry, enter, private_channel, quit_all, withdraw
from radiod.core.channels.presence import Attendance
from radiod.core.channels.registry import (
    Channel,
    Channels,
    ChannelSettings,
    OwnerLeaves,
    SavedChannel,
    user_of,
)
from radiod.core.history.histories import Keep
from radiod.core.ports import Action, Clock, Ids, Outbox, Permissions, Principal
from radiod.core.promises import Later
from radiod.core.pubsub.topic_space import Place, Space
from radiod.core.sight import is_steward, may_know
from radiod.core.timers import Timers
from radiod.core.uris import is_reserved
from radiod.errors import (
    CHANNEL_CLOSED,
    CHANNEL_EXISTS,
    FEATURE_NOT_SUPPORTED,
    INVALID_ARGUMENT,
    NO_SUCH_CHANNEL,
    NOT_AUTHORIZED,
    QUOTA,
    Refused,
)
from radiod.wire.codecs import JSON
from radiod.wire.messages import PublishOptions, SubscribeOptions

if TYPE_CHECKING:
    from radiod.core.delivery.listeners import Subscription
    from radiod.core.realm.realm import Realm
    from radiod.core.sessions.session import Session

__all__ = ["Desk"]

ON_CREATE: Final = "radiod.channel.on_create"
ON_DELETE: Final = "radiod.channel.on_delete"
ON_DEMAND: Final = "radiod.channel.on_demand"

DESCRIBED_IN_A_STEP: Final = 10
"""Channels that are looked at, and described, without a pause."""

DATE_TOLERANCE: Final = 1.0
"""Seconds by which the wall clock may drift from the monotonic one before it counts as set."""


class Desk:
    """The channels of one realm, as its sessions use them.

    ``channels``: the registry; ``attendance``: who listens, where that is told.
    """

    def __init__(
        self,
        realm: Realm,
        *,
        outbox: Outbox,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        undeclared_topics: bool,
    ) -> None:
        self._realm = realm
        self._outbox = outbox
        self._clock = clock
        # The date at which the monotonic clock stood at 0, when the ends of channels were last saved.
        self._date_since = clock.time() - clock.seconds()
        self._limits = limits = realm.limits
        self.space = realm.space
        self.channels = Channels(
            clock,
            timers,
            ids,
            space=self.space,
            make_space=lambda: realm.make_space(is_private=True),
            max_channels=limits.max_channels,
            max_per_session=limits.max_channels_per_session,
            max_history_bytes=limits.max_history_bytes,
            max_per_user=limits.max_channels_per_user,
            max_history_bytes_per_user=limits.max_history_bytes_per_user,
            undeclared_topics=undeclared_topics,
            on_end=self._ended,
        )
        self._demand: Demand[Place, Session] = Demand(
            clock, timers, limits.demand_hold_s, _readers, self._tell_writers
        )
        self.attendance = Attendance(realm, ids, self.channels.__contains__)

    # --- the configuration's

    def declare(
        self,
        name: str,
        *,
        key: str | None = None,
        single_writer: bool = False,
        presence: bool = False,
        history: Keep | None = None,
    ) -> Channel:
        """Add a channel of the configuration; private with a ``key``."""
        channel = self.channels.declare(
            name, key=key, single_writer=single_writer, presence=presence, history=history
        )
        self._set_up(channel)
        return channel

    def _set_up(self, channel: Channel) -> None:
        if channel.history is not None:
            channel.space.histories.keep(channel.name, channel.history)
        if channel.presence:
            self.attendance.show(channel.place)

    # --- opening and ending

    def create(
        self,
        session: Session,
        name: str,
        *,
        key: str | None,
        lifetime: float | None,
        on_owner_leave: OwnerLeaves,
        single_writer: bool,
        presence: bool,
        history: Keep | None,
        buffer: dict[str, Any],
    ) -> dict[str, Any] | Later[dict[str, Any]]:
        """Open a channel, private with a ``key``, with ``session`` as owner and first writer; tell of it.

        A durable one is there at once, and answered for when it is on disk.
        Raises: Refused: as ``Channels.create``, ``enter`` and ``Tuning.check``; ``quota``;
            ``feature_not_supported``: it cannot be durable.
        """
        is_durable = history is not None and history.is_durable
        if is_durable and (key is not None or self.space.histories.journal is None):
            raise Refused(FEATURE_NOT_SUPPORTED, "durable: only public channels, and only with a store")
        if key is None and history is not None and self.space.histories.is_promised(name):
            # The channel's end would be the end of what others were told is on disk.
            raise Refused(CHANNEL_EXISTS, f"{name} has a durable history of its own: leave history out")
        self.space.tuning.check(buffer)
        check_entry(session, name, self._limits.max_memberships, is_public=key is None)
        self._check_writing(session)
        channel, control_key = self.channels.create(
            name,
            key=key,
            lifetime=lifetime,
            owner=session.id,
            on_owner_leave=on_owner_leave,
            single_writer=single_writer,
            presence=presence or (key is None and self.attendance.covers(name)),
            history=history,
            user=user_of(session.principal),
        )
        self._set_up(channel)
        if buffer:
            channel.space.tuning.declare(name, buffer)
        place = channel.place
        if channel.is_public:
            # It may have been in use before it was a channel.
            withdraw(session, name)
            if channel.presence:
                self.attendance.count(place)
            if single_writer:
                self._close_all(place)
        else:
            enter(session, channel, self._limits.max_memberships)
        self._open(session, place)
        self._announce(channel, ON_CREATE, {"name": name})
        answer = {
            "name": name,
            "control_key": control_key,
            "expires": self.channels.expires(channel),
            "readers": _readers(place),
            **({} if key is None else {"key": key}),
        }
        if history is None or not history.is_durable:
            return answer
        channel.settings = ChannelSettings(
            on_owner_leave=on_owner_leave,
            single_writer=single_writer,
            presence=channel.presence,
            history=history,
            buffer=buffer,
            user=channel.user,
        )
        return self._save(channel, answer)

    def _save(
        self, channel: Channel, answer: dict[str, Any], *, is_new: bool = True
    ) -> Later[dict[str, Any]]:
        """``answer``, once the channel is on disk; a new one that cannot be is ended."""
        later: Later[dict[str, Any]] = Later()
        journal = self.space.histories.journal
        assert journal is not None
        assert channel.control_hash is not None
        assert channel.settings is not None

        def saved(error: Refused | None) -> None:
            if error is not None and is_new and not channel.is_ended:
                self.channels.delete(channel)
            later.settle(error or answer)

        journal.save(
            SavedChannel(
                name=channel.name,
                control_hash=channel.control_hash,
                expires=self.channels.expires(channel),
                settings=structs.replace(channel.settings, lifetime=self.channels.left(channel)),
            ),
            saved,
        )
        return later

    def check_date(self) -> None:
        """Save durable channels anew if somebody has set the clock: the date of their end was saved."""
        since = self._clock.time() - self._clock.seconds()
        if abs(since - self._date_since) > DATE_TOLERANCE:
            self._date_since = since
            for channel in self.channels:
                if channel.settings is not None and channel.ends_at is not None:
                    self._save(channel, {}, is_new=False)

    def restore(self, saved: SavedChannel) -> None:
        """Bring back a durable channel that a session created before the server was started."""
        if saved.name not in self.channels:
            channel = self.channels.restore(saved)
            channel.settings = saved.settings
            self._set_up(channel)
            if saved.settings.buffer:
                self.space.tuning.declare(saved.name, saved.settings.buffer)

    def extend(
        self, session: Session, name: str, lifetime: float | None, control_key: str
    ) -> dict[str, Any] | Later[dict[str, Any]]:
        """Move a channel's end → ``{name, expires}``; an owner's grace ends.

        Where an owner who leaves has time to come back, whoever extends is the owner from now on.
        Raises: Refused: as ``Channels.controlled`` and ``take_over``.
        """
        channel = self.channels.controlled(session, name, control_key)
        if channel.on_owner_leave not in ("delete", "keep"):
            self._take_over(session, channel)
        self.channels.extend(channel, lifetime)
        answer = {"name": name, "expires": self.channels.expires(channel)}
        return answer if channel.settings is None else self._save(channel, answer, is_new=False)

    def delete(self, session: Session, name: str, control_key: str) -> dict[str, Any]:
        """End a channel → ``{name}``. Raises: Refused: as ``Channels.controlled``."""
        self.channels.delete(self.channels.controlled(session, name, control_key))
        return {"name": name}

    def remove(self, session: Session, name: str) -> dict[str, Any]:
        """End a public channel, or the past that a pattern keeps of a topic → ``{name}``.

        Raises: Refused: ``bad_key``: it is the configuration's; ``channel_closed``, ``no_such_channel``.
        """
        channel = self.channels.created(name)
        histories = self.space.histories
        if channel is not None:
            self.channels.delete(channel)
        elif name not in self.channels and histories.is_kept(name):
            histories.forget(name)
        else:
            self.channels.controlled(session, name, "")
        return {"name": name}

    def _take_over(self, session: Session, channel: Channel) -> None:
        self.channels.check_owner(channel, session.id)
        if not channel.is_public:
            enter(session, channel, self._limits.max_memberships)
        self.channels.take_over(channel, session.id)

    def _ended(self, channel: Channel, reason: str) -> None:
        place = channel.place
        broker, name = place
        self._close_all(place)
        self.attendance.forget(place)
        broker.forget(name)
        if not channel.space.histories.is_promised(name):
            channel.space.histories.forget(name)
        channel.space.tuning.forget(name)
        self._announce(channel, ON_DELETE, {"name": name, "reason": reason})
        channel.members.clear()
        subscription = broker.lookup("exact", name)
        listeners = [] if subscription is None else list(subscription.listeners)
        if not channel.is_public:
            for private in list(broker.subscriptions("exact")):
                for session in list(private.listeners):
                    self._realm.revoke_subscription(session, private, CHANNEL_CLOSED)
        for session in listeners:
            self._outbox.end(session)

    def _announce(self, channel: Channel, topic: str, event: dict[str, Any]) -> None:
        """Tell everybody of a public channel, and the members of a private one."""
        if channel.is_public:
            self._realm.announce(topic, event, about=channel.name)
        else:
            self._announce_to(list(channel.members), topic, event)

    def _announce_to(self, sessions: list[Session], topic: str, event: dict[str, Any]) -> None:
        options = PublishOptions(eligible=[session.id for session in sessions])
        self._realm.announce(topic, event, options=options)

    # --- joining private ones

    def find(self, session: Session, topic: str, key: str | None) -> Channel | None:
        """What ``topic`` means to this session; to know the key of a private channel is to join it.

        Raises: Refused: as ``Channels.find``, ``Channels.unlock`` and ``enter``.
        """
        if key is None:
            return self.channels.find(session, topic)
        return self._unlocked(session, topic, key)

    def _unlocked(self, session: Session, name: str, key: str) -> Channel:
        channel = self.channels.unlock(name, key)
        # Nobody would end the membership of a session that only publishes over HTTP.
        if session.id in self._realm.sessions:
            enter(session, channel, self._limits.max_memberships)
        return channel

    def grant(self, session: Session) -> None:
        """Make the session a member of the configuration's channels that its principal may use."""
        for name in session.principal.memberships:
            channel = self.channels.declared_private(name)
            enter(session, channel, len(session.principal.memberships))

    def join(self, session: Session, name: str, key: str) -> dict[str, Any]:
        """Become a member of a private channel → its description.

        Raises: Refused: as ``Channels.unlock`` and ``enter``.
        """
        return self.describe(self._unlocked(session, name, key))

    def quit(self, session: Session, name: str) -> None:
        """End what ``session`` has to do with a private channel, if anything."""
        channel = withdraw(session, name)
        if channel is None:
            return
        broker = channel.space.broker
        self._close(session, channel.place)
        for listener in list(session.subscriptions.values()):
            if listener.subscription.broker is broker:
                self._realm.revoke_subscription(session, listener.subscription, None)

    # --- writing

    def open_write(
        self, session: Session, name: str, key: str | None, control_key: str | None
    ) -> dict[str, Any]:
        """Become a writer → ``{active, readers}``; with the control key, the owner as well.

        The owner gets the slot of a single-writer channel even when somebody holds it.
        Raises: Refused: ``not_authorized``: the slot is taken; ``quota``; as ``find`` and ``controlled``.
        """
        if control_key is None:
            channel = self.find(session, name, key)
            place = self._place(channel, name)
            if channel is not None:
                self.check_writer(channel, session)
        else:
            channel = self.channels.controlled(session, name, control_key)
            place = channel.place
            self._check_writing(session)
            self._take_over(session, channel)
            if channel.single_writer:
                self._close_all(place)
        return {"active": self._open(session, place), "readers": _readers(place)}

    def close_write(self, session: Session, name: str) -> dict[str, Any]:
        """Be a writer no longer → ``{name}``; somebody who is none may say so, too."""
        for place in list(session.writing or ()):
            if place.topic == name:
                self._close(session, place)
        return {"name": name}

    def check_writer(self, channel: Channel, session: Session) -> None:
        """Raises: Refused: ``not_authorized``: it has a single writer, and that is somebody else."""
        if channel.single_writer:
            writers = self._demand.writers(channel.place)
            if writers and session not in writers:
                raise Refused(NOT_AUTHORIZED, f"channel {channel.name} has a writer, and only one")

    def feeds(self, session: Session, channel: Channel) -> bool:
        """True when the session owns the channel, or writes to it."""
        return session.id == channel.owner or session in self._demand.writers(channel.place)

    def _check_writing(self, session: Session) -> None:
        if len(session.writing or ()) >= self._limits.max_memberships:
            raise Refused(QUOTA, f"a session may write to {self._limits.max_memberships} channels")

    def _open(self, session: Session, place: Place) -> bool:
        """Add a writer. Returns: whether anybody listens."""
        writing = session.writing if session.writing is not None else {}
        if place not in writing:
            self._check_writing(session)
            session.writing = writing
            writing[place] = None
        return self._demand.add(place, session)

    def _close(self, session: Session, place: Place) -> None:
        if session.writing is not None:
            session.writing.pop(place, None)
        self._demand.remove(place, session)

    def _close_all(self, place: Place) -> None:
        for writer in self._demand.writers(place):
            self._close(writer, place)

    def _tell_writers(self, place: Place, writers: list[Session], is_active: bool) -> None:
        event = {"name": place.topic, "readers": _readers(place), "active": is_active}
        self._announce_to(writers, ON_DEMAND, event)

    # --- listening

    def space_of(self, channel: Channel | None) -> Space:
        """Where the events of a channel go; None: of a topic that is no channel."""
        return self.space if channel is None else channel.space

    def _place(self, channel: Channel | None, topic: str) -> Place:
        return self.space_of(channel).at(topic)

    def space_for(self, session: Session, topic: str, options: SubscribeOptions) -> Space:
        """The space of a subscription that the session asks for.

        Raises: Refused: as ``find``; ``not_authorized``: it tells who listens where the session may not;
            ``invalid_argument``: a key goes with an exact name.
        """
        key = options.key
        if options.match != "exact":
            if key is not None:
                raise Refused(INVALID_ARGUMENT, "_radiod_key goes with the exact name of a private channel")
            return self.space
        name = watched(topic)
        if name is None and is_reserved(topic):
            return self.space
        if name is not None and not session.principal.permissions.allows(Action.SUBSCRIBE, name):
            raise Refused(NOT_AUTHORIZED, f"who listens to {name} is for those who may listen, too")
        return self.space_of(self.find(session, name or topic, key))

    def space_of_visitor(self, principal: Principal, topic: str, key: str | None) -> Space:
        """The space of a topic for somebody who has no session.

        Raises: Refused: as ``Channels.unlock`` and ``Channels.admit``.
        """
        if key is not None:
            return self.channels.unlock(topic, key).space
        if topic in principal.memberships:
            return self.channels.declared_private(topic).space
        return self.space if is_reserved(topic) else self.space_of(self.channels.admit(topic))

    def space_known_to(self, session: Session, name: str) -> Space:
        """The space of a private channel that the session is in; for every other name, that of the public."""
        channel = session.memberships.get(name) if session.memberships is not None else None
        return self.space if channel is None or channel.is_ended else channel.space

    def send_late(self, session: Session, subscription: Subscription) -> Generator[None, None, None]:
        """Send what a late listener missed: retained events, and who is present."""
        yield from subscription.broker.send_retained(session, subscription)
        yield from self.attendance.send_late(session, subscription)

    def heard(self, session: Session, subscription: Subscription) -> None:
        """A session was added to a subscription."""
        self._update_demand(subscription)
        self.attendance.came(session, subscription)

    def unheard(self, session: Session, subscription: Subscription) -> None:
        """A session was removed from a subscription."""
        self._update_demand(subscription)
        self.attendance.went(session, subscription)

    def left(self, session: Session, *, is_realm_closing: bool) -> None:
        """A session has left: it writes no more, and what it owned ends, stays or waits."""
        for place in list(session.writing or ()):
            self._close(session, place)
        quit_all(session)
        if not is_realm_closing:
            self.channels.owner_left(session.id)

    def _update_demand(self, subscription: Subscription) -> None:
        if subscription.match == "exact":
            self._demand.update(Place(subscription.broker, subscription.topic))
            return
        for place in self._demand:
            if place.broker is subscription.broker and subscription.takes(place.topic):
                self._demand.update(place)

    def present(
        self, session: Session, name: str, limit: int = PAGE, after: str | None = None
    ) -> dict[str, Any]:
        """Who listens to a channel → ``{name, users: {authid: sessions}, count, total, next}``.

        Raises: Refused: ``not_authorized``, ``no_such_channel`` (or it does not tell), ``channel_closed``.
        """
        if not session.principal.permissions.allows(Action.SUBSCRIBE, name):
            raise Refused(NOT_AUTHORIZED, f"who listens to {name} is for those who may listen, too")
        place = self._place(self.channels.find(session, name), name)
        if not self.attendance.is_shown(place):
            raise Refused(NO_SUCH_CHANNEL, f"no channel {name} that tells who listens")
        return {"name": name, **self.attendance.presence.snapshot(place, limit, after)}

    # --- looking

    def describe(self, channel: Channel) -> dict[str, Any]:
        """What those who may know of a channel are told.

        ``{name, public, readers, writers, events, expires, position}``
        """
        place = channel.place
        history = channel.space.histories.find(channel.name)
        return {
            "name": channel.name,
            "public": channel.is_public,
            "readers": _readers(place),
            "writers": len(self._demand.writers(place)),
            "events": channel.traffic.events,
            "expires": self.channels.expires(channel),
            "position": None if history is None else str(history.position),
        }

    def look_up(self, session: Session | None, name: str, permissions: Permissions | None = None) -> Channel:
        """The channel that ``name`` means to this session, or to a visitor with these permissions.

        What they hide is not there.
        Raises: Refused: as ``Channels.get``.
        """
        if session is not None:
            permissions = session.principal.permissions
        if not may_know(permissions, name) and (session is None or private_channel(session, name) is None):
            # Not even that it was there once.
            raise Refused(NO_SUCH_CHANNEL, f"no channel {name}")
        return self.channels.get(session, name)

    def get(
        self, session: Session | None, name: str, permissions: Permissions | None = None
    ) -> dict[str, Any]:
        """The description of what ``look_up`` finds. Raises: Refused: as that."""
        channel = self.look_up(session, name, permissions)
        return self._tell(channel, session is not None and is_steward(session))

    def page(
        self,
        prefix: str = "",
        limit: int = 100,
        after: str | None = None,
        permissions: Permissions | None = None,
        *,
        with_owners: bool = False,
    ) -> dict[str, Any] | Later[dict[str, Any]]:
        """One page of the public channels by name that ``permissions`` show: ``{channels, next}``.

        Later, if it takes long. The descriptions are JSON already: so much in one piece keeps others waiting.
        """
        return self._realm.in_slices(self._page(prefix, limit, after, permissions, with_owners))

    def _page(
        self, prefix: str, limit: int, after: str | None, permissions: Permissions | None, with_owners: bool
    ) -> Generator[None, None, dict[str, Any]]:
        told: list[Raw] = []
        last = None
        # Those that are hidden take their time as well, and there may be many between two that are shown.
        while some := self.channels.page(prefix, DESCRIBED_IN_A_STEP, after):
            for channel in some:
                if not may_know(permissions, channel.name):
                    continue
                if len(told) == limit:
                    return {"channels": told, "next": last}
                told.append(Raw(JSON.dump(self._tell(channel, with_owners))))
                last = channel.name
            after = some[-1].name
            yield
        return {"channels": told, "next": None}

    def _tell(self, channel: Channel, with_owner: bool) -> dict[str, Any]:
        """Its description, and ``owner`` of a public one."""
        told = self.describe(channel)
        return {**told, "owner": _owner(channel)} if with_owner and channel.is_public else told


def _owner(channel: Channel) -> dict[str, Any] | None:
    """``{session, authid, authrole}``: who owns it, and who created it; None: the configuration."""
    if channel.control_hash is None:
        return None
    authid, authrole = channel.user or (None, None)
    return {"session": channel.owner, "authid": authid, "authrole": authrole}


def _readers(place: Place) -> int:
    return place.broker.readers(place.topic)
