"""One connection's WAMP session, whatever carries it: bytes in, messages to handshake or realm.

The order for every message is: decode, state, then the core, which answers through the outbox. Nothing that
a peer sends makes this raise: its faults end in ABORT and a closed connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from twisted.logger import Logger

from radiod.core.budgets.addresses import network_of_peer
from radiod.core.budgets.guesses import Turn
from radiod.core.promises import Promise
from radiod.core.realm.handshake import Gate, Handshake
from radiod.core.realm.realm import Realm
from radiod.core.sessions.authentication import BrowserCookie
from radiod.core.sessions.session import Session
from radiod.core.timers import Deadline
from radiod.errors import (
    AUTHENTICATION_DENIED,
    CLOSE_LOGOUT,
    PAYLOAD_SIZE_EXCEEDED,
    RUNTIME_ERROR,
    TIMEOUT,
    Denied,
    PeerError,
    RadiodError,
    TryLater,
)
from radiod.transport.endings import (
    INVALID_PAYLOAD,
    NORMAL,
    SERVICE_RESTART,
    close_code_of,
    shorter,
)
from radiod.transport.outlets import Outlet
from radiod.wire.codecs import Codec
from radiod.wire.messages import Abort, Goodbye, Message, name_of, shows_secret

__all__ = ["WampDriver"]

GOODBYE_SECONDS: Final = 2.0
"""How long a client may take to answer the router's GOODBYE."""


OPENING_BYTES: Final = 1 << 17
"""The longest message before a session is open: an AUTHENTICATE is at most half of that."""

OPENING: Final = "opening"
OPEN: Final = "open"
CLOSING: Final = "closing"
OVER: Final = "over"

STATES: Final[Mapping[str, Mapping[str, str]]] = {
    OPENING: {"joined": OPEN, "finished": OVER, "lost": OVER},
    OPEN: {"said goodbye": OPENING, "told goodbye": CLOSING, "finished": OVER, "lost": OVER},
    CLOSING: {"finished": OVER, "lost": OVER},
    OVER: {},
}
"""State -> what may happen -> the state then. docs/architecture.md draws it.

A client that said goodbye may join again. One that was told goodbye is only asked for its answer. *Finished*:
the router has the connection closed; *lost*: it is gone.
"""


