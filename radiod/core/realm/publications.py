"""The way of every publication into one realm, whoever it comes from; and where it is counted."""

from __future__ import annotations

from typing import Any

from radiod.core.access.ledger import Ledger
from radiod.core.allowances import Allowance
from radiod.core.channels.lookup import Lookup
from radiod.core.channels.memberships import Memberships
from radiod.core.channels.registry import Channels
from radiod.core.channels.writers import Writers
from radiod.core.delivery.broadcast import Publication
from radiod.core.delivery.receipts import AwaitedRoom
from radiod.core.delivery.totals import Totals
from radiod.core.disclosure import PUBLISHER, disclosed
from radiod.core.promises import Promise
from radiod.core.pubsub.streams import Streams
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.realm.charging import within
from radiod.core.realm.meter import Meter
from radiod.core.rights import Actor, Verdict
from radiod.core.sessions.session import Session
from radiod.core.tracing import EventTrace, Tracer
from radiod.core.uris import check_free
from radiod.errors import RadiodError, Refused
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions

__all__ = ["Publications", "Usage"]


class Usage:
    """Counts in the ledger, and for everybody to read: of that nothing on private channels.

    ``published_events``: those that everybody may know of. The rest is for whoever watches the server:
    ``published_in_private``, and ``published_by_sessions``, on public topics or in private.
    """

    __slots__ = (
        "_ledger",
        "_lines",
        "_totals",
        "published_by_sessions",
        "published_events",
        "published_in_private",
    )

    def __init__(self, ledger: Ledger, totals: Totals | None = None) -> None:
        self._ledger = ledger
        self._lines = ledger.lines
        self._totals = Totals() if totals is None else totals
        self.published_events = 0
        self.published_in_private = 0
        self.published_by_sessions = 0

    def published(self, actor: Actor, channel: str, size: int, *, is_public: bool) -> None:
        """As ``Meter.published``."""
        if is_public:
            self.published_events += 1
            total = self._totals.by_topic.get(channel)
            if total is None:
                total = self._totals.of(channel)
            total.published += 1
        else:
            self.published_in_private += 1
        if type(actor) is Session:
            self.published_by_sessions += 1
        holder = actor.principal.holder
        line = self._lines.get((holder, channel))
        if line is None:
            line = self._ledger.line(holder, channel)
        line.published += 1
        line.bytes_in += size

    def refused(self, actor: Actor, uri: str) -> None:
        """As ``Meter.refused``."""
        holder = actor.principal.holder
        self._ledger.line(holder, uri).refused += 1
        if holder is not None:
            self._ledger.charged[holder.account] = None

    def called(self, actor: Actor, procedure: str) -> None:
        """As ``Meter.called``."""
        self._ledger.line(actor.principal.holder, procedure).calls += 1

    def retold(self, actor: Actor, channel: str, events: int, size: int) -> None:
        """As ``Meter.retold``."""
        holder = actor.principal.holder
        line = self._ledger.line(holder, channel)
        line.delivered += events
        line.bytes_out += size
        self._ledger.charge(holder, events, size)


