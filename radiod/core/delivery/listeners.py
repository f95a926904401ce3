"""Who listens: each session's part in a subscription, and all parts of one together.

Most listeners are *ordinary*: they get every event as it comes, and buffers only while their connection is
blocked. Those that ask for anything else have a ``Pacer``, and are in ``ListenerGroup.paced``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.buffers import Buffer
from radiod.core.delivery.flow import Flow
from radiod.core.delivery.holdings import Account
from radiod.core.delivery.pacing import Pacer, Past
from radiod.core.delivery.readership import Offered
from radiod.core.delivery.settings import DEFAULTS, BufferSettings
from radiod.core.sessions.session import Session
from radiod.core.uris import is_reserved, named, selects
from radiod.wire.options import MatchPolicy

__all__ = ["Listener", "ListenerGroup"]


class Listener:
    """One session's part in one subscription, with the buffer that holds what it could not take yet.

    ``lost`` counts all events that were dropped for it; ``interval``: the least seconds between two events,
    as it wished, or as its account's plan allows, whichever is more. ``is_owed`` and ``share`` are the
    outbox's.
    """

    __slots__ = (
        "buffer",
        "interval",
        "is_owed",
        "lost",
        "outlet",
        "pacer",
        "readership",
        "session",
        "settings",
        "share",
        "subscription",
    )

    def __init__(
        self, session: Session, subscription: ListenerGroup, settings: BufferSettings = DEFAULTS
    ) -> None:
        self.session = session
        self.subscription = subscription
        # Copied here because fan-out reads it once for every listener and event.
        self.outlet = session.outlet
        self.settings = settings
        self.interval = _interval(session, settings)
        self.buffer: Buffer | None = None
        self.pacer: Pacer | None = None
        self.readership = subscription.flow.readerships.of(subscription.offered, session.principal.holder)
        self.readership.enter()
        self.lost = 0
        self.is_owed = False
        self.share = 0.0

    @property
    def held_bytes(self) -> int:
        """Payload bytes of what its buffer could give."""
        return self.buffer.bytes if self.buffer is not None else 0

    @property
    def queued(self) -> int:
        """Events that wait."""
        return len(self.buffer) if self.buffer is not None else 0

    def made_buffer(self) -> Buffer:
        """Its buffer, made when first needed."""
        if self.buffer is None:
            account = self.account()
            account.holders[self] = None
            self.buffer = Buffer(self.settings, self.subscription.flow.tally, account)
        return self.buffer

    def account(self) -> Account:
        """What is held for its session."""
        return self.subscription.flow.holdings.account(self.session)

    def hold(self, broadcast: Broadcast) -> int:
        """Keep an event until the session reads again. Returns: how many of its own were dropped for it."""
        buffer = self.made_buffer()
        account, before = self.account(), self.lost
        size = len(broadcast.payload)
        # What is too long for the buffer needs no room: it is lost itself.
        exceeded = account.exceeded(size) if size <= self.settings.max_bytes else None
        if exceeded is not None:
            self.subscription.flow.bounds.met(exceeded, self.session)
            exceeded = account.make_room(size)
        self.lose(buffer.offer(broadcast) if exceeded is None else buffer.refuse())
        return self.lost - before

    def shed(self) -> int:
        """Lose what its policy drops; there must be something. Returns: bytes that it still holds."""
        buffer = self.made_buffer()
        self.lose(buffer.shed())
        return buffer.bytes

    def lose(self, count: int) -> None:
        """So many of its events were lost."""
        self.lost += count
        self.readership.lose(count)

    def take(self) -> tuple[Broadcast, int] | None:
        """The next event that is due, and how many were lost before it.

        None: there is none now. When there is one again, the outbox is told: ``EventOutbox.release``.
        """
        if self.pacer is not None:
            return self.pacer.take()
        buffer = self.buffer
        if buffer:
            return buffer.take()
        if buffer is not None and buffer.has_untold:
            # From here on events would pass the buffer by, and nobody would hear of the loss.
            self.pace()
        return None

    def take_over(self, broadcast: Broadcast) -> None:
        """What ``take`` has told was given to its connection."""
        self.readership.give(broadcast.payload.size)

    def give(self, broadcast: Broadcast) -> None:
        """An event is on its way to it alone: the outbox is about to be told."""
        self.readership.give(broadcast.payload.size)

    def leave_out(self, broadcast: Broadcast) -> None:
        """An event that the outbox was told of is not given to it, or not now."""
        self.readership.leave_out(broadcast.payload.size)

    def miss(self, lost: int) -> None:
        """The last event cannot be said to it: the next one tells so, and what this one was to tell.

        ``lost``: how many were lost before it.
        """
        self.lose(1)
        self.subscription.flow.tally.undeliverable += 1
        self.made_buffer().put_back(lost + 1)
        # An ordinary listener's events pass its buffer by.
        self.pace().tell_again()

    def miss_unseen(self, count: int) -> None:
        """So many events were lost on their way to this server: the next one tells so."""
        self.lose(count)
        # An ordinary listener's events pass its buffer by.
        self.pace().lose(count)

    def take_untold(self) -> int:
        """How many were lost that no event waits to tell of: the caller tells it in another way, now."""
        buffer = self.buffer
        if buffer is None or not buffer.has_untold or (self.pacer is not None and self.pacer.has_more):
            return 0
        lost = buffer.take_lost()
        if self.pacer is not None:
            self.pacer.relax()
        return lost

    def pace(self) -> Pacer:
        """Its pacer, made if it has none."""
        if self.pacer is None:
            self.pacer = Pacer(self, self.subscription.flow)
            self.subscription.paced[self.session] = self
            self.subscription.flow.paced += 1
            self.readership.set_apart()
        return self.pacer

    def be_ordinary(self) -> None:
        """Let its pacer go: from now on it gets events as they come."""
        self.pacer = None
        del self.subscription.paced[self.session]
        self.subscription.flow.paced -= 1
        self.readership.bring_back()

    def tune(self, settings: BufferSettings) -> None:
        """Go on with other settings; what waits keeps its order, and what has no room any more is lost."""
        before, self.settings = self.settings, settings
        self.interval = _interval(self.session, settings)
        if self.buffer is not None:
            self.lose(self.buffer.tune(settings))
        if self.pacer is not None:
            self.pacer.tuned(before)
        elif self.is_paced:
            self.pace().tuned(before)

    @property
    def is_paced(self) -> bool:
        """Whether it cannot simply be given every event at once, whatever its connection takes."""
        return self.interval > 0 or self.settings.is_paced

    def replay(self, replay: Past) -> None:
        """Read what comes next from ``replay`` until it is done; live events are not offered meanwhile."""
        self.pace().begin(replay)

    def tell_next(self, details: dict[str, Any]) -> None:
        """Have the next event that the listener gets carry these ``details`` besides its own."""
        self.pace().tell_next(details)

    def stop(self) -> None:
        """The session does not listen any more: nothing is owed to it, and nobody waits for it."""
        if self.buffer is not None:
            self.buffer.discard()
            self.buffer = None
            del self.account().holders[self]
        if self.pacer is not None:
            self.pacer.stop()
            self.be_ordinary()
        self.readership.leave()


def _interval(session: Session, settings: BufferSettings) -> float:
    """As it wishes, or as its account's plan has it now, whichever is more."""
    holder = session.principal.holder
    if holder is None or holder.account.allowances is None:
        return settings.min_interval
    return max(settings.min_interval, holder.account.allowances.interval)


