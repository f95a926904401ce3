"""One connection to one server, from its first byte to its last. It knows no socket and no clock."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from radiod.engine.nats import wire
from radiod.engine.nats.errors import ConnectionLost, EngineError, ProtocolError, Refused
from radiod.engine.nats.options import Address, Options
from radiod.engine.nats.outgoing import Outgoing, Pipe
from radiod.engine.nats.shapes import UNREADABLE, ConnectOptions, Info

__all__ = ["OLDEST", "Link", "Owner"]

OLDEST: Final = (2, 12)
"""What radiod's requests to JetStream need: older servers answer some of them wrongly, and say nothing."""

GREETING, ASKING, OPEN, OVER = "greeting", "asking", "open", "over"
"""A link's states: INFO is awaited; CONNECT is sent and its PONG awaited; messages pass; the end."""

CREDENTIALS: Final = ("authorization violation", "user authentication", "account authentication")
"""How errors begin that say who we are not; "authentication timeout" says that somebody was slow."""

Pinged = Callable[[EngineError | None], None]
"""What is called at a ping's answer, or with the reason why none will come."""


class Owner(Protocol):
    """Whose link it is."""

    def on_message(
        self, sid: bytes, subject: bytes, reply: bytes | None, headers: bytes | None, payload: bytes
    ) -> None:
        """A message; it must not raise."""

    def next_words(self, is_first: bool) -> bytes:
        """Subscriptions, which go before anything else: the first of them, or more; empty: that was all."""

    def on_progress(self, link: Link) -> None:
        """The server has taken some subscriptions: it lives, and has time until the next."""

    def on_open(self, link: Link) -> None:
        """The server has taken us, and all subscriptions: whatever is published may go now."""

    def on_ended(self, link: Link, error: EngineError) -> None:
        """It is over. Called once."""

    def on_changed(self, link: Link) -> None:
        """The server told something new of itself: ``link.info``."""

    def on_complaint(self, text: str) -> None:
        """The server did not do something, and goes on."""


