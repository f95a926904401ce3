"""The way of every publication into one realm, whoever it comes from; and where it is counted."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from radiod.core.access.ledger import Ledger
from radiod.core.allowances import Allowance
from radiod.core.channels.channel import Channel
from radiod.core.channels.lookup import Lookup
from radiod.core.channels.memberships import Memberships
from radiod.core.channels.registry import Channels
from radiod.core.channels.writers import Writers
from radiod.core.delivery.broadcast import Publication
from radiod.core.delivery.receipts import AwaitedRoom
from radiod.core.delivery.totals import Totals
from radiod.core.disclosure import PUBLISHER, disclosed
from radiod.core.holders import Holder
from radiod.core.promises import Promise
from radiod.core.pubsub.streams import Streams
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.realm.charging import within
from radiod.core.realm.meter import Meter
from radiod.core.rights import Actor, Verdict
from radiod.core.sessions.session import Session
from radiod.core.statistics import Traffic
from radiod.core.tracing import EventTrace, Tracer
from radiod.core.uris import check_free
from radiod.errors import RadiodError, Refused
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions

__all__ = ["MAX_KEPT", "Publications", "Usage"]


MAX_KEPT: Final = 1000
"""Of whom, and on which channel, something is kept until the next ``settle``: more are entered at once."""


class _Kept:
    """What was published since the last ``settle``."""

    __slots__ = ("bytes", "events")

    def __init__(self) -> None:
        self.events = 0
        self.bytes = 0


_Publisher = tuple[Holder | None, str, bool]
"""Holder, channel, whether it was a session."""


class Usage:
    """Counts in the ledger, and for everybody to read: of that nothing on private channels.

    What is published and called is kept until the ledger settles, once a second and before anybody looks.
    ``published_events``: those that everybody may know of. The rest is for whoever watches the server:
    ``published_in_private``, and ``published_by_sessions``, on public topics or in private.
    """

    __slots__ = (
        "_calls",
        "_ledger",
        "_private",
        "_public",
        "_totals",
        "published_by_sessions",
        "published_events",
        "published_in_private",
    )

    def __init__(self, ledger: Ledger, totals: Totals | None = None) -> None:
        self._ledger = ledger
        self._totals = Totals() if totals is None else totals
        self._public: dict[_Publisher, _Kept] = {}
        self._private: dict[_Publisher, _Kept] = {}
        # Holder, procedure -> how often.
        self._calls: dict[tuple[Holder | None, str], int] = {}
        self.published_events = 0
        self.published_in_private = 0
        self.published_by_sessions = 0
        ledger.settlers.append(self.settle)

    def published(self, actor: Actor, channel: str, size: int, *, is_public: bool) -> None:
        """As ``Meter.published``."""
        all = self._public if is_public else self._private
        publisher = actor.principal.holder, channel, type(actor) is Session
        kept = all.get(publisher)
        if kept is None:
            if len(all) >= MAX_KEPT:
                self.settle()
            kept = all[publisher] = _Kept()
        kept.events += 1
        kept.bytes += size

    def settle(self) -> None:
        """Enter what was kept."""
        for (holder, channel, is_session), kept in self._public.items():
            self._totals.of(channel).published += kept.events
            self.published_events += kept.events
            self._enter(holder, channel, kept, is_session)
        for (holder, channel, is_session), kept in self._private.items():
            self.published_in_private += kept.events
            self._enter(holder, channel, kept, is_session)
        for (holder, procedure), count in self._calls.items():
            self._ledger.line(holder, procedure).calls += count
        self._public.clear()
        self._private.clear()
        self._calls.clear()

    def _enter(self, holder: Holder | None, channel: str, kept: _Kept, is_session: bool) -> None:
        if is_session:
            self.published_by_sessions += kept.events
        line = self._ledger.line(holder, channel)
        line.published += kept.events
        line.bytes_in += kept.bytes

    def refused(self, actor: Actor, uri: str) -> None:
        """As ``Meter.refused``."""
        holder = actor.principal.holder
        self._ledger.line(holder, uri).refused += 1
        if holder is not None:
            self._ledger.charged[holder.account] = None

    def called(self, actor: Actor, procedure: str) -> None:
        """As ``Meter.called``."""
        caller = actor.principal.holder, procedure
        try:
            self._calls[caller] += 1
        except KeyError:
            if len(self._calls) >= MAX_KEPT:
                self.settle()
            self._calls[caller] = 1

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
        is_paid: bool = False,
    ) -> Publication | Promise[Publication]:
        """Publish for somebody whose right to it is known. ``is_paid``: its account's plan has been asked.

        What is refused for anything else uses nothing up, also later. ``trace``: of who follows it.
        Raises: OverLimit: that has no more; Refused: as ``Lookup.channel``, ``Writers.check``,
            ``Publishing.publish``; ``invalid_uri``: the router's; ``invalid_argument``: no mark of a stream.
        """
        if options.traceparent is not None:
            return self._traced(publisher, topic, payload, options, verdict)
        holder = publisher.principal.holder
        if holder is not None and holder.account.allowances is not None and not is_paid:
            allowance = holder.account.allowances.publish
            return self._publish_within(allowance, publisher, topic, payload, options, verdict, trace)
        check_free(topic)
        if options.key is None and type(publisher) is Session and publisher not in self._joined:
            # Nearly always: to them a name means what it means to everybody.
            channel = self._channels.admit(topic)
        else:
            channel = self._look_up(publisher, topic, options)
        space, traffic = self._space, None
        if channel is not None:
            self._writers.check(channel, publisher)
            space, traffic = channel.space, channel.traffic
        details = disclosed(PUBLISHER, publisher, options.disclose_me, verdict)
        if options.is_passed_through:
            details = {**details, **options.passthru()}
        is_public = space is self._space
        if trace is not None:
            details = {**details, **trace.details(topic if is_public else None)}
        publish = space.publishing.publish if options.stream is None else partial(self._publish_sample, space)
        published = publish(topic, traffic, publisher, payload, options, details, False, trace)
        if type(published) is not Publication:
            return self._counted_later(published, publisher, topic, payload.size, is_public)
        self.meter.published(publisher, topic, payload.size, is_public=is_public)
        return published

    def _look_up(self, publisher: Actor, topic: str, options: PublishOptions) -> Channel | None:
        """The channel that somebody means, who may be a member, or have shown a key. Raises: Refused."""
        channel = self._lookup.channel(publisher, topic, options.key)
        # The key has done what it is for; what is kept of the event must not hold it.
        options.key = None
        return channel

    def _publish_sample(
        self,
        space: TopicSpace,
        topic: str,
        traffic: Traffic | None,
        publisher: Actor,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
        is_end: bool,
        trace: EventTrace | None,
    ) -> Publication | Promise[Publication]:
        """Publish what belongs to a stream of samples; it may be ``is_end`` for another reason."""
        sample = self._streams.sample(publisher, topic, options.stream)
        details = {**details, "_stream": sample.place}
        is_end = is_end or sample.is_end
        published = space.publishing.publish(
            topic, traffic, publisher, payload, options, details, is_end, trace
        )
        sample.take()
        return published

    def _traced(
        self, publisher: Actor, topic: str, payload: Payload, options: PublishOptions, verdict: Verdict
    ) -> Publication | Promise[Publication]:
        """The same for a publisher that says which trace it is part of."""
        parent, state = options.traceparent, options.tracestate
        # What is kept of the event must not hold them.
        options.traceparent = options.tracestate = None
        tracer, trace = self.tracer, None
        if tracer is not None:
            trace = tracer.event(payload.size, parent, state, is_wamp=type(publisher) is Session)
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

    def _publish_within(
        self,
        allowance: Allowance,
        publisher: Actor,
        topic: str,
        payload: Payload,
        options: PublishOptions,
        verdict: Verdict,
        trace: EventTrace | None,
    ) -> Publication | Promise[Publication]:
        """Publish if a plan has one more."""

        def publish() -> Publication | Promise[Publication]:
            return self.publish(publisher, topic, payload, options, verdict, trace, is_paid=True)

        published = within(allowance, self.meter, publisher, topic, publish)
        return _paid_for(published, allowance) if isinstance(published, Promise) else published

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
