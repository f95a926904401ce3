"""How sessions leave a realm that other nodes serve, too."""

from __future__ import annotations

from collections.abc import Generator

from radiod.core.channels.memberships import Memberships
from radiod.core.cluster.arrivals import Arrivals
from radiod.core.cluster.places import Places
from radiod.core.cluster.proxies import remote_principal
from radiod.core.cluster.shared_channels import SharedChannels
from radiod.core.cluster.shared_events import SharedEvents
from radiod.core.cluster.shared_testaments import SharedTestaments
from radiod.core.cluster.testament_records import Estate
from radiod.core.promises import Promise
from radiod.core.pubsub.testaments import Testament
from radiod.core.realm.departures import Departures
from radiod.core.sessions.session import Session

__all__ = ["SharedDepartures"]


class SharedDepartures(Departures):
    """As ``Departures``.

    ``arrivals``, ``shared``, ``testaments``, ``places``, ``channels``, ``memberships``: set before anybody
    leaves.

    Sessions that leave since the server stops are told of by the other nodes, when this one is gone.
    """

    arrivals: Arrivals
    shared: SharedEvents
    testaments: SharedTestaments
    places: Places
    channels: SharedChannels
    memberships: Memberships

    def leave(self, session: Session, *, is_everybody: bool = False, keeps_channels: bool = False) -> None:
        self.arrivals.leave(session)
        super().leave(session, is_everybody=is_everybody, keeps_channels=keeps_channels)

    def _take_testaments(
        self, session: Session, *, is_everybody: bool
    ) -> list[Testament] | Promise[list[Testament]]:
        if not is_everybody:
            return self.testaments.take_all(session)
        if not self._is_closing:
            self.shared.vanished(session)
            self.testaments.take_all(session)
        # Else whoever is left publishes them.
        return []

    def publish_for(self, estate: Estate, testaments: list[Testament]) -> None:
        """Publish what a session of a node that is gone leaves."""
        principal = remote_principal(estate.authid, estate.authrole, may_all=True)
        publisher = Session(estate.session, principal, None)

        def publish() -> Generator[None, None, None]:
            for testament in testaments:
                self._publish_at(publisher, testament)
                yield

        self._slices.run(publish())

    def _publish_at(self, publisher: Session, testament: Testament) -> None:
        """Publish what is for a place. Who may do so was asked when it was made: there it was a member."""
        if not testament.topic.startswith("#"):
            self._publish_testament(publisher, testament)
            return
        topic = self.places.at(testament.topic)
        channel = None if topic is None else self.channels.of_topic(topic)
        if channel is None:
            return  # it has ended meanwhile
        testament.topic = channel.name
        self.memberships.enter(publisher, channel)
        self._publish_testament(publisher, testament)
        self.memberships.leave(publisher)
