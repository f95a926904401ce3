"""What goes wrong with NATS, as types: who catches them decides what a session is told.

Texts are one line each, name the server, and hold no payload and no secret.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ConnectionLost",
    "EngineError",
    "NoResponders",
    "Overloaded",
    "PayloadTooLarge",
    "ProtocolError",
    "Refused",
    "StreamError",
    "TimedOut",
    "WrongLastSequence",
]


class EngineError(Exception):
    """Whatever NATS, or the way to it, does not do."""


class ProtocolError(EngineError):
    """Bytes that are no NATS: the connection that they came on ends."""


class Refused(EngineError):
    """A server that will not do, or does not let us in: trying again does not help until somebody acts.

    It is too old, takes too little, or the credentials are wrong.
    """


class ConnectionLost(EngineError):
    """There is no connection, or it ended before the answer came: what was asked may have happened."""


class TimedOut(EngineError):
    """No answer in time: what was asked may have happened, or happen yet."""


class NoResponders(EngineError):
    """Nobody is subscribed to the subject of a request (status 503): nothing has happened."""


class Overloaded(EngineError):
    """Too much is under way already: nothing was sent."""


class PayloadTooLarge(EngineError):
    """Headers and payload together are more than the server takes: it would end the connection."""


class StreamError(EngineError):
    """JetStream says no.

    ``code``: as of HTTP. ``number``: NATS's ``err_code``; 0: it told none.
    """

    def __init__(self, code: int, number: int, text: str) -> None:
        super().__init__(text)
        self.code: Final = code
        self.number: Final = number


class WrongLastSequence(StreamError):
    """Compare and set: the subject's last message is another one. Nothing was stored.

    ``last``: its sequence, 0 if there is none; None: the server did not tell.
    """

    def __init__(self, code: int, number: int, text: str, last: int | None) -> None:
        super().__init__(code, number, text)
        self.last: Final = last