class ListenerGroup:
    """Those who listen to one topic, or pattern of topics: what a listener knows of its subscription.

    ``listeners``: session -> listener, in order of subscribing; ``paced``: those of them that have a pacer;
    ``created``: seconds since 1970; ``offered``: what all ordinary listeners were given.
    """

    __slots__ = ("created", "flow", "id", "listeners", "match", "offered", "paced", "topic")

    def __init__(self, id: int, match: MatchPolicy, topic: str, created: float, flow: Flow) -> None:
        self.id = id
        self.match: MatchPolicy = match
        self.topic = topic
        self.created = created
        self.flow = flow
        self.listeners: dict[Session, Listener] = {}
        self.paced: dict[Session, Listener] = {}
        self.offered = Offered(flow.readerships, named(match, topic), flow.tally, flow.totals)

    def leave_out(self, receivers: Collection[Listener], publisher: Any, size: int) -> None:
        """An event of ``size`` bytes is offered to these alone, perhaps all, of its ordinary listeners.

        ``publisher``: who is none of them, since it does not hear itself; None: it may be.
        """
        left_out = len(self.listeners) - len(self.paced) - len(receivers)
        if not left_out:
            return
        own = self.listeners.get(publisher)
        if left_out == 1 and own is not None and own.pacer is None:
            own.readership.leave_out(size)
        elif left_out > len(receivers):
            # Mostly for few: those are counted one by one.
            self.offered.take_back(size)
            for listener in receivers:
                listener.readership.give(size)
        else:
            given = set(receivers)
            for listener in self.listeners.values():
                if listener.pacer is None and listener not in given:
                    listener.readership.leave_out(size)

    def takes(self, topic: str) -> bool:
        """True when events on ``topic`` go to this subscription: ``Broker.matching`` asked of one."""
        is_open = is_reserved(self.topic) or not is_reserved(topic)
        return is_open and selects(self.match, self.topic, topic)
