"""``wamp.subscription.get_events``: what is kept of a subscription's topics, in one order.

The topics' histories are merged from the end that is asked for, so that an answer costs what it holds; what
has to be passed over is passed over in slices.

Source: WAMP specification, "Event History".
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from heapq import heapify, heappop, heapreplace
from typing import Any, Final

from radiod.core.arguments import REQUIRED, Signature, identifier, optional, text
from radiod.core.dates import date, moment
from radiod.core.history.events import KeptEvent
from radiod.core.procedures.family import Procedure
from radiod.core.procedures.visible import find_subscription
from radiod.core.promises import Promise, chain, when
from radiod.core.pubsub.broker import Subscription
from radiod.core.pubsub.replay import MAX_PAGE_BYTES, Retell, Retelling, Retold, may_have
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.rights import Action, Verdict
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices
from radiod.errors import HISTORY_UNAVAILABLE, INVALID_ARGUMENT, NOT_AUTHORIZED, Refused
from radiod.wire.codecs import Payload
from radiod.wire.options import SubscribeOptions

__all__ = ["GET_EVENTS", "MAX_EVENTS", "EventHistoryProcedures"]

MAX_EVENTS: Final = 1000
"""Events in one answer; with fewer asked for, or more there, paging goes on."""

PASSED_IN_A_STEP: Final = 200
"""Records that are looked at without a pause."""

TOPICS_IN_A_STEP: Final = 20

TIMES: Final = ("from_time", "after_time", "before_time", "until_time")
PUBLICATIONS: Final = (
    "from_publication",
    "after_publication",
    "before_publication",
    "until_publication",
)
GET_EVENTS: Final[Signature] = {
    "subscription": REQUIRED,
    "reverse": False,
    "limit": MAX_EVENTS,
    "topic": None,
    **dict.fromkeys(TIMES + PUBLICATIONS),
}

Place = tuple[float, int]


class EventHistoryProcedures:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters.

    ``retold`` counts what they tell.
    """

    def __init__(self, space: TopicSpace, slices: Slices, retold: Retell) -> None:
        self._retold = retold
        self._space = space
        self._slices = slices
        self.procedures: dict[str, Procedure] = {
            "wamp.subscription.get_events": (GET_EVENTS, self.get_events),
        }

    def get_events(
        self, caller: Session, *, subscription: Any, reverse: Any, limit: Any, topic: Any, **bounds: Any
    ) -> Payload | Promise[Payload]:
        """→ events kept for a subscription that the caller may have, oldest first unless reversed.

        Each is ``{timestamp, subscription, publication, topic, details, args, kwargs}``; the keyword result
        ``is_limit_reached`` tells that there are more, ``lost`` how many of these cannot be said to the
        caller, if any. An answer is over with the event that takes it past ``MAX_PAGE_BYTES``.
        """
        id = identifier("subscription", subscription)
        found = self._found(caller, id)
        if not isinstance(reverse, bool):
            raise Refused(INVALID_ARGUMENT, "reverse must be a boolean")
        most = min(identifier("limit", limit), MAX_EVENTS)
        optional(text, "topic", topic)
        window = _Window(bounds)
        return chain(
            found,
            lambda subscription: self._allowed(
                subscription,
                caller,
                lambda: self._answer(subscription, caller, window, topic, most, reverse),
            ),
        )

    def _found(self, caller: Session, id: int) -> Subscription | Promise[Subscription]:
        """The subscription of that id. Raises, or settles with: Refused: ``no_such_subscription``."""
        return find_subscription(self._space.broker, caller, id)

    def _allowed(
        self, found: Subscription, caller: Session, tell: Callable[[], Generator[None, None, Payload]]
    ) -> Payload | Promise[Payload]:
        """What ``tell`` tells, if the caller may subscribe, when the past is here."""

        def answer(verdict: Verdict) -> Payload | Promise[Payload]:
            if not verdict.is_allowed:
                raise Refused(NOT_AUTHORIZED, "event history needs the right to subscribe to its topic")
            ready = self._space.histories.ready(found.topic, found.match)
            return when(ready, lambda: self._slices.run(tell()))

        permissions = caller.principal.permissions
        options = SubscribeOptions(match=found.match)
        return chain(permissions.decide(caller, Action.SUBSCRIBE, found.topic, options), answer)

    def _answer(
        self,
        subscription: Subscription,
        caller: Session,
        window: _Window,
        topic: str | None,
        most: int,
        is_reversed: bool,
    ) -> Generator[None, None, Payload]:
        histories = yield from self._visible(subscription, caller)
        yield from window.locate(histories, caller)
        if topic is not None:
            histories = [records for records in histories if records[0].topic == topic]
        chosen: list[KeptEvent] = []
        size = 0
        is_limit_reached = False
        merged = yield from _merged(histories, is_reversed)
        for count, record in enumerate(merged, 1):
            if count % PASSED_IN_A_STEP == 0:
                yield
            if not (window.holds(record) and _is_for(caller, record)):
                continue
            if len(chosen) == most or size >= MAX_PAGE_BYTES:
                is_limit_reached = True
                break
            chosen.append(record)
            size += len(record.payload)

        def tell(events: list[Retold], lost: int) -> tuple[list[Any], dict[str, Any]]:
            missing = {"lost": lost} if lost else {}
            told = [_event(subscription.id, event) for event in events]
            return told, {"is_limit_reached": is_limit_reached, **missing}

        retold = partial(self._retold, caller, subscription.offered.channel)
        return Retelling(chosen, self._space.broker.tally, tell, retold)

    def _visible(
        self, subscription: Subscription, caller: Session
    ) -> Generator[None, None, list[list[KeptEvent]]]:
        """What is held of each topic of the subscription that the caller may know of."""
        histories = self._space.histories
        if subscription.match == "exact":
            if histories.wanted(subscription.topic) is None:
                raise Refused(HISTORY_UNAVAILABLE, f"no history is kept of {subscription.topic}")
            topics = [subscription.topic]
        else:
            topics = histories.topics()
        hides = caller.principal.permissions.hides
        found: list[list[KeptEvent]] = []
        for count, topic in enumerate(topics, 1):
            if count % TOPICS_IN_A_STEP == 0:
                yield
            if subscription.takes(topic) and not hides(topic):
                records = histories.of(topic, caller.principal)
                if records:
                    found.append(records)
        return found


