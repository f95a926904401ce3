"""The way into a realm without WAMP: who publishes, and who listens there, has to do with all nodes."""

from __future__ import annotations

from typing import Any, Final

from radiod.core.channels.registry import Channels
from radiod.core.cluster.places import Places, private_place
from radiod.core.cluster.readers import Readers
from radiod.core.cluster.router_topics import RouterTopics
from radiod.core.cluster.shared_descriptions import SharedDescriptions
from radiod.core.delivery.broadcast import Publication
from radiod.core.ids import digest
from radiod.core.promises import Promise, chain, gather, when
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.realm.gateway import PUBLISH_OPTIONS, Gateway
from radiod.core.rights import Actor, Permissions, Principal, Verdict
from radiod.core.timers import Clock, Timers
from radiod.errors import RadiodError, Refused
from radiod.wire.codecs import Payload
from radiod.wire.options import MatchPolicy, PublishOptions

__all__ = ["SharedGateway"]

LISTENS_WITHIN_S: Final = 10.0
"""Seconds for which others know of a listening of somebody who was let in, and does not listen yet."""


class SharedGateway(Gateway):
    """The way in without WAMP: who may listen is told so when other nodes know of it.

    ``interest``, ``places``, ``clock``, ``timers``, ``elsewhere``, ``channels``, ``described``: set before
    anybody comes.
    """

    channels: Channels
    described: SharedDescriptions
    elsewhere: Readers
    interest: RouterTopics
    places: Places
    clock: Clock
    timers: Timers

    def may_listen(
        self, principal: Principal, topic: str, key: str | None = None, match: MatchPolicy = "exact"
    ) -> Promise[TopicSpace] | TopicSpace:
        return chain(
            super().may_listen(principal, topic, key, match), lambda space: self._agreed(space, match, topic)
        )

    def _agreed(self, space: TopicSpace, match: MatchPolicy, topic: str) -> Promise[TopicSpace] | TopicSpace:
        wanted = space.broker, match, topic, self.places.of(space.broker, topic)
        known = self.interest.begin(*wanted)
        # By then it listens, or never does.
        self.timers.at(self.clock.seconds() + LISTENS_WITHIN_S, lambda: self.interest.end(*wanted))
        if known is None:
            return space
        agreed: Promise[TopicSpace] = Promise()
        known.then(lambda outcome: agreed.settle(outcome if isinstance(outcome, RadiodError) else space))
        return agreed

    def publish(
        self,
        publisher: Actor,
        topic: str,
        payload: Payload,
        options: PublishOptions = PUBLISH_OPTIONS,
        verdict: Verdict | None = None,
    ) -> Publication | Promise[Publication]:
        """As ``Gateway.publish``; ``readers`` are those of all nodes that are known.

        Of the first event of a topic for a while they are those of this node.
        """
        key = options.key
        published = super().publish(publisher, topic, payload, options, verdict)
        place = self._place(publisher, topic, key)
        elsewhere = self.elsewhere.elsewhere(place)
        self.elsewhere.look(place)
        if isinstance(published, Promise):
            return _with_more(published, elsewhere) if elsewhere else published
        published.readers += elsewhere
        return published

    def describe(
        self, name: str, permissions: Permissions | None
    ) -> dict[str, Any] | Promise[dict[str, Any]]:
        """As ``Gateway.describe``; what is told of it is of all nodes."""
        first = Gateway.describe(self, name, permissions)

        def again() -> dict[str, Any] | Promise[dict[str, Any]]:
            try:
                return Gateway.describe(self, name, permissions)
            except Refused:
                return first  # it has ended meanwhile

        topic = self._lookup.space_of(None).at(name)
        return when(gather([self.elsewhere.look(name), self.described.look([topic])]), again)

    def page(
        self, prefix: str, limit: int, after: str | None, permissions: Permissions | None
    ) -> dict[str, Any] | Promise[dict[str, Any]]:
        """As ``Gateway.page``; what is told of them is of all nodes."""
        some = self.channels.page(prefix, limit, after)

        def page() -> dict[str, Any] | Promise[dict[str, Any]]:
            return Gateway.page(self, prefix, limit, after, permissions)

        known = gather(
            [
                self.elsewhere.look_all([channel.name for channel in some]),
                self.described.look([channel.topic for channel in some]),
            ]
        )
        return when(known, page)

    def _place(self, publisher: Actor, topic: str, key: str | None) -> str:
        """The place of what somebody could publish on just now."""
        if key is not None:
            return private_place(topic, digest(key))
        if topic in publisher.principal.memberships:
            space = self._lookup.space_of(self._lookup.channel(publisher, topic))
            # Channels of the configuration stay.
            return self.places.of(space.broker, topic) or topic
        return topic


def _with_more(published: Promise[Publication], elsewhere: int) -> Promise[Publication]:
    # Who waits for room is treated otherwise than who waits for the disk.
    later: Promise[Publication] = type(published)()

    def known(outcome: Publication | RadiodError) -> None:
        if not isinstance(outcome, RadiodError):
            outcome.readers += elsewhere
        later.settle(outcome)

    published.then(known)
    return later
