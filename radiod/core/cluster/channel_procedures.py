"""``radiod.channel.*`` where other nodes have listeners, too: who asks how many waits until that is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radiod.core.arguments import optional, text
from radiod.core.channels.registry import Channels
from radiod.core.cluster.places import Places
from radiod.core.cluster.readers import Readers
from radiod.core.cluster.shared_descriptions import SharedDescriptions
from radiod.core.cluster.shared_writers import SharedWriters
from radiod.core.procedures.radiod_channel import Answer, ChannelProcedures, page_size
from radiod.core.promises import Promise, chain, gather, when
from radiod.core.sessions.session import Session
from radiod.errors import Refused

__all__ = ["ClusterChannelProcedures"]


class ClusterChannelProcedures(ChannelProcedures):
    """As ``ChannelProcedures``.

    ``elsewhere``, ``places``, ``channels``, ``shared_writers``, ``described``: set before the first call.
    """

    elsewhere: Readers
    places: Places
    channels: Channels
    shared_writers: SharedWriters
    described: SharedDescriptions

    def list(self, session: Session, *, prefix: Any, limit: Any, after: Any) -> Answer | Promise[Answer]:
        """As ``ChannelProcedures.list``; what is told of them is of all nodes."""

        def page(outcome: None) -> Answer | Promise[Answer]:
            return ChannelProcedures.list(self, session, prefix=prefix, limit=limit, after=after)

        start = optional(text, "after", after)
        some = self.channels.page(text("prefix", prefix), page_size(limit), start)
        known = gather(
            [
                self.elsewhere.look_all([channel.name for channel in some]),
                self.described.look([channel.topic for channel in some]),
            ]
        )
        return page(None) if known is None else chain(known, page)

    def get(self, session: Session, *, name: Any) -> Answer | Promise[Answer]:
        """As ``ChannelProcedures.get``; what is told of it is of all nodes."""
        first = self._descriptions.get(session, text("name", name))
        topic = self._lookup.space_known_to(session, name).at(name)
        known = gather([self._look(session, name), self.described.look([topic])])
        return self._counted(known, lambda: self._descriptions.get(session, name), first)

    def open_write(
        self, session: Session, *, name: Any, key: Any, control_key: Any
    ) -> Answer | Promise[Answer]:
        """As ``ChannelProcedures.open_write``; who listens on another node counts."""

        def told(answer: Answer) -> Answer | Promise[Answer]:
            return self._counted(
                self._look(session, name), lambda: self._as_it_is(session, name, answer), answer
            )

        return chain(
            ChannelProcedures.open_write(self, session, name=name, key=key, control_key=control_key), told
        )

    def close_write(self, session: Session, *, name: Any) -> Answer | Promise[Answer]:
        """As ``ChannelProcedures.close_write``; answered when others may have the slot."""
        held = self.shared_writers.holds(session, text("name", name))
        answer = ChannelProcedures.close_write(self, session, name=name)
        return when(None if held is None else self.shared_writers.slots.settled(held), lambda: answer)

    def _as_it_is(self, session: Session, name: str, answer: Answer) -> Answer:
        """What ``open_write`` has answered, with what is known since."""
        topic = self._lookup.space_known_to(session, name).at(name)
        readers = topic.broker.readers(name)
        return {"active": answer["active"] or readers > 0, "readers": readers}

    def _counted(
        self, known: Promise[None] | None, again: Callable[[], Answer], first: Answer
    ) -> Answer | Promise[Answer]:
        """What is answered ``again`` when the counts have come; ``first``, if that is refused by then."""
        if known is None:
            return first

        def answer(outcome: None) -> Answer:
            try:
                return again()
            except Refused:
                return first

        return chain(known, answer)

    def _look(self, session: Session, name: str) -> Promise[None] | None:
        topic = self._lookup.space_known_to(session, name).at(name)
        place = self.places.of(topic.broker, name)
        return None if place is None else self.elsewhere.look(place)
