"""``radiod.admin.debug``: what a developer asks of a server that is not well.

Nothing that is sent to it is run. Only whoever may open the admin socket is told: stacks and counts of
objects are about the program, not the radio, and take time that everybody waits for.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from itertools import islice
from typing import Any, Final

from radiod.admin.listeners import ListenersView
from radiod.admin.views import View, largest, many
from radiod.core.channels.channel import Channel
from radiod.core.channels.writers import readers
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise
from radiod.core.realm.realm import Realm
from radiod.core.sessions.session import Session
from radiod.errors import NOT_AUTHORIZED, Refused
from radiod.stacks import stacks

__all__ = ["BY_SOCKET", "DebugView"]

Answer = dict[str, Any] | Promise[dict[str, Any]]

BY_SOCKET: Final = "socket"
"""``authmethod`` of sessions on the admin socket."""

COUNTED_IN_A_STEP: Final = 2000
"""Objects: about 100 µs."""


class DebugView:
    """``procedures``: name -> parameters and handler, of one realm.

    Args:
        figures: what else is known of the process: name -> number.
    """

    def __init__(
        self, realm: Realm, listeners: ListenersView, figures: Callable[[], Mapping[str, float]]
    ) -> None:
        self._realm = realm
        self._listeners = listeners
        self._figures = figures
        self.procedures: dict[str, Procedure] = {"radiod.admin.debug": ({"limit": 20}, self.debug)}

    def debug(self, session: Session, *, limit: Any) -> Answer:
        """Stacks, what is largest and slowest, and objects; ``limit``: rows of each list.

        Returns: ``stacks``: lines of all threads; ``process``: figures; ``gc``: ``{enabled, thresholds,
            counts, generations, frozen, uncollectable}``; ``objects``: ``{total, types: [[type, count]]}``
            of what the collector knows; ``channels``: those whose histories hold most, ``[{name, public,
            events, bytes, readers}]``, name None: private, and not the caller's; ``listeners``: as
            ``radiod.admin.listeners``.
        Raises: Refused: ``not_authorized``: the session is not on the admin socket.
        """
        if session.principal.authmethod != BY_SOCKET:
            raise Refused(NOT_AUTHORIZED, "radiod.admin.debug is for sessions on the admin socket")
        return self._realm.slices.run(self._debug(session, many(limit)))

    def _debug(self, session: Session, limit: int) -> Generator[None, None, dict[str, Any]]:
        told: dict[str, Any] = {
            "stacks": list(stacks()),
            "process": dict(self._figures()),
            "gc": _collector(),
        }
        yield
        told["objects"] = yield from _objects(limit)
        told["channels"] = yield from self._channels(session, limit)
        slowest = yield from self._listeners.slowest(View(self._realm, session), limit)
        return {**told, **slowest}

    def _channels(self, session: Session, limit: int) -> Generator[None, None, list[dict[str, Any]]]:
        joined = self._realm.memberships.of(session)
        channels = self._realm.channels
        found = yield from largest([*channels, *channels.private], limit, _held, lambda one: any(_held(one)))
        return [
            {
                "name": one.name if one.is_public or joined.get(one.name) is one else None,
                "public": one.is_public,
                "bytes": _held(one)[0],
                "events": _held(one)[1],
                "readers": readers(one.topic),
            }
            for one in found
        ]


def _held(channel: Channel) -> tuple[int, int]:
    """Bytes and events of its history."""
    history = channel.space.histories.find(channel.name)
    return (0, 0) if history is None else (history.bytes, len(history))


def _collector() -> dict[str, Any]:
    return {
        "enabled": gc.isenabled(),
        "thresholds": list(gc.get_threshold()),
        "counts": list(gc.get_count()),
        "generations": gc.get_stats(),
        "frozen": gc.get_freeze_count(),
        "uncollectable": len(gc.garbage),
    }


def _objects(limit: int) -> Generator[None, None, dict[str, Any]]:
    """The types that have most objects. Some 20 ms for each million, then in slices."""
    objects = iter(gc.get_objects())
    counts: Counter[str] = Counter()
    yield
    while some := list(islice(objects, COUNTED_IN_A_STEP)):
        counts.update(_kind(one) for one in some)
        yield
    return {"total": counts.total(), "types": [list(one) for one in counts.most_common(limit)]}


def _kind(thing: object) -> str:
    kind = type(thing)
    return f"{kind.__module__}.{kind.__qualname__}"
