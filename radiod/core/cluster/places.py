"""What the nodes of a cluster call their topics: a place is the same on every node, a broker is not."""

from __future__ import annotations

from hashlib import blake2b

from radiod.core.pubsub.broker import Broker
from radiod.core.pubsub.topic_space import TopicRef
from radiod.core.uris import is_reserved

__all__ = ["Places", "control_id", "private_place"]


def private_place(name: str, key_hash: bytes) -> str:
    """What a private channel is called between nodes; ``#`` is in no topic."""
    digest = blake2b(key_hash, digest_size=15, person=b"radiod place")
    digest.update(name.encode("utf-8", "surrogatepass"))
    return "#" + digest.hexdigest()


def control_id(name: str, control_hash: bytes) -> str:
    """What stands for the control key of a channel between nodes, and for the channel itself."""
    digest = blake2b(control_hash, digest_size=15, person=b"radiod control")
    digest.update(name.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


class Places:
    """The places of one realm: public topics by their names, and private channels.

    Args:
        public: the broker of everything public.
    """

    def __init__(self, public: Broker) -> None:
        self._public = public
        self._private: dict[str, TopicRef] = {}
        self._names: dict[Broker, str] = {}

    def add(self, place: str, topic: TopicRef) -> None:
        """There is such a private channel."""
        self._private[place] = topic
        self._names[topic.broker] = place

    def remove(self, place: str) -> None:
        """It has ended."""
        topic = self._private.pop(place, None)
        if topic is not None:
            del self._names[topic.broker]

    def of(self, broker: Broker, topic: str) -> str | None:
        """What a topic is called; None: it is of this node alone."""
        if broker is self._public:
            return topic
        # What the router tells of a private channel goes another way.
        return None if is_reserved(topic) else self._names.get(broker)

    def at(self, place: str) -> TopicRef | None:
        """The topic of that place; None: no such private channel is known here."""
        if place.startswith("#"):
            return self._private.get(place)
        return TopicRef(self._public, place)
