"""Where the core's answers go, and what it may ask of the connection behind a session."""

from __future__ import annotations

from typing import Protocol

from radiod.core.sessions.session import Session
from radiod.errors import PeerError, RadiodError, WrongSecret
from radiod.wire.codecs import Payload
from radiod.wire.messages import Goodbye, Message

__all__ = ["Sender", "SessionOutbox"]


class Sender(Protocol):
    """Takes messages for sessions. Never blocks, never re-enters the core."""

    def send(self, session: Session, message: Message, payload: Payload | None = None) -> None:
        """Deliver one message to one session, in order with all others sent to it this way.

        Raises: Refused: the session cannot take ``payload`` (its serializer cannot say it, or it is longer
            than the session accepts); nothing was sent. Without a payload it never raises.
        """


class SessionOutbox(Sender, Protocol):
    """The way to each session. Never blocks, never re-enters the core."""

    def hold(self, session: Session, is_held: bool) -> None:
        """Read no more from the session's peer while one of its messages waits for a decision; or read on."""

    def confirm(self, session: Session, message: Goodbye) -> None:
        """Deliver the answer to GOODBYE; the connection may open another session."""

    def close(self, session: Session, message: Goodbye) -> None:
        """Deliver GOODBYE; close the transport once the peer has answered, or has had time to."""

    def drain(self, session: Session) -> None:
        """Send what waits in the session's buffers, and is due, even while its connection takes nothing.

        What that comes to has a bound; what is beyond it stays where it is.
        """

    def stop(self, session: Session, retry_after: float) -> None:
        """End the session's connection once everything sent to it has left: the server sends it away.

        The client must be free to come back, and so gets no word that it takes for a goodbye.

        Args:
            retry_after: seconds after which it shall come back, 0: whenever it likes.
        """

    def abort(self, session: Session, error: PeerError) -> None:
        """End a session for a fault of its peer that was found while nobody was handling its input."""

    def unpublished(self, session: Session, topic: str, refusal: RadiodError) -> None:
        """An event of this session was refused, and nobody tells it: no acknowledgement was asked for."""

    def suspect(self, session: Session, refusal: WrongSecret) -> None:
        """The session has shown a wrong key: who does that often, from one address, is slowed."""

    def end(self, session: Session, subscription: int, reason: str) -> None:
        """Have a listener that speaks no WAMP give up one subscription; its stream ends with the last one.

        Other sessions go on. What was sent before reaches the listener first. ``reason``: an error's URI.
        """
