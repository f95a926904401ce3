"""How sessions leave a realm that other nodes serve, too."""

from __future__ import annotations

from radiod.core.cluster.shared_events import SharedEvents
from radiod.core.promises import Promise
from radiod.core.pubsub.testaments import Testament
from radiod.core.realm.departures import Departures
from radiod.core.sessions.session import Session

__all__ = ["SharedDepartures"]


class SharedDepartures(Departures):
    """As ``Departures``; ``shared``: set before anybody leaves.

    Sessions that leave since the server stops are told of by the other nodes, when this one is gone.
    """

    shared: SharedEvents

    def _take_testaments(
        self, session: Session, *, is_everybody: bool
    ) -> list[Testament] | Promise[list[Testament]]:
        if is_everybody and not self._is_closing:
            self.shared.vanished(session)
        return super()._take_testaments(session, is_everybody=is_everybody)
