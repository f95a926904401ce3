"""What of one realm somebody who looks at it may see: names of private channels are for their members."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from heapq import nlargest
from itertools import islice
from typing import Any, Final, TypeVar

from radiod.core.arguments import whole
from radiod.core.pubsub.broker import Subscription
from radiod.core.realm.realm import Realm
from radiod.core.sessions.session import Session
from radiod.core.sight import may_know
from radiod.core.uris import watched

__all__ = ["MAX_ROWS", "View", "in_small_steps", "largest", "many"]

MAX_ROWS: Final = 1000
"""Of one answer."""

LOOKED_AT_IN_A_STEP: Final = 50

T = TypeVar("T")


class View:
    """What ``session`` may see of ``realm``."""

    def __init__(self, realm: Realm, session: Session) -> None:
        self._permissions = session.principal.permissions
        self._joined = realm.memberships.of(session)

    def topic(self, subscription: Subscription) -> str | None:
        """A subscription's topic, or pattern; None: it is not for these eyes."""
        topic = subscription.topic
        if not subscription.broker.is_private:
            return topic if may_know(self._permissions, topic) else None
        channel = self._joined.get(watched(topic) or topic)
        return topic if channel is not None and channel.space.broker is subscription.broker else None

    def shows(self, topic: str) -> bool:
        """Whether a public topic may be told."""
        return may_know(self._permissions, topic)


def many(limit: Any) -> int:
    """How many rows are asked for. Raises: Refused: ``invalid_argument``."""
    return whole("limit", limit, 1, MAX_ROWS)


def in_small_steps(things: Iterable[T], do: Callable[[list[T]], object]) -> Generator[None, None, None]:
    """As ``core.slices.in_steps``, for what takes longer with each thing."""
    rest = iter(list(things))
    while some := list(islice(rest, LOOKED_AT_IN_A_STEP)):
        do(some)
        yield


def largest(
    things: Iterable[T], count: int, key: Callable[[T], Any], holds: Callable[[T], bool]
) -> Generator[None, None, list[T]]:
    """The last ``count``, by ``key``, of the things for which ``holds``, the largest first; step by step."""
    kept: list[T] = []

    def choose(some: list[T]) -> None:
        nonlocal kept
        kept = nlargest(count, [*kept, *filter(holds, some)], key=key)

    yield from in_small_steps(things, choose)
    return kept