class Publications:
    """Publishes what is allowed. ``meter`` counts it: here, and nowhere else.

    ``tracer``: follows what carries a trace; None: nobody does.

    Args:
        space: of everything public.
    """

    def __init__(
        self,
        channels: Channels,
        memberships: Memberships,
        lookup: Lookup,
        writers: Writers,
        streams: Streams,
        space: TopicSpace,
        meter: Meter,
    ) -> None:
        self._channels = channels
        self._joined = memberships.by_session
        self._lookup = lookup
        self._writers = writers
        self._streams = streams
        self._space = space
        self.meter = meter
        self.tracer: Tracer | None = None

    def publish(
        self,
        publisher: Actor,
        topic: str,
        payload: Payload,
        options: PublishOptions,
        verdict: Verdict,
        trace: EventTrace | None = None,
    ) -> Publication | Promise[Publication]:
        """Publish for somebody whose right to it is known.

        What is refused for anything but its account's plan uses nothing up, also if that comes later.
        ``trace``: of who follows it.
        Raises: OverLimit: the plan of its account has no more; Refused: as ``Lookup.channel``,
            ``Writers.check`` and ``Publishing.publish``; ``invalid_uri``: it belongs to the router;
            ``invalid_argument``: no mark of a stream.
        """
        if options.traceparent is not None:
            return self._traced(publisher, topic, payload, options, verdict)
        holder = publisher.principal.holder
        if holder is None or holder.account.allowances is None:
            return self._publish(publisher, topic, payload, options, verdict, trace)
        allowance = holder.account.allowances.publish
        published = within(
            allowance,
            self.meter,
            publisher,
            topic,
            lambda: self._publish(publisher, topic, payload, options, verdict, trace),
        )
        return _paid_for(published, allowance) if isinstance(published, Promise) else published

    def _traced(
        self, publisher: Actor, topic: str, payload: Payload, options: PublishOptions, verdict: Verdict
    ) -> Publication | Promise[Publication]:
        """The same for a publisher that says which trace it is part of."""
        parent, state = options.traceparent, options.tracestate
        # What is kept of the event must not hold them.
        options.traceparent = options.tracestate = None
        tracer, trace = self.tracer, None
        if tracer is not None:
            trace = tracer.event(len(payload), parent, state, is_wamp=type(publisher) is Session)
        if trace is None:
            return self.publish(publisher, topic, payload, options, verdict)
        try:
            published = self.publish(publisher, topic, payload, options, verdict, trace)
        except Refused as refusal:
            trace.refused(refusal.uri)
            raise
        if isinstance(published, Promise):
            return _told_later(published, trace)
        trace.accepted(published.id, published.readers)
        return published

    def _publish(
        self,
        publisher: Actor,
        topic: str,
        payload: Payload,
        options: PublishOptions,
        verdict: Verdict,
        trace: EventTrace | None,
    ) -> Publication | Promise[Publication]:
        check_free(topic)
        key = options.key
        if key is None and type(publisher) is Session and publisher not in self._joined:
            # Nearly always: to them a name means what it means to everybody.
            channel = self._channels.admit(topic)
        else:
            channel = self._lookup.channel(publisher, topic, key)
        if key is not None:
            # It has done what it is for; what is kept of the event must not hold it.
            options.key = None
        if channel is None:
            space, traffic = self._space, None
        else:
            self._writers.check(channel, publisher)
            space, traffic = channel.space, channel.traffic
        details = disclosed(PUBLISHER, publisher, options.disclose_me, verdict)
        if options.is_passed_through:
            details = {**details, **options.passthru()}
        if trace is not None:
            details = {**details, **trace.details(topic if space is self._space else None)}
        if options.stream is None:
            published = space.publishing.publish(
                topic, traffic, publisher, payload, options, details, False, trace
            )
        else:
            sample = self._streams.sample(publisher, topic, options.stream)
            details = {**details, "_stream": sample.place}
            published = space.publishing.publish(
                topic, traffic, publisher, payload, options, details, sample.is_end, trace
            )
            sample.take()
        is_public = space is self._space
        if type(published) is not Publication:
            return self._counted_later(published, publisher, topic, len(payload), is_public)
        self.meter.published(publisher, topic, len(payload), is_public=is_public)
        return published

    def _counted_later(
        self, published: Any, publisher: Actor, topic: str, size: int, is_public: bool
    ) -> Promise[Publication]:
        """An event that is accepted, and counted, when it is on disk or has room; or it never is."""
        # Who waits for room is treated otherwise than who waits for the disk.
        later: Promise[Publication] = type(published)()

        def settle(outcome: Publication | RadiodError) -> None:
            if not isinstance(outcome, RadiodError):
                self.meter.published(publisher, topic, size, is_public=is_public)
            later.settle(outcome)

        published.then(settle)
        return later


def _paid_for(published: Promise[Publication], allowance: Allowance) -> Promise[Publication]:
    """The same; what it took is given back if it is refused after all."""
    later: Promise[Publication] = AwaitedRoom() if isinstance(published, AwaitedRoom) else Promise()
    give_back = allowance.returner()

    def known(outcome: Publication | RadiodError) -> None:
        if isinstance(outcome, RadiodError):
            give_back()
        later.settle(outcome)

    published.then(known)
    return later


def _told_later(published: Promise[Publication], trace: EventTrace) -> Promise[Publication]:
    """The same; whoever follows it is told what it comes to."""
    later: Promise[Publication] = AwaitedRoom() if isinstance(published, AwaitedRoom) else Promise()

    def known(outcome: Publication | RadiodError) -> None:
        if isinstance(outcome, RadiodError):
            trace.refused(outcome.uri)
        else:
            trace.accepted(outcome.id, outcome.readers)
        later.settle(outcome)

    published.then(known)
    return later
