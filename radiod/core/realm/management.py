"""What a server program that holds a key may ask of a realm, beside publishing and calling.

Rights are asked here, as in ``Gateway``: what is told of a topic needs the right to listen to it; what is
done to sessions, the right to call the procedure that does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from typing import Any, Final, NamedTuple, TypeVar, cast

from radiod.core.channels.authority import Authority
from radiod.core.channels.lookup import Lookup
from radiod.core.channels.presence import Presence
from radiod.core.globs import glob
from radiod.core.history.positions import Position
from radiod.core.promises import Promise, chain, when
from radiod.core.pubsub.broker import SessionSubscriptions
from radiod.core.pubsub.replay import Page, read, read_back
from radiod.core.pubsub.topic_space import TopicRef, TopicSpace
from radiod.core.realm.gateway import check_verdict
from radiod.core.rights import Action, Actor, Verdict
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices, in_steps
from radiod.core.statistics import Statistics
from radiod.core.uris import check_uri, is_reserved
from radiod.errors import CLOSE_KILLED, FEATURE_NOT_SUPPORTED, HISTORY_UNAVAILABLE, Refused
from radiod.wire.options import CallOptions, SubscribeOptions

__all__ = ["KILL", "REMOVE_SUBSCRIBER", "Load", "Management", "persons"]

KILL: Final = "wamp.session.kill_by_authid"
REMOVE_SUBSCRIBER: Final = "wamp.subscription.remove_subscriber"

T = TypeVar("T")

SUBSCRIBE_OPTIONS: Final = SubscribeOptions()
CALL_OPTIONS: Final = CallOptions()


class Load(NamedTuple):
    """What goes on in a realm on one server.

    ``subscribed``: sessions in all subscriptions; ``uptime``: seconds; ``node``: what it is called among
    several; empty: it is alone.
    """

    sessions: int
    users: int
    subscriptions: int
    subscribed: int
    uptime: float
    node: str = ""


class Management:
    """The overview of one realm, and the ways to end what others have there."""

    def __init__(
        self,
        *,
        sessions: Mapping[int, Session],
        subscriptions: SessionSubscriptions,
        statistics: Statistics,
        space: TopicSpace,
        lookup: Lookup,
        presence: Presence,
        authority: Authority,
        slices: Slices,
    ) -> None:
        self._sessions = sessions
        self._subscriptions = subscriptions
        self._statistics = statistics
        self._broker = space.broker
        self._lookup = lookup
        self._presence = presence
        self._authority = authority
        self.slices = slices

    # --- told to those who may listen

    def past(
        self, actor: Actor, topic: str, at: Position | None, limit: int, *, is_reversed: bool = False
    ) -> tuple[Page, Position] | Promise[tuple[Page, Position]]:
        """A part of a topic's past, and where that topic stands.

        Args:
            at: the position behind which it begins; reversed: before which. Where its epoch is empty, its
                number alone counts. None: all that is held.
            limit: of events; 0: none is looked for.
        Raises, or settles with: Refused: ``history_unavailable``; ``not_authorized``, ``invalid_uri``,
            ``channel_closed``, ``no_such_channel``.
        """

        def read_it(space: TopicSpace) -> tuple[Page, Position]:
            histories = space.histories
            history = histories.find(topic)
            if history is None or histories.wanted(topic) is None:
                raise Refused(HISTORY_UNAVAILABLE, f"no history is kept of {topic}")
            histories.expire(history)
            if limit == 0:
                return Page([], history.position, is_recovered=True), history.position
            behind = at if at is None or at.epoch else Position(history.epoch, at.seq)
            first = histories.first_for(history, actor.principal)
            page = (read_back if is_reversed else read)(history, actor, behind, limit, first)
            return page, history.position

        def tell(
            topic_ref: TopicRef, space: TopicSpace
        ) -> tuple[Page, Position] | Promise[tuple[Page, Position]]:
            return when(space.histories.ready(topic), lambda: read_it(space))

        return self._told(actor, topic, tell)

    def listeners(self, actor: Actor, topic: str) -> dict[int, str] | Promise[dict[int, str]]:
        """The sessions that listen to a topic that tells it: id -> authid.

        Raises, or settles with: Refused: ``feature_not_supported``: it does not tell; as ``past``.
        """

        def tell(topic_ref: TopicRef, space: TopicSpace) -> dict[int, str] | Promise[dict[int, str]]:
            self._check_shown(topic_ref)
            return self._listeners(topic_ref)

        return self._told(actor, topic, tell)

    def _listeners(self, topic: TopicRef) -> dict[int, str] | Promise[dict[int, str]]:
        return self.slices.run(persons(topic))

    def headcount(self, actor: Actor, topic: str) -> tuple[int, int] | Promise[tuple[int, int]]:
        """How many sessions, and how many persons, listen to a topic that tells it; as ``listeners``."""

        def tell(topic_ref: TopicRef, space: TopicSpace) -> tuple[int, int] | Promise[tuple[int, int]]:
            self._check_shown(topic_ref)
            return self._headcount(topic_ref)

        return self._told(actor, topic, tell)

    def _headcount(self, topic: TopicRef) -> tuple[int, int] | Promise[tuple[int, int]]:
        crowd = self._presence.headcount.snapshot(topic, limit=1)
        return crowd["total"], crowd["count"]

    def heard(self, actor: Actor, pattern: str) -> dict[str, int] | Promise[dict[str, int]]:
        """How many sessions listen to a topic by its name: of those that have any, and the actor may have.

        ``pattern``: of their names, as of files. Raises: Refused: ``invalid_argument``: it is none.
        """
        is_wanted = glob(pattern).fullmatch
        permissions = actor.principal.permissions
        private = [self._lookup.topic(actor, name) for name in actor.principal.memberships]
        hidden = frozenset(one.topic for one in private)

        def choose(counts: dict[str, int]) -> Generator[None, None, dict[str, int]]:
            found: dict[str, int] = {}

            def add(some: list[tuple[str, int]]) -> None:
                for name, count in some:
                    if name not in hidden and permissions.allows(Action.SUBSCRIBE, name):
                        found[name] = count

            yield from in_steps(counts.items(), add)
            return found

        def with_private(found: dict[str, int]) -> dict[str, int] | Promise[dict[str, int]]:
            wanted = [one for one in private if is_wanted(one.topic)]
            return chain(self._counts(wanted), lambda counts: counts | found)

        public: Any = chain(self._listened(pattern), lambda counts: self.slices.run(choose(counts)))
        return cast("dict[str, int] | Promise[dict[str, int]]", chain(public, with_private))

    def _listened(self, pattern: str) -> dict[str, int] | Promise[dict[str, int]]:
        """Public topics that fit a pattern of names, and that somebody listens to by its name."""
        is_wanted = glob(pattern).fullmatch
        found: dict[str, int] = {}

        def choose(some: list[Any]) -> None:
            for one in some:
                if not is_reserved(one.topic) and is_wanted(one.topic):
                    found[one.topic] = len(one.listeners)

        def look() -> Generator[None, None, dict[str, int]]:
            yield from in_steps(self._broker.subscriptions("exact"), choose)
            return found

        return self.slices.run(look())

    def _counts(self, topics: list[TopicRef]) -> dict[str, int] | Promise[dict[str, int]]:
        """How many listen to each of some topics, of those that have any listeners."""
        found = {one.topic: one.broker.lookup("exact", one.topic) for one in topics}
        return {name: len(one.listeners) for name, one in found.items() if one is not None}

    def _told(
        self, actor: Actor, topic: str, tell: Callable[[TopicRef, TopicSpace], T | Promise[T]]
    ) -> T | Promise[T]:
        """What ``tell`` makes of a topic that the actor may listen to, perhaps later."""
        check_uri(topic)

        def proceed(verdict: Verdict) -> T | Promise[T]:
            check_verdict(verdict, actor, Action.SUBSCRIBE, topic)
            space = self._lookup.space_of(self._lookup.channel(actor, topic))
            return tell(space.at(topic), space)

        permissions = actor.principal.permissions
        return chain(permissions.decide(actor, Action.SUBSCRIBE, topic, SUBSCRIBE_OPTIONS), proceed)

    def _check_shown(self, topic: TopicRef) -> None:
        if not self._presence.is_shown(topic):
            raise Refused(FEATURE_NOT_SUPPORTED, f"{topic.topic} does not tell who listens")

    # --- told to anybody

    def loads(self) -> list[Load] | Promise[list[Load]]:
        """What goes on in the realm, on each server that has it."""
        return chain(self._load(), lambda load: [load])

    def _load(self) -> Load | Promise[Load]:
        """What goes on here."""

        def count() -> Generator[None, None, Load]:
            users: set[str] = set()
            held = 0

            def add(some: list[Session]) -> None:
                nonlocal held
                users.update(one.principal.authid for one in some)
                held += sum(len(self._subscriptions.of(one)) for one in some)

            yield from in_steps(self._sessions.values(), add)
            uptime = self._statistics.uptime
            return Load(len(self._sessions), len(users), len(self._broker), held, uptime)

        return self.slices.run(count())

    # --- done to those who are there

    def disconnect(
        self,
        actor: Actor,
        authid: str,
        message: str | None = None,
        *,
        only: int | None = None,
        but: Collection[int] = (),
    ) -> int | Promise[int]:
        """End the sessions of one authid: of these the one with the id ``only``, and none of ``but``.

        ``message``: told with the GOODBYE. Returns: how many.
        Raises, or settles with: Refused: ``not_authorized``.
        """

        return self._allowed(actor, KILL, lambda: self._disconnect(authid, message, only, but))

    def _disconnect(
        self, authid: str, message: str | None, only: int | None, but: Collection[int]
    ) -> int | Promise[int]:
        details = {} if message is None else {"message": message}

        def end(one: Session) -> None:
            self._authority.kill(one, CLOSE_KILLED, details)

        return self._each(self._sessions.values(), _is_meant(authid, only, but), end)

    def unsubscribe(
        self, actor: Actor, authid: str, topic: str, *, only: int | None = None
    ) -> int | Promise[int]:
        """Take a topic away from the sessions of one authid, or from the one with the id ``only``.

        Returns: how many had it.
        Raises, or settles with: Refused: ``not_authorized``, ``invalid_uri``, ``channel_closed``,
            ``no_such_channel``.
        """
        check_uri(topic)

        def proceed() -> int | Promise[int]:
            return self._unsubscribe(self._lookup.topic(actor, topic), authid, only)

        return self._allowed(actor, REMOVE_SUBSCRIBER, proceed)

    def _unsubscribe(self, topic: TopicRef, authid: str, only: int | None) -> int | Promise[int]:
        subscription = topic.broker.lookup("exact", topic.topic)
        if subscription is None:
            return 0

        def end(one: Session) -> None:
            if one in subscription.listeners:
                self._authority.revoke_subscription(one, subscription, None)

        return self._each(subscription.listeners, _is_meant(authid, only, ()), end)

    def _allowed(self, actor: Actor, procedure: str, proceed: Callable[[], T | Promise[T]]) -> T | Promise[T]:
        """What ``proceed`` comes to for somebody who may call a procedure, perhaps later."""

        def check(verdict: Verdict) -> T | Promise[T]:
            check_verdict(verdict, actor, Action.CALL, procedure)
            return proceed()

        permissions = actor.principal.permissions
        return chain(permissions.decide(actor, Action.CALL, procedure, CALL_OPTIONS), check)

    def _each(
        self,
        sessions: Collection[Session],
        is_meant: Callable[[Session], bool],
        do: Callable[[Session], None],
    ) -> int | Promise[int]:
        def work() -> Generator[None, None, int]:
            count = 0
            for one in list(sessions):
                if is_meant(one):
                    do(one)
                    count += 1
                    yield
            return count

        return self.slices.run(work())


def persons(topic: TopicRef) -> Generator[None, None, dict[int, str]]:
    """The sessions that listen to a topic: id -> authid."""
    found: dict[int, str] = {}
    subscription = topic.broker.lookup("exact", topic.topic)
    if subscription is not None:
        yield from in_steps(
            subscription.listeners, lambda some: found.update({one.id: one.principal.authid for one in some})
        )
    return found


def _is_meant(authid: str, only: int | None, but: Collection[int]) -> Callable[[Session], bool]:
    return lambda one: (
        one.is_open
        and one.principal.authid == authid
        and (only is None or one.id == only)
        and one.id not in but
    )
