"""``radiod.channel.history``: a channel's past, page by page."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from radiod.core.arguments import REQUIRED, optional, text, whole
from radiod.core.channels.lookup import Lookup
from radiod.core.history.positions import position
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise, chain, when
from radiod.core.pubsub.replay import Page, Retell, Retelling, Retold
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.rights import Action, Verdict
from radiod.core.sessions.session import Session
from radiod.core.uris import check_uri
from radiod.errors import HISTORY_UNAVAILABLE, INVALID_ARGUMENT, NOT_AUTHORIZED, Refused
from radiod.wire.codecs import Payload
from radiod.wire.options import SubscribeOptions

__all__ = ["HistoryProcedures"]

MAX_EVENTS: Final = 1000

MAX_LAST: Final = 1_000_000
"""As many as a history may hold."""


class HistoryProcedures:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters.

    ``retold`` counts what they tell.
    """

    def __init__(self, lookup: Lookup, retold: Retell) -> None:
        self._lookup = lookup
        self._retold = retold
        self.procedures: dict[str, Procedure] = {
            "radiod.channel.history": (
                {"name": REQUIRED, "after": None, "limit": 100, "last": None},
                self.history,
            ),
        }

    def history(
        self, session: Session, *, name: Any, after: Any, limit: Any, last: Any
    ) -> Payload | Promise[Payload]:
        """What came after a position, or the ``last`` so many events → ``{events, position, recovered}``.

        Each event is ``{position, time, args, kwargs}``, oldest first; ``position`` is where to go on.
        ``lost``, in the answer and in the event behind, is how many cannot be said to the caller, if any.
        """
        check_uri(text("name", name))
        behind = optional(position, "after", after)
        most = whole("limit", limit, 1, MAX_EVENTS)
        count = None if last is None else whole("last", last, 1, MAX_LAST)
        if behind is not None and count is not None:
            raise Refused(INVALID_ARGUMENT, "after or last, not both")

        def find(verdict: Verdict) -> Payload | Promise[Payload]:
            if not verdict.is_allowed:
                raise Refused(NOT_AUTHORIZED, f"the past of {name} needs the right to subscribe to it")
            space = self._lookup.space_of(self._lookup.channel(session, name))
            return when(space.histories.ready(name, after=behind), lambda: answer(space))

        def answer(space: TopicSpace) -> Payload:
            recovery = space.recovery
            begin = behind if count is None else recovery.before_last(session.principal, name, count)
            page = recovery.page(session, name, begin, most)
            if page is None or space.histories.wanted(name) is None:
                raise Refused(HISTORY_UNAVAILABLE, f"no history is kept of {name}")
            return Retelling(
                page.records,
                space.broker.tally,
                lambda events, lost: ([_page(page, events, lost)], {}),
                partial(self._retold, session, name),
            )

        permissions = session.principal.permissions
        return chain(permissions.decide(session, Action.SUBSCRIBE, name, SubscribeOptions()), find)


def _page(page: Page, events: list[Retold], lost: int) -> dict[str, Any]:
    return {
        "events": [_event(event) for event in events],
        "position": str(page.position),
        "recovered": page.is_recovered and not lost,
        **_lost(lost),
    }


def _event(event: Retold) -> dict[str, Any]:
    record = event.record
    return {
        "position": str(record.position),
        "time": record.time,
        "args": event.args,
        "kwargs": event.kwargs,
        **_lost(event.lost),
    }


def _lost(count: int) -> dict[str, int]:
    return {"lost": count} if count else {}
