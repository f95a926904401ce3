"""The way into a realm without WAMP: who publishes, and who listens there, has to do with all nodes."""

from __future__ import annotations

from typing import Any, Final

from radiod.core.channels.registry import Channels
from radiod.core.cluster.readers import Readers
from radiod.core.cluster.router_topics import RouterTopics
from radiod.core.delivery.broadcast import Publication
from radiod.core.promises import Promise, chain, when
from radiod.core.pubsub.broker import Broker
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

    ``interest``, ``public``, ``clock``, ``timers``, ``elsewhere``, ``channels``: set before anybody
    comes.
    """

    channels: Channels
    elsewhere: Readers
    interest: RouterTopics
    public: Broker
    clock: Clock
    timers: Timers

    def may_listen(
        self, principal: Principal, topic: str, key: str | None = None, match: MatchPolicy = "exact"
    ) -> Promise[TopicSpace] | TopicSpace:
        return chain(
            super().may_listen(principal, topic, key, match), lambda space: self._agreed(space, match, topic)
        )

    def _agreed(self, space: TopicSpace, match: MatchPolicy, topic: str) -> Promise[TopicSpace] | TopicSpace:
        if space.broker is not self.public:
            return space
        known = self.interest.begin(match, topic)
        # By then it listens, or never does.
        self.timers.at(self.clock.seconds() + LISTENS_WITHIN_S, lambda: self.interest.end(match, topic))
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
        is_for_all = options.key is None and topic not in publisher.principal.memberships
        published = super().publish(publisher, topic, payload, options, verdict)
        if not is_for_all:
            return published
        elsewhere = self.elsewhere.elsewhere(topic)
        self.elsewhere.look(topic)
        if isinstance(published, Promise):
            return _with_more(published, elsewhere) if elsewhere else published
        published.readers += elsewhere
        return published

    def describe(
        self, name: str, permissions: Permissions | None
    ) -> dict[str, Any] | Promise[dict[str, Any]]:
        """As ``Gateway.describe``; its readers are those of all nodes."""
        first = Gateway.describe(self, name, permissions)

        def again() -> dict[str, Any] | Promise[dict[str, Any]]:
            try:
                return Gateway.describe(self, name, permissions)
            except Refused:
                return first  # it has ended meanwhile

        return when(self.elsewhere.look(name), again)

    def page(
        self, prefix: str, limit: int, after: str | None, permissions: Permissions | None
    ) -> dict[str, Any] | Promise[dict[str, Any]]:
        """As ``Gateway.page``; their readers are those of all nodes."""
        some = self.channels.page(prefix, limit, after)

        def page() -> dict[str, Any] | Promise[dict[str, Any]]:
            return Gateway.page(self, prefix, limit, after, permissions)

        return when(self.elsewhere.look_all([channel.name for channel in some]), page)


def _with_more(published: Promise[Publication], elsewhere: int) -> Promise[Publication]:
    # Who waits for room is treated otherwise than who waits for the disk.
    later: Promise[Publication] = type(published)()

    def known(outcome: Publication | RadiodError) -> None:
        if not isinstance(outcome, RadiodError):
            outcome.readers += elsewhere
        later.settle(outcome)

    published.then(known)
    return later