class WampDriver:
    """Runs the WAMP sessions of one connection, one after the other, over one outlet.

    ``STATES`` has its states: ``_handshake`` is set while it is opening, ``_session`` while it is open.
    ``is_over`` tells the last state to transports, which look for each message. ``close_code`` is the
    WebSocket close code that says why it is over.

    Args:
        deadline: calls a function when an opening handshake has had all the time it gets.
        cookie: the connection's, None: it has none.
        origin: of the page that opened it, if one did.
    """

    __slots__ = (
        "_codec",
        "_cookie",
        "_deadline",
        "_gates",
        "_handshake",
        "_origin",
        "_outlet",
        "_peer",
        "_realm",
        "_session",
        "_start_deadline",
        "_suspects",
        "_turn",
        "_waiting",
        "close_code",
        "is_over",
        "state",
    )

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        gates: Mapping[str, Gate],
        codec: Codec,
        outlet: Outlet,
        peer: str,
        deadline: Callable[[Callable[[], None]], Deadline],
        cookie: BrowserCookie | None = None,
        origin: str | None = None,
    ) -> None:
        self._gates = gates
        self._origin = origin
        self._cookie = cookie
        self._codec = codec
        self._outlet = outlet
        self._peer = peer
        self._start_deadline = deadline
        self._realm: Realm | None = None
        self._session: Session | None = None
        # What came while the handshake waits for somebody else's answer; the peer is not read meanwhile.
        self._waiting: deque[bytes] | None = None
        # Networks that keys are guessed from, mostly none; and its place in line if this is one.
        self._suspects = outlet.guesses.networks
        self._turn: Turn | None = None
        self.state: str = OPENING
        self.is_over = False
        self.close_code = NORMAL
        self._handshake: Handshake | None = Handshake(gates, cookie, peer, origin)
        self._deadline = deadline(self._expire)
        outlet.driver = self
        outlet.peer = peer
        outlet.strangers.add(self)

    def longest(self, limit: int) -> int:
        """How long a message of the peer may be now, where ``limit`` is the most that a session may send.

        Strangers are not trusted with as much: each could leave nearly that much unfinished.
        """
        return limit if self._session is not None else min(limit, OPENING_BYTES)

    def receive(self, data: bytes) -> None:
        """Take one serialized message; after the session is over, ignore it."""
        if self.is_over:
            return
        if self._waiting is not None:
            self._waiting.append(data)
            return
        if self.state is CLOSING:
            self._receive_closing(data)
            return
        try:
            message = self._codec.decode(data)
            if self._suspects and self._turn is None and shows_secret(message) and self._lines_up(data):
                return
            if self._handshake is not None:
                self._receive_opening(self._handshake, message)
            else:
                self._receive_open(message)
        except RadiodError as error:
            self.abort(error, None if self._is_text(data) else INVALID_PAYLOAD)
        except Exception:
            self._fail()

    def _fail(self) -> None:
        self.log.failure("a message of {peer} failed", peer=self._peer, event="failure")
        self.abort(PeerError("the router failed on this message", RUNTIME_ERROR))

    def _lines_up(self, data: bytes) -> bool:
        """Whether a message with a secret has to wait: too many from its address were wrong."""
        turn = self._outlet.guesses.turn(network_of_peer(self._peer))
        if turn is None:
            return False
        self._turn = turn
        self._waiting = deque()
        self._outlet.pause_reads(True)
        turn.then(lambda outcome: self._take_turn(data, outcome))
        return True

    @property
    def is_in_line(self) -> bool:
        """Whether it waits for its turn to show a secret."""
        return self._turn is not None

    def _take_turn(self, data: bytes, outcome: RadiodError | None) -> None:
        if self.is_over:
            return
        if outcome is not None:
            self.abort(outcome)
            return
        waiting, self._waiting = self._waiting, None
        self._outlet.pause_reads(False)
        # While its turn is set, it is not sent back to the line.
        self.receive(data)
        self._turn = None
        for each in waiting or ():
            self.receive(each)

    def _receive_opening(self, handshake: Handshake, message: Message) -> None:
        if isinstance(message, Abort):
            self._finish(NORMAL)
            return
        newcomers = self._outlet.newcomers
        if not newcomers.take(lambda: self._go_through(handshake, message)):
            self._waiting = deque()
            self._outlet.pause_reads(True)
            newcomers.wait(lambda: self._go_through_later(handshake, message))

    def _go_through_later(self, handshake: Handshake, message: Message) -> None:
        """It is its turn in the line of newcomers."""
        if self.is_over:
            return
        waiting, self._waiting = self._waiting, None
        self._outlet.pause_reads(False)
        try:
            self._go_through(handshake, message)
        except RadiodError as error:
            self.abort(error)
        except Exception:
            self._fail()
        for data in waiting or ():
            self.receive(data)

    def _go_through(self, handshake: Handshake, message: Message) -> None:
        reply = handshake.receive(message, self._outlet)
        if isinstance(reply, Promise):
            self._waiting = deque()
            self._outlet.pause_reads(True)
            reply.then(lambda outcome: self._proceed(handshake, outcome))
        else:
            self._reply(handshake, reply)

    def _proceed(self, handshake: Handshake, outcome: Message | RadiodError) -> None:
        """The handshake's next answer has come: send it, and take the messages that came meanwhile."""
        if self.is_over:
            return
        waiting, self._waiting = self._waiting, None
        self._outlet.pause_reads(False)
        if isinstance(outcome, RadiodError):
            self.abort(outcome)
            return
        self._reply(handshake, outcome)
        for data in waiting or ():
            self.receive(data)

    def _reply(self, handshake: Handshake, reply: Message) -> None:
        refusal: RadiodError | None = None
        if handshake.session is not None:
            self._deadline.cancel()
            self._outlet.strangers.discard(self)
            self._realm, self._session, self._handshake = handshake.realm, handshake.session, None
            self._go("joined")
            refusal = self._outlet.joined(handshake.session.principal)
        data = self._outlet.fitting(reply, shorter)
        if len(data) > self._outlet.max_bytes:
            text = f"{name_of(reply)} is too long: the client takes {self._outlet.max_bytes} bytes at most"
            refusal = Denied(PAYLOAD_SIZE_EXCEEDED, text)
        if refusal is not None:
            self.abort(refusal)
            return
        self._outlet.push(data)
        if handshake.session is not None:
            principal = handshake.session.principal
            self.log.info(
                "session {session} joined: {authid} as {authrole} by {authmethod} from {peer}",
                session=handshake.session.id,
                authid=principal.authid,
                authrole=principal.authrole,
                authmethod=principal.authmethod,
                peer=self._peer,
                realm=self.realm_name,
                event="session_joined",
            )

    @property
    def realm_name(self) -> str | None:
        """Of the realm that the peer has joined; None: of none yet."""
        return self._realm.name if self._realm is not None else None

    def _receive_open(self, message: Message) -> None:
        assert self._realm is not None
        assert self._session is not None
        if isinstance(message, Abort):
            self._finish(NORMAL)
            return
        if type(message) is Goodbye and message.reason == CLOSE_LOGOUT:
            self._gates[self._realm.name].forget(self._cookie)
        self._realm.inbox.receive(self._session, message, self._codec)

    def _receive_closing(self, data: bytes) -> None:
        try:
            message = self._codec.decode(data)
        except RadiodError:
            # Whatever it was, the client's session has ended already.
            return
        if isinstance(message, Abort | Goodbye):
            self._finish(NORMAL)

    def reopen(self) -> None:
        """The client has said goodbye, and been answered: it may join again, or close."""
        self._leave("said goodbye")
        self._go("said goodbye")
        self._session = None
        self._handshake = Handshake(self._gates, self._cookie, self._peer, self._origin)
        self._deadline = self._start_deadline(self._expire)
        self._outlet.strangers.add(self)

    def close(self, reason: str) -> None:
        """The session has been told GOODBYE: close the connection when the client has answered."""
        assert self._session is not None
        self._log_left(self._session, "session {session} left: told {reason}", reason)
        self._session = None
        self._go("told goodbye")
        self._deadline = self._outlet.after(GOODBYE_SECONDS, self._expire)

    def stop(self) -> None:
        """The server stops, perhaps to be started again: close, as a broken connection would.

        Stock clients take GOODBYE, whoever says it, for the end, and never come back.
        """
        assert self._session is not None
        self._log_left(self._session, "session {session} left: the server stops", "the server stops")
        self._session = None
        self._finish(SERVICE_RESTART)

    def dismiss(self) -> None:
        """The server stops while the peer has no session."""
        self._finish(SERVICE_RESTART)

    def _is_text(self, data: bytes) -> bool:
        """True unless ``data`` should be text and is none."""
        if not self._codec.is_binary:
            try:
                data.decode()
            except UnicodeDecodeError:
                return False
        return True

    def abort(self, error: RadiodError, close_code: int | None = None) -> None:
        """End the session for a fault of the peer, and tell it, unless it was told GOODBYE already.

        ``close_code``: None: what fits the error.
        """
        if self.is_over:
            return
        if self.state is CLOSING:
            self._finish(NORMAL)
            return
        claim = self._handshake.claim if self._handshake is not None else None
        if self._handshake is not None:
            self._handshake.count("refused")
        if claim is not None and error.uri == AUTHENTICATION_DENIED:
            self._outlet.guesses.wrong(network_of_peer(self._peer))
        if isinstance(error, TryLater) and self._turns_away(error):
            return
        self.log.info(
            "aborted {peer}: {uri}: {text}" if claim is None else "aborted {peer}, {claim}: {uri}: {text}",
            peer=self._peer,
            claim=claim,
            uri=error.uri,
            text=error.text,
            realm=claim.realm if claim is not None else self.realm_name,
            authid=claim.authid if claim is not None else None,
            # Not as one that has been proven, by which the log tells users apart.
            tried=claim.methods if claim is not None else None,
            event="session_aborted" if self._handshake is None else "login_refused",
        )
        details: dict[str, Any] = {"message": error.text}
        if isinstance(error, TryLater):
            details["_retry_after"] = round(error.retry_after, 3)
        self._outlet.push(self._outlet.fitting(Abort(details, error.uri), shorter))
        self._finish(close_code or close_code_of(error))

    def _turns_away(self, error: TryLater) -> bool:
        """Close without ABORT, after which stock clients never come back, unless that was asked for.

        Returns: whether it was not.
        """
        self._outlet.retry_after = error.retry_after
        if self._handshake is not None and not self._handshake.wants_goodbye:
            self.log.debug("turned away {peer}: the server is drained", peer=self._peer, event="drain")
            self._finish(SERVICE_RESTART)
            return True
        return False

    def _expire(self) -> None:
        if self.state is CLOSING:
            # A client that has not even read the GOODBYE by now will not.
            self._outlet.give_up()
            if not self.is_over:
                self._finish(NORMAL)
        elif self._realm is not None:
            # It had a session, said goodbye, and did not close.
            self._finish(NORMAL)
        else:
            self.abort(Denied(TIMEOUT, "the handshake took too long"))

    def lost(self) -> None:
        """The connection is gone."""
        if not self.is_over:
            self._leave("connection lost")
            self._end("lost")

    def _finish(self, close_code: int) -> None:
        if self.is_over:
            # Its last words were too much for a peer that does not read: the connection was cut.
            return
        self._leave("closed")
        self.close_code = close_code
        self._end("finished")
        self._outlet.finish()

    def _go(self, what: str) -> None:
        self.state = STATES[self.state][what]

    def _end(self, what: str) -> None:
        self._go(what)
        self._deadline.cancel()
        if self._turn is not None:
            self._turn.leave()
        self._outlet.strangers.discard(self)
        self.is_over = True
        # Each knows the other: without this only the cyclic collector would free them.
        self._outlet.driver = None

    def _leave(self, reason: str) -> None:
        if self._handshake is not None:
            self._handshake.abandon()
        if self._session is not None and self._realm is not None:
            self._realm.leave(self._session)
            self._log_left(self._session, "session {session} left: {reason}", reason)

    def _log_left(self, session: Session, line: str, reason: str) -> None:
        principal = session.principal
        self.log.info(
            line,
            session=session.id,
            reason=reason,
            authid=principal.authid,
            authmethod=principal.authmethod,
            peer=self._peer,
            realm=self.realm_name,
            event="session_left",
        )
