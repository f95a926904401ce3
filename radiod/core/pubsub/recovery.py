"""Going on behind a position: for listeners that come back, and for whoever asks for the past."""

from __future__ import annotations

from radiod.core.delivery.listeners import Listener
from radiod.core.history.histories import Histories
from radiod.core.history.positions import Position, position
from radiod.core.pubsub.broker import Broker
from radiod.core.pubsub.replay import Page, Replay, read
from radiod.core.rights import Actor, Principal
from radiod.core.sessions.session import Session
from radiod.core.uris import is_reserved
from radiod.errors import INVALID_ARGUMENT, Refused
from radiod.wire.options import SubscribeOptions

__all__ = ["Recoveries", "Recovery"]


class Recoveries:
    """How often somebody went on behind a position: ``whole``; ``broken``: it was not held any more."""

    __slots__ = ("broken", "whole")

    def __init__(self) -> None:
        self.whole = 0
        self.broken = 0

    def count(self, is_recovered: bool) -> None:
        """Once more."""
        if is_recovered:
            self.whole += 1
        else:
            self.broken += 1


class Recovery:
    """What listeners in one topic space may have of what they missed. Rights are checked before.

    ``counts``: those of the realm.
    """

    def __init__(self, broker: Broker, histories: Histories, counts: Recoveries | None = None) -> None:
        self._broker = broker
        self._histories = histories
        self.counts = Recoveries() if counts is None else counts

    def behind(self, session: Session, topic: str, options: SubscribeOptions) -> Position | None:
        """The position that SUBSCRIBE asks to go on behind; None: it does not.

        Raises: Refused: ``invalid_argument``: it is none, or there is no going on here.
        """
        if not isinstance(options.wants_position, bool):
            raise Refused(INVALID_ARGUMENT, "_radiod_position must be true or false")
        if options.after is None and not options.wants_position:
            return None
        if options.match != "exact" or is_reserved(topic):
            raise Refused(INVALID_ARGUMENT, "only single topics, and not the router's, have positions")
        if options.after is None:
            return None
        behind = position("_radiod_after", options.after)
        subscription = self._broker.lookup("exact", topic)
        if subscription is not None and session in subscription.listeners:
            # It has had live events: what it would get now would be repeats.
            raise Refused(INVALID_ARGUMENT, f"_radiod_after: the session listens to {topic} already")
        return behind

    def go_on(self, listener: Listener, topic: str, behind: Position) -> None:
        """Have a new listener get first what came after a position, and be told if something is missing."""
        history = self._histories.track(topic)
        self._histories.expire(history)
        index, is_recovered = history.after(behind)
        first = self._histories.first_for(history, listener.session.principal)
        if index < first:
            index, is_recovered = first, False
        self.counts.count(is_recovered)
        if not is_recovered:
            listener.tell_next({"_recovered": False})
        if index < history.end:
            listener.replay(Replay(self._histories, history, index, listener))

    def page(self, actor: Actor, topic: str, after: Position | None, limit: int) -> Page | None:
        """A part of a topic's past, for somebody who may subscribe to it.

        None: the topic's events are not even counted.
        """
        history = self._histories.find(topic)
        if history is None:
            return None
        self._histories.expire(history)
        return read(history, actor, after, limit, self._histories.first_for(history, actor.principal))

    def before_last(self, principal: Principal, topic: str, count: int) -> Position | None:
        """The position behind which a topic's last ``count`` events come, or as many as one may read.

        None: it has no positions.
        """
        history = self._histories.find(topic)
        if history is None:
            return None
        self._histories.expire(history)
        first = self._histories.first_for(history, principal)
        return history.before_last(min(count, history.end - first))