class Link:
    """``wire.Sink`` of one connection: hand-shake, pings, errors.

    Call ``made``, then ``received`` and ``tick``; ``lost`` ends it. ``info`` is what the server last said of
    itself.
    """

    def __init__(self, address: Address, options: Options, owner: Owner, out: Outgoing) -> None:
        self.address: Final = address
        self.info = Info()
        self.on_message = owner.on_message
        self._options = options
        self._owner = owner
        self._out = out
        self._parser = wire.Parser(self)
        self._pings: deque[Pinged | None] = deque()
        self._state = GREETING
        self._has_heard = False
        self._silent = 0
        self._complaint = ""
        self._pipe: Pipe | None = None

    def __str__(self) -> str:
        return f"nats-server at {self.address}"

    @property
    def is_open(self) -> bool:
        """Whether messages pass."""
        return self._state == OPEN

    # --- from the socket

    def made(self, pipe: Pipe) -> None:
        """There is a socket; the server speaks first."""
        if self._state == OVER:
            pipe.abort()
        else:
            self._pipe = pipe
            self._out.start(pipe)

    def received(self, data: bytes) -> None:
        """Bytes came. What comes behind the end is dropped."""
        if self._state == OVER:
            return
        self._has_heard = True
        try:
            self._parser.feed(data)
        except ProtocolError as error:
            self.end(ConnectionLost(f"{self} does not speak NATS: {error}"))

    def lost(self, reason: str, *, is_refused: bool = False) -> None:
        """The socket is closed, or was never opened. ``is_refused``: trying again does not help."""
        if self._complaint:
            reason = self._complaint
        text = f"{self}: {reason}"
        self.end(Refused(text) if is_refused else ConnectionLost(text))

    # --- from the owner

    def tick(self) -> None:
        """An interval of pings has passed: ask a server that was silent, give up one that stays so."""
        if self._state != OPEN:
            return
        if self._has_heard or self._out.has_moved:
            # A server that reads what waited for it will come to our pings.
            self._silent = 0
            self._out.has_moved = False
        elif self._silent >= self._options.pings:
            self.end(ConnectionLost(f"{self} has not answered {self._silent} pings"))
            return
        else:
            self._silent += 1
            self.ping(None)
        self._has_heard = False

    def ping(self, pinged: Pinged | None) -> None:
        """Send a PING behind all that waits: ``pinged`` is called with its PONG, or at the end."""
        self._out.push(wire.PING)
        self._pings.append(pinged)

    def end(self, error: EngineError, *, gently: bool = False) -> None:
        """End it. ``gently``: what was written leaves first, for as long as the server takes."""
        if self._state == OVER:
            return
        self._state = OVER
        if self._pipe is not None:
            if gently:
                self._pipe.close()
            else:
                self._pipe.abort()
        pings, self._pings = self._pings, deque()
        for pinged in pings:
            if pinged is not None:
                pinged(error)
        self._owner.on_ended(self, error)

    # --- from the parser

    def on_info(self, text: bytes, is_last: bool) -> None:
        """The server introduces itself, or something about it has changed."""
        try:
            info = msgspec.json.decode(text, type=Info)
        except UNREADABLE as error:
            raise ProtocolError(f"INFO is not what it should be: {error}") from None
        # One that does not speak of its limit keeps it.
        limit = info.max_payload or self.info.max_payload
        self.info = msgspec.structs.replace(info, max_payload=limit)
        if self._state == GREETING:
            wrong = self._unfit()
            if wrong:
                self.end(Refused(wrong))
            else:
                self._connect(is_last)
        elif self._state == OPEN:
            self._owner.on_changed(self)

    def on_ping(self) -> None:
        """The server wants to know whether we live."""
        if self._state in (ASKING, OPEN):
            self._out.push(wire.PONG)

    def on_pong(self) -> None:
        """The answer to our first ping that has none: all that was sent before it has been read."""
        if self._state == ASKING:
            self._make_known()
        elif self._pings:
            pinged = self._pings.popleft()
            if pinged is not None:
                pinged(None)

    def on_error(self, text: str) -> None:
        """-ERR: most of them are the last word of the server."""
        lowered = text.lower()
        if self._state in (GREETING, ASKING) and lowered.startswith(CREDENTIALS):
            self.end(Refused(f"{self} does not take our credentials: {text}"))
        elif self._state == OPEN and lowered.startswith("permissions violation"):
            self._owner.on_complaint(f"{self}: {text}")
        else:
            self._complaint = text

    # --- the hand-shake

    def _unfit(self) -> str:
        """Why this server is refused; empty: it is not."""
        info, options = self.info, self._options
        if _version(info.version) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            return (
                f"nats-server {info.version or 'of no version'} at {self.address} is too old: "
                f"radiod needs {oldest} or newer"
            )
        if info.max_payload < options.min_payload:
            return (
                f"{self} takes {info.max_payload} bytes a message: radiod needs {options.min_payload}, "
                "set its max_payload"
            )
        if not info.headers:
            return f"{self} takes no headers: set its no_header_support to false"
        has_tls = info.tls_required or info.tls_available
        if self.address.is_tls and not has_tls and not self._is_tls_first:
            return f"{self} offers no TLS"
        return ""

    @property
    def _is_tls_first(self) -> bool:
        return self.address.is_tls and self._options.tls is not None and self._options.tls.is_first

    def _connect(self, is_last: bool) -> None:
        if (self.info.tls_required or self.address.is_tls) and not self._is_tls_first:
            if not is_last:
                # Somebody between us might have put it there, for us to believe it to be encrypted.
                raise ProtocolError("more than INFO before TLS")
            assert self._pipe is not None
            self._pipe.start_tls()
        options = self._options
        fields = {} if options.credentials is None else options.credentials.fields(self.info.nonce)
        said = ConnectOptions(
            verbose=False,
            pedantic=False,
            echo=options.echo,
            headers=True,
            no_responders=True,
            protocol=1,
            lang="radiod",
            version="1",
            name=options.name,
            tls_required=self.address.is_tls or self.info.tls_required,
            **fields,
        )
        self._state = ASKING
        words = self._owner.next_words(True)
        self._out.push(wire.connect(msgspec.json.encode(said)) + words + wire.PING)

    def _make_known(self) -> None:
        """Go on with subscriptions, a ping behind each piece: 100,000 may take a server seconds."""
        words = self._owner.next_words(False)
        if words:
            self._out.push(words + wire.PING)
            self._owner.on_progress(self)
        else:
            self._state = OPEN
            self._owner.on_open(self)


def _version(text: str) -> tuple[int, int]:
    found = re.match(r"(\d{1,9})\.(\d{1,9})", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)
