"""The way into a realm without WAMP: who publishes is told how many listen, on all nodes."""

from __future__ import annotations

from radiod.core.cluster.readers import Readers
from radiod.core.delivery.broadcast import Publication
from radiod.core.promises import Promise
from radiod.core.realm.gateway import PUBLISH_OPTIONS, Gateway
from radiod.core.rights import Actor, Verdict
from radiod.errors import RadiodError
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions

__all__ = ["SharedGateway"]


class SharedGateway(Gateway):
    """As ``Gateway``; ``elsewhere``: set before the first publish."""

    elsewhere: Readers

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


def _with_more(published: Promise[Publication], elsewhere: int) -> Promise[Publication]:
    # Who waits for room is treated otherwise than who waits for the disk.
    later: Promise[Publication] = type(published)()

    def known(outcome: Publication | RadiodError) -> None:
        if not isinstance(outcome, RadiodError):
            outcome.readers += elsewhere
        later.settle(outcome)

    published.then(known)
    return later
