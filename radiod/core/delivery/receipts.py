"""The receipt of a publish, which is kept back until every listener has room for the event."""

from __future__ import annotations

from radiod.core.delivery.broadcast import Publication
from radiod.core.delivery.flow import Flow
from radiod.core.promises import Promise
from radiod.errors import OVERRUN, RadiodError, Refused

__all__ = ["AwaitedRoom", "Receipt"]


class AwaitedRoom(Promise[Publication]):
    """Comes when every listener has room for an event: who publishes more meanwhile may be refused."""

    __slots__ = ()


class Receipt:
    """The acknowledgement of one publish, which listeners with full buffers may hold back."""

    __slots__ = ("_flow", "_held", "_later", "_outcome")

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._later = AwaitedRoom()
        # How many listeners hold it back.
        self._held = 0
        self._outcome: Publication | RadiodError | None = None

    def hold(self) -> None:
        """One more listener has to find room before the publisher may know."""
        self._held += 1

    def release(self) -> None:
        """One of these has found room, or has left."""
        self._held -= 1
        if not self._held and self._outcome is not None:
            self._settle_soon()

    def overrun(self) -> None:
        """A listener gave the event up: the publisher is told so, whoever else has it."""
        self._outcome = Refused(OVERRUN, "a listener that must not lose events has no room for this one")
        self._settle_soon()

    def issue(self, publication: Publication) -> Publication | Promise[Publication]:
        """The answer to a publish that was given to everybody: known now, or later."""
        if self._outcome is None:
            self._outcome = publication
            if not self._held:
                return publication
        return self._later

    def _settle_soon(self) -> None:
        # Not now: whoever made room is in the middle of writing, and a publisher who is answered may publish.
        self._flow.timers.at(self._flow.clock.seconds(), self._settle)

    def _settle(self) -> None:
        assert self._outcome is not None
        self._later.settle(self._outcome)