def _is_for(caller: Session, record: KeptEvent) -> bool:
    return not record.names_sessions and may_have(caller, record)


def _place(record: KeptEvent) -> Place:
    """Where a record is among all of its realm."""
    return record.since, record.order


def _merged(
    histories: list[list[KeptEvent]], is_reversed: bool
) -> Generator[None, None, Iterator[KeptEvent]]:
    """All records in their order, or against it."""
    sign = -1 if is_reversed else 1
    heads: list[tuple[float, int, int, KeptEvent, Iterator[KeptEvent]]] = []
    for number, records in enumerate(histories):
        rest = reversed(records) if is_reversed else iter(records)
        first = next(rest)
        heads.append((sign * first.since, sign * first.order, number, first, rest))
        if number % TOPICS_IN_A_STEP == 0:
            yield
    heapify(heads)
    return _drawn(heads, sign)


def _drawn(
    heads: list[tuple[float, int, int, KeptEvent, Iterator[KeptEvent]]], sign: int
) -> Iterator[KeptEvent]:
    while heads:
        _, _, number, record, rest = heads[0]
        yield record
        following = next(rest, None)
        if following is None:
            heappop(heads)
        else:
            head = (sign * following.since, sign * following.order, number, following, rest)
            heapreplace(heads, head)


def _event(subscription: int, event: Retold) -> dict[str, Any]:
    """One event as it is told."""
    record = event.record
    return {
        "timestamp": date(record.time),
        "subscription": subscription,
        "publication": record.publication,
        "topic": record.topic,
        "details": record.told(),
        "args": event.args,
        "kwargs": event.kwargs,
    }


class _Window:
    """The part of a history between bounds of time and publication; all given bounds hold."""

    def __init__(self, bounds: dict[str, Any]) -> None:
        self._times = {name: optional(_time, name, bounds[name]) for name in TIMES}
        self._publications = {name: optional(identifier, name, bounds[name]) for name in PUBLICATIONS}
        # name of a bound -> where its publication is, once it has been looked for; None: nowhere
        self._places: dict[str, Place | None] = {}

    def locate(self, histories: list[list[KeptEvent]], caller: Session) -> Generator[None, None, None]:
        """Find the publications that are bounds, of those for the caller; without one nothing is inside."""
        wanted = {publication for publication in self._publications.values() if publication is not None}
        if not wanted:
            return
        places: dict[int, Place] = {}
        for records in histories:
            for start in range(0, len(records), PASSED_IN_A_STEP):
                for record in records[start : start + PASSED_IN_A_STEP]:
                    if record.publication in wanted and _is_for(caller, record):
                        places[record.publication] = _place(record)
                yield
        self._places = {
            name: places.get(publication)
            for name, publication in self._publications.items()
            if publication is not None
        }

    def holds(self, record: KeptEvent) -> bool:
        """Whether a record lies inside."""
        place = _place(record)
        return self._is_in_time(record.time) and all(
            bound is not None and _is_inside(name, place, bound) for name, bound in self._places.items()
        )

    def _is_in_time(self, time: float) -> bool:
        times = self._times
        return (
            (times["from_time"] is None or time >= times["from_time"])
            and (times["after_time"] is None or time > times["after_time"])
            and (times["before_time"] is None or time < times["before_time"])
            and (times["until_time"] is None or time <= times["until_time"])
        )


def _is_inside(name: str, place: Place, bound: Place) -> bool:
    if name == "from_publication":
        return place >= bound
    if name == "after_publication":
        return place > bound
    if name == "before_publication":
        return place < bound
    return place <= bound


def _time(name: str, value: Any) -> float:
    """Seconds since 1970 of an RFC 3339 date."""
    try:
        return moment(text(name, value))
    except ValueError:
        raise Refused(INVALID_ARGUMENT, f"{name} must be a date as RFC 3339 has it, with its zone") from None
