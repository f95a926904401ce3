"""Lists of ids in answers, put together without keeping others waiting."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

from radiod.core.pubsub.broker import Subscription
from radiod.core.rpc.registrations import Registration
from radiod.core.sessions.session import Session
from radiod.core.slices import in_steps
from radiod.wire.codecs import Payload
from radiod.wire.options import MatchPolicy

__all__ = ["ids", "ids_by_policy", "ids_of"]

Numbered = Session | Subscription | Registration


def ids(
    things: Iterable[Numbered], holds: Callable[[Any], bool] = lambda _: True
) -> Generator[None, None, list[int]]:
    found: list[int] = []
    yield from in_steps(things, lambda some: found.extend(one.id for one in some if holds(one)))
    return found


def ids_of(sessions: Iterable[Session]) -> Generator[None, None, Payload]:
    return Payload.of((yield from ids(sessions)))


def ids_by_policy(
    of_policy: Callable[[MatchPolicy], Iterable[Subscription | Registration]],
    holds: Callable[[Any], bool],
) -> Generator[None, None, Payload]:
    return Payload.of(
        {
            "exact": (yield from ids(of_policy("exact"), holds)),
            "prefix": (yield from ids(of_policy("prefix"), holds)),
            "wildcard": (yield from ids(of_policy("wildcard"), holds)),
        }
    )
