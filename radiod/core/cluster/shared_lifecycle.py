"""What sessions do with channels that all nodes have: who opens, extends and ends them asks the others first.

What then becomes of a channel comes from its claim, on every node alike: it appears, changes hands and ends,
and each node tells its own sessions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import structs

from radiod.core.channels.channel import Channel, check_name
from radiod.core.channels.lifecycle import ON_CREATE, Lifecycle
from radiod.core.channels.settings import ChannelSettings, SavedChannel
from radiod.core.channels.writers import readers
from radiod.core.cluster.channel_claims import ChannelClaims
from radiod.core.cluster.channel_records import ChannelRecord
from radiod.core.cluster.claim import LOST
from radiod.core.cluster.logs import PUBLIC, Logs
from radiod.core.cluster.places import control_id, private_place
from radiod.core.cluster.shared_channels import Held, SharedChannels
from radiod.core.cluster.shared_histories import SharedHistories
from radiod.core.cluster.shared_writers import SharedWriters
from radiod.core.cluster.sharing import SharedBroker
from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.positions import Position
from radiod.core.holders import Account
from radiod.core.ids import Ids, digest
from radiod.core.promises import Promise, after, chain, when
from radiod.core.pubsub.broker import Broker
from radiod.core.sessions.session import Session
from radiod.core.timers import Timers
from radiod.errors import (
    CANCELED,
    CHANNEL_CLOSED,
    CHANNEL_EXISTS,
    CLOSE_SUPERSEDED,
    RadiodError,
    Refused,
)

__all__ = ["SharedLifecycle"]

STRAYS_S: Final = 2.0
"""Behind the end of a channel, for what others published before they heard of it."""

Answer = dict[str, Any]


class SharedLifecycle(Lifecycle):
    """As ``Lifecycle``, where other nodes have the same channels; ``begin`` comes before the first one."""

    _claims: ChannelClaims
    _registry: SharedChannels
    _slots: SharedWriters
    _logs: Logs
    _unshare: Callable[[str], None]
    _ids: Ids
    _timers: Timers

    def begin(
        self,
        *,
        registry: SharedChannels,
        claims: ChannelClaims,
        writers: SharedWriters,
        logs: Logs,
        unshare: Callable[[str], None],
        ids: Ids,
        timers: Timers,
    ) -> None:
        """Have what is needed for other nodes."""
        self._registry, self._claims, self._slots = registry, claims, writers
        self._logs, self._unshare = logs, unshare
        self._ids, self._timers = ids, timers
        registry.appeared = self._appeared
        claims.ended = self._over
        claims.supersede = writers.supersede = self._supersede

    # --- opening

    def create(
        self, session: Session, name: str, settings: ChannelSettings, key: str | None = None
    ) -> Promise[Answer]:
        """As ``Lifecycle.create``; answered when all nodes that are alive have the channel.

        Raises, or comes to: Refused: as that; ``unavailable``: most of the engine's servers have not
            agreed.
        """
        check_name(name)
        self._check(session, name, settings, key)
        if key is None and self._presence.covers(name):
            settings = structs.replace(settings, presence=True)
        is_public, key_hash = key is None, None if key is None else digest(key)
        there = self._registry.find(name, key_hash)
        if there is not None and there.control_hash is None:
            raise Refused(CHANNEL_EXISTS, f"channel {name} exists already")
        holder = session.principal.holder
        account = None if holder is None else holder.account
        self._registry.check_new(settings, is_public=is_public, owner=session.id, account=account)
        place = name if key_hash is None else private_place(name, key_hash)
        control_key = self._ids.secret()
        record = self._record(session, name, settings, control_key)
        self._registry.reserve(settings, is_public=is_public)
        made = self._claims.create(place, record)
        opened: Promise[int] = after(made, lambda _: self._opened(session, name, place, record, account))
        answer = {"name": name, "control_key": control_key, "expires": record.expires}
        if key is not None:
            answer["key"] = key
        return self._created(session, place, record, opened, answer)

    def _record(
        self, session: Session, name: str, settings: ChannelSettings, control_key: str
    ) -> ChannelRecord:
        lifetime = settings.lifetime
        expires = None if lifetime is None else round(self._clock.time() + lifetime, 3)
        id, is_open = control_id(name, digest(control_key)), settings.history is None
        return self._claims.take_over(ChannelRecord(id, settings, is_open, None, expires, 0, 0), session.id)

    def _opened(
        self, session: Session, name: str, place: str, record: ChannelRecord, account: Account | None
    ) -> Promise[int]:
        """The channel is there, and of this session; kept with its readers when all nodes know it."""
        held = self._registry.held.get(place)
        if held is None or held.record.id != record.id:
            raise Refused(CHANNEL_CLOSED, f"channel {name} is closed")
        if not session.is_open:
            raise Refused(CANCELED, "the caller left")
        channel = self._registry.named(held, name)
        if account is not None:
            channel.account = account
            account.channels += 1
        if channel.is_public:
            self._memberships.withdraw(session, name)
        else:
            self._memberships.enter(session, channel)
            self._announce(channel, ON_CREATE, {"name": name})
        known = self._claims.agree(place)
        return after(known, lambda _: self._take_slot(session, channel, is_forced=True))

    def _take_slot(self, session: Session, channel: Channel, *, is_forced: bool) -> int | Promise[int]:
        """Have a session write; later, where only one may. Returns: how many listen."""

        def admitted(_: None) -> int:
            _check_there(session, channel)
            self._writers.admit(session, channel.topic)
            return readers(channel.topic)

        return when(self._slots.take(channel, session, is_forced=is_forced), lambda: admitted(None))

    def _created(
        self,
        session: Session,
        place: str,
        record: ChannelRecord,
        opened: Promise[int],
        answer: Answer,
    ) -> Promise[Answer]:
        later: Promise[Answer] = Promise()
        is_public = not place.startswith("#")

        def settle(outcome: int | RadiodError) -> None:
            self._registry.settle(record.settings, is_public=is_public)
            if not isinstance(outcome, RadiodError):
                later.settle({**answer, "readers": outcome})
                return
            if outcome.uri == CHANNEL_EXISTS:
                outcome = Refused(CHANNEL_EXISTS, f"channel {answer['name']} exists already")
            else:
                self._claims.give_up(place, record.id)
            later.settle(outcome)

        opened.then(settle)
        return later

    def _can_be_durable(self) -> bool:
        return True

    def _appeared(self, held: Held, channel: Channel) -> None:
        """A channel is there from now on; its topic may have been in use."""
        logs = self._logs.space(PUBLIC if held.is_public else held.place)
        born = held.record.born
        if logs is not None and born is not None:
            logs.begin(channel.name, Position(*born))
        self._set_up(channel)
        if held.is_public:
            self._take_topic(channel)
            self._announce(channel, ON_CREATE, {"name": channel.name})

    def restore(self, saved: SavedChannel) -> None:
        """As ``Lifecycle.restore``: not where the others have them."""

    # --- controlling

    def extend(
        self, session: Session, name: str, lifetime: float | None, control_key: str
    ) -> Promise[Answer]:
        """As ``Lifecycle.extend``, from any node."""
        channel = self._lookup.controlled(session, name, control_key)
        takes_over = channel.settings.on_owner_leave not in ("delete", "keep")
        if takes_over:
            self._check_taking_over(session, channel)
        expires = None if lifetime is None else round(self._clock.time() + lifetime, 3)

        def change(record: ChannelRecord) -> ChannelRecord:
            extended = structs.replace(record, expires=expires)
            return self._claims.take_over(extended, session.id) if takes_over else extended

        changed = self._claims.change(self._registry.held_of(channel), change)
        return _later(changed, lambda: {"name": name, "expires": expires})

    def delete(self, session: Session, name: str, control_key: str) -> Promise[Answer]:
        """As ``Lifecycle.delete``, from any node."""
        return self._delete(self._lookup.controlled(session, name, control_key))

    def _delete(self, channel: Channel) -> Promise[Answer]:
        ended = self._claims.end(self._registry.held_of(channel))
        return _later(ended, lambda: {"name": channel.name})

    def remove(self, session: Session, name: str) -> Answer | Promise[Answer]:
        """As ``Lifecycle.remove``."""
        channel = self._registry.created(name)
        return super().remove(session, name) if channel is None else self._delete(channel)

    def _check_taking_over(self, session: Session, channel: Channel) -> None:
        self._registry.check_owner(channel, session.id)
        if not channel.is_public:
            self._memberships.enter(session, channel)

    # --- writing

    def open_write(
        self, session: Session, name: str, key: str | None, control_key: str | None
    ) -> Answer | Promise[Answer]:
        """As ``Lifecycle.open_write``, from any node; one slot is that of all nodes."""
        if control_key is not None:
            return self._open_as_owner(session, self._lookup.controlled(session, name, control_key))
        channel = self._lookup.channel(session, name, key)
        if channel is None or not channel.settings.single_writer:
            return super().open_write(session, name, key, None)
        self._writers.check_room(session)
        topic = channel.topic
        return chain(
            self._take_slot(session, channel, is_forced=False),
            lambda count: {"active": self._writers.admit(session, topic), "readers": count},
        )

    def _open_as_owner(self, session: Session, channel: Channel) -> Promise[Answer]:
        topic = channel.topic
        self._writers.check_room(session)
        self._check_taking_over(session, channel)

        def taken(_: None) -> int | Promise[int]:
            _check_there(session, channel)
            if channel.settings.single_writer:
                self._writers.close_all(topic)
            return self._take_slot(session, channel, is_forced=True)

        held = self._registry.held_of(channel)
        changed = self._claims.change(held, lambda record: self._claims.take_over(record, session.id))
        admitted: Promise[int] = after(changed, taken)
        return after(
            admitted, lambda count: {"active": self._writers.admit(session, topic), "readers": count}
        )

    # --- ending

    def leave(self, session: Session, *, is_realm_closing: bool) -> None:
        """As ``Lifecycle.leave``; if the realm closes the owner may come back to another node."""
        super().leave(session, is_realm_closing=True)
        self._claims.owner_left(session.id, is_away=is_realm_closing)

    def owner_left(self, session_id: int) -> None:
        """As ``Lifecycle.owner_left``."""
        self._claims.owner_left(session_id)

    def _over(self, held: Held, reason: str, is_ours: bool) -> None:
        """A channel has ended, on all nodes: end it here, and see that what is stored of it goes."""
        channel, place = held.channel, held.place
        keep = held.record.settings.history
        if keep is None and channel is not None:
            keep = _kept_by_pattern(channel)
        self._registry.drop(held, reason)
        if held.is_public:
            logs = self._logs.space(PUBLIC)
            assert logs is not None, "the space of public topics never ends"
            logs.begin(place, None)
        else:
            self._unshare(place)
        if reason == LOST:
            return
        if is_ours:
            self._clear(place, keep)
        # What others published meanwhile; whoever comes first finds some, if anybody does.
        then = self._clock.seconds() + STRAYS_S * (1 + self._claims.rank())
        self._timers.at(then, lambda: self._clear(place, keep))

    def _clear(self, place: str, keep: HistoryBounds | None) -> None:
        births = self._logs.births
        if keep is not None:
            log = PUBLIC if not place.startswith("#") else place
            births.clear_all(log, place, keep, lambda: self._claims.is_over(place))
        broker = self._space.broker
        assert isinstance(broker, SharedBroker)
        stream, subject = broker.records.where(place)
        births.clear_subject(stream, subject, lambda: self._claims.is_over(place))

    def _forget_past(self, channel: Channel) -> None:
        """Drop what is retained, and kept, of a channel that has ended; what is stored goes otherwise."""
        name, histories = channel.name, channel.space.histories
        Broker.forget(channel.space.broker, name)
        if not histories.is_promised(name):
            assert isinstance(histories, SharedHistories)
            histories.drop(name)

    def _supersede(self, session: Session, name: str) -> None:
        told = f"somebody else has channel {name}: this server was cut off"
        self.authority.kill(session, CLOSE_SUPERSEDED, {"message": told})


def _kept_by_pattern(channel: Channel) -> HistoryBounds | None:
    """What a pattern has kept of a channel's topic, if that goes with the channel."""
    histories = channel.space.histories
    history = histories.find(channel.name)
    is_there = history is not None and history.is_logged and not histories.is_promised(channel.name)
    return history.keep if history is not None and is_there else None


def _check_there(session: Session, channel: Channel) -> None:
    """Raises: Refused: ``canceled``: the session has left meanwhile; ``channel_closed``."""
    if not session.is_open:
        raise Refused(CANCELED, "the caller left")
    if channel.is_ended:
        raise Refused(CHANNEL_CLOSED, f"channel {channel.name} is closed")


def _later(changed: Promise[None], answer: Callable[[], Answer]) -> Promise[Answer]:
    """What is answered when something has been agreed on."""
    return after(changed, lambda _: answer())
