"""Whether somebody may listen to all that they ask for: one refusal refuses everything."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from radiod.core.promises import Promise, chain
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.realm.gateway import Gateway
from radiod.core.rights import Principal
from radiod.errors import Exceeded, RadiodError
from radiod.transport.listening.course import Wanted
from radiod.transport.listening.query import Names
from radiod.wire.options import MatchPolicy

__all__ = ["naming", "permitted"]


def permitted(
    gateway: Gateway, principal: Principal, names: Names, key: str | None
) -> Promise[list[Wanted]] | list[Wanted]:
    """Ask for the right to each name in turn.

    Args:
        key: of private channels: it counts for those that it opens. If there are none it is a wrong one.
    Raises, or settles with: Refused: as ``Gateway.may_listen``; among several, it names what is refused.
    """
    asked = names.asked
    fitting = {name for name, match, topic in asked if key and match == "exact" and gateway.fits(topic, key)}
    found: Promise[list[Wanted]] | list[Wanted] = []
    for name, match, topic in asked:
        its_key = key if name in fitting or not fitting else None
        add = partial(_add, gateway, principal, name, match, topic, its_key)
        found = chain(found, partial(_named, name, add) if names.is_several else add)
    return found


def _add(
    gateway: Gateway,
    principal: Principal,
    name: str,
    match: MatchPolicy,
    topic: str,
    key: str | None,
    before: list[Wanted],
) -> Promise[list[Wanted]] | list[Wanted]:
    """One more name that may be listened to."""

    def add(space: TopicSpace) -> list[Wanted]:
        return [*before, Wanted(name, match, topic, space, key)]

    return chain(gateway.may_listen(principal, topic, key, match), add)


def _named(
    name: str,
    add: Callable[[list[Wanted]], Promise[list[Wanted]] | list[Wanted]],
    before: list[Wanted],
) -> Promise[list[Wanted]] | list[Wanted]:
    """As ``add``; a refusal names the channel."""
    try:
        found = add(before)
    except RadiodError as error:
        raise naming(name, error) from None
    if not isinstance(found, Promise):
        return found
    named: Promise[list[Wanted]] = Promise()
    found.then(lambda late: named.settle(naming(name, late) if isinstance(late, RadiodError) else late))
    return named


def naming(name: str, error: RadiodError) -> RadiodError:
    """The same error, with a text that begins with the channel, or pattern, that it is about."""
    text = f"{name}: {error.text}"
    return (
        Exceeded(error.limit, text, error.uri)
        if isinstance(error, Exceeded)
        else type(error)(error.uri, text)
    )
