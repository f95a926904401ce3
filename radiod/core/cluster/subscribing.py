"""SUBSCRIBE, where other nodes are to know of it before it is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from radiod.core.channels.lookup import Lookup
from radiod.core.cluster.arrivals import Arrival, Arrivals
from radiod.core.cluster.messages import ClusterMessages
from radiod.core.cluster.places import Places
from radiod.core.cluster.retaining import RetainedRecords
from radiod.core.cluster.router_topics import RouterTopics
from radiod.core.history.positions import position
from radiod.core.promises import Promise, chain, when
from radiod.core.rights import Verdict
from radiod.core.sessions.session import Session
from radiod.errors import RadiodError
from radiod.wire.codecs import Codec
from radiod.wire.messages import Subscribe

__all__ = ["SharedMessages"]


def both(one: Promise[None] | None, other: Promise[None] | None) -> Promise[None] | None:
    """What is kept when both are; None: there is nothing to wait for."""
    if one is None or other is None:
        return other if one is None else one

    def go_on(_: None) -> Promise[None]:
        return other

    return cast("Promise[None]", chain(one, go_on))


class SharedMessages(ClusterMessages):
    """Does what messages ask for, in a realm that other nodes serve, too.

    ``arrivals``, ``interest``, ``records``, ``lookup``, ``places``: set before the first message.
    """

    arrivals: Arrivals
    interest: RouterTopics
    records: RetainedRecords
    lookup: Lookup
    places: Places

    def subscribe(
        self, session: Session, message: Subscribe, codec: Codec, verdict: Verdict
    ) -> Promise[Callable[[], None]] | None:
        options, topic = message.options, message.topic
        space = self.lookup.space_for(session, topic, options)
        broker = space.broker
        held = broker.lookup(options.match, topic)
        place = self.places.of(broker, topic)
        if held is not None and session in held.listeners:
            return super().subscribe(session, message, codec, verdict)
        # Of who is refused now nobody is told.
        space.check(session, topic, options)
        after = None if options.after is None else position("_radiod_after", options.after)
        # All at once: the past is read while others are asked, and told.
        past = None if place is None else space.histories.ready(topic, options.match, after)
        arrival = Arrival(session, broker, options.match, topic)
        wanted = broker, options.match, topic, place
        known = both(both(self.interest.begin(*wanted), self.arrivals.begin(arrival)), past)
        if options.get_retained and place is not None:
            # What is published from now on comes live; all before is stored, or was just told.
            known = cast("Promise[None]", when(known, lambda: self.records.fetch(options.match, place)))

        def come(act: Callable[[], object]) -> None:
            try:
                self.arrivals.come(arrival, act)
            finally:
                self.interest.end(*wanted)

        if known is None:
            come(lambda: self._subscribe(session, message))
            return None
        agreed: Promise[Callable[[], None]] = Promise()

        def settle(outcome: Any) -> None:
            agreed.settle(
                outcome if isinstance(outcome, RadiodError) else lambda: self._subscribe(session, message)
            )

        # Who has left meanwhile does not listen, and holds nothing any more.
        known.then(lambda outcome: come(lambda: settle(outcome)))
        return agreed
